#include "args.h"
#include "commands.h"
#include "cpu_build.h"
#include "handover.h"
#include "report.h"
#include "wait_policy.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static int print_help(int argc, char **argv);
static int print_version(int argc, char **argv);

static const command commands[] = {
    {"detector", cmd_detector, "train and test object detectors, measure their mAP"},
    {"detect", cmd_detect, "detect COCO's objects: a shortcut for detector test"},
    {"classifier", cmd_classifier, "train and test image classifiers, measure their accuracy"},
    {"classify", cmd_classify, "classify with ImageNet's names: a shortcut for classifier predict"},
    {"segmenter", cmd_segmenter, "give every pixel of a picture a class, measure mean IoU"},
    {"gdrq", cmd_gdrq, "turn a stock network into a quantised one"},
    {"help", print_help, "show this list"},
    {"version", print_version, "show the version"},
};
static const int n_commands = sizeof commands / sizeof *commands;

static int print_help(int argc, char **argv) {
    const command *asked = argc > 0 ? command_find(commands, n_commands, argv[0]) : NULL;
    if (asked && asked->run != print_help) {
        char help[] = "-h", *only[] = {help, NULL};
        return asked->run(1, only);
    }
    puts("usage: darknet [-i N] [-nogpu] [-cpumask SET] COMMAND ...\n\nCommands (each explains "
         "itself with -h):");
    command_print(commands, n_commands);
    puts("\nOther commands are handed to /usr/bin/darknet.");
    return 0;
}

static int print_version(int argc, char **argv) {
    (void)argc, (void)argv;
    printf("darknet with libgdrq %s\n", gdrq_version());
    return 0;
}

static bool asks_for_help(const char *text) {
    return !strcmp(text, "-h") || !strcmp(text, "-help") || !strcmp(text, "--help");
}

static bool asks_for_version(const char *text) {
    return !strcmp(text, "-v") || !strcmp(text, "-version") || !strcmp(text, "--version");
}

/* The exit status, after all of stdout has been written: a full disk must not pass for success. */
static int finish(int status) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    report("can't write to standard output");
    return status ? status : 1;
}

int main(int argc, char **argv) {
    int cpu_status = cpu_build_take_over(argv);
    if (cpu_status >= 0)
        return cpu_status;
    gdrq_error err;
    int skipped;
    if (args_skip_global(argc - 1, argv + 1, &skipped, &err) != GDRQ_OK) {
        report_error(&err);
        return 2;
    }
    const int at = 1 + skipped;
    if (at < argc && argv[at][0] == '-')
        command_bring_forward(commands, n_commands, argc - at, argv + at);
    if (at >= argc || asks_for_help(argv[at]))
        return finish(print_help(0, NULL));
    if (asks_for_version(argv[at]))
        return finish(print_version(0, NULL));
    if (argv[at][0] == '-') {
        report("%s: no command follows this flag (see: darknet help)", argv[at]);
        return 2;
    }
    cpu_status = cpu_build_take_over_command(argv + at, argv);
    if (cpu_status >= 0)
        return cpu_status;
    wait_policy_apply(argv);
    hand_over_remember(argv);
    /* A limit on file sizes is then an error of the write, as a full disk is. */
    signal(SIGXFSZ, SIG_IGN);
    const command *found = command_find(commands, n_commands, argv[at]);
    if (found)
        return finish(found->run(argc - at - 1, argv + at + 1));
    if (hand_over_knows(argv[at]))
        return finish(hand_over(argv[at], argv));
    report("'%s' is not a command; the nearest is %s (see: darknet help)", argv[at],
           command_nearest(commands, n_commands, argv[at])->name);
    return 2;
}
