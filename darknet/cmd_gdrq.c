#include "commands.h"
#include "report.h"

#include <stdio.h>

static const command verbs[] = {
    {"convert", cmd_gdrq_convert, "rewrite a stock cfg with quantised layers"},
    {"calibrate", cmd_gdrq_calibrate, "set activation thresholds from images, without training"},
};
static const int n_verbs = sizeof verbs / sizeof *verbs;

int cmd_gdrq(int argc, char **argv) {
    if (argc < 1 || argv[0][0] == '-') {
        puts("usage: darknet gdrq VERB ...\n\nVerbs (each explains itself with -h):");
        command_print(verbs, n_verbs);
        return argc < 1 ? 2 : 0;
    }
    const command *verb = command_find(verbs, n_verbs, argv[0]);
    if (verb)
        return verb->run(argc - 1, argv + 1);
    report("gdrq: '%s' is not a verb; there are convert and calibrate", argv[0]);
    return 2;
}
