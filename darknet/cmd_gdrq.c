#include "commands.h"
#include "report.h"

#include <stdio.h>

static const command verbs[] = {
    {"convert", cmd_gdrq_convert, "rewrite a stock cfg with quantised layers"},
    {"calibrate", cmd_gdrq_calibrate, "set activation thresholds from images, without training"},
    {"inspect", cmd_gdrq_inspect, "show what quantising does to each layer"},
    {"sensitivity", cmd_gdrq_sensitivity, "measure what each layer's bits cost, and choose them"},
    {"fold", cmd_gdrq_fold, "pack a trained network into integers for deployment"},
    {"verify", cmd_gdrq_verify, "compare a folded network with the one that it was made of"},
    {"bench", cmd_gdrq_bench, "measure the speed of a network, layer by layer"},
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
    report("gdrq: '%s' is not a verb; the nearest is %s (see: darknet gdrq)", argv[0],
           command_nearest(verbs, n_verbs, argv[0])->name);
    return 2;
}
