#include "commands.h"
#include "handover.h"
#include "report.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const command verbs[] = {
    {"train", cmd_detector_train, "train a detector on labelled images"},
    {"test", cmd_detector_test, "detect objects in images and draw them"},
    {"map", cmd_detector_map, "measure average precision on labelled images"},
};
static const int n_verbs = sizeof verbs / sizeof *verbs;

/* Verbs of upstream's that are not here yet. */
static const char *const stock_verbs[] = {"valid", "valid2", "recall", "demo"};

static bool is_stock_verb(const char *name) {
    for (size_t i = 0; i < sizeof stock_verbs / sizeof *stock_verbs; i++)
        if (!strcmp(name, stock_verbs[i]))
            return true;
    return false;
}

/* Flags may stand before the verb: moves the first verb among them to argv[0]. */
static void bring_verb_forward(int argc, char **argv) {
    int at = 0;
    while (at < argc && !command_find(verbs, n_verbs, argv[at]))
        at++;
    if (at == argc)
        return;
    char *verb = argv[at];
    memmove(argv + 1, argv, (size_t)at * sizeof *argv);
    argv[0] = verb;
}

int cmd_detector(int argc, char **argv) {
    if (argc > 0 && argv[0][0] == '-')
        bring_verb_forward(argc, argv);
    if (argc < 1 || argv[0][0] == '-') {
        puts("usage: darknet detector VERB ...\n\nVerbs (each explains itself with -h):");
        command_print(verbs, n_verbs);
        puts("\nvalid, valid2, recall and demo are handed to /usr/bin/darknet.");
        return argc < 1 ? 2 : 0;
    }
    const command *verb = command_find(verbs, n_verbs, argv[0]);
    if (verb)
        return verb->run(argc - 1, argv + 1);
    if (is_stock_verb(argv[0]))
        return hand_over_remembered(argv[0]);
    report("detector: '%s' is not a verb; there are train, test and map", argv[0]);
    return 2;
}
