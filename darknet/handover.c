#include "handover.h"

#include "report.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char stock_command[] = "/usr/bin/darknet";
/* What it has beyond ours; it ends with status 0 for any other word. */
static const char *const stock_commands[] = {
    "3d",      "art",       "average",    "captcha", "cifar",      "coco",      "denormalize",
    "go",      "imtest",    "lsd",        "mkimg",   "nightmare",  "normalize", "oneoff",
    "oneoff2", "ops",       "partial",    "print",   "regressor",  "rescale",   "reset",
    "rgbgr",   "rnn",       "isegmenter", "speed",   "statistics", "super",     "tag",
    "test",    "visualize", "yolo",
};
enum { N_STOCK_COMMANDS = sizeof stock_commands / sizeof *stock_commands };
static char **remembered;

static bool is_this_program(const char *path) {
    struct stat other, self;
    return stat(path, &other) == 0 && stat("/proc/self/exe", &self) == 0 &&
           other.st_dev == self.st_dev && other.st_ino == self.st_ino;
}

static bool is_cfg(const char *path) {
    const size_t n = strlen(path);
    struct stat st;
    return n > 4 && !strcmp(path + n - 4, ".cfg") && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The stock parser leaves a layer without functions for a section that it does not know. */
static bool has_gdrq_sections(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    while (!found && getline(&line, &size, file) >= 0)
        found = !strncmp(line + strspn(line, " \t"), "[gdrq_", 6) ||
                !strncmp(line + strspn(line, " \t"), "[folded_", 8) ||
                !strncmp(line + strspn(line, " \t"), "[segmentation]", 14);
    free(line);
    fclose(file);
    return found;
}

bool hand_over_knows(const char *what) {
    for (int i = 0; i < N_STOCK_COMMANDS; i++)
        if (!strcmp(what, stock_commands[i]))
            return true;
    return false;
}

int hand_over(const char *what, char **argv) {
    for (char **arg = argv + 1; *arg; arg++)
        if (is_cfg(*arg) && has_gdrq_sections(*arg)) {
            report("'%s' is a command of the stock %s, which can't read the gdrq sections of %s",
                   what, stock_command, *arg);
            return 1;
        }
    if (access(stock_command, X_OK) != 0) {
        report("'%s' is not a command here (see: darknet help), and %s, which might have it, is "
               "not installed",
               what, stock_command);
        return 1;
    }
    if (is_this_program(stock_command)) {
        report("'%s' is not a command here (see: darknet help)", what);
        return 1;
    }
    fflush(stdout);
    signal(SIGXFSZ, SIG_DFL);
    execv(stock_command, argv);
    report("can't run %s for '%s'", stock_command, what);
    return 1;
}

void hand_over_remember(char **argv) {
    remembered = argv;
}

int hand_over_remembered(const char *what) {
    return hand_over(what, remembered);
}
