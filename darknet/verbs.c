#include "verbs.h"

#include "handover.h"
#include "report.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_stock_verb(const verb_table *t, const char *name) {
    for (int i = 0; i < t->n_stock; i++)
        if (!strcmp(name, t->stock[i]))
            return true;
    return false;
}

static void explain(const verb_table *t) {
    printf("usage: darknet %s VERB ...\n\nVerbs (each explains itself with -h):\n", t->command);
    command_print(t->verbs, t->n);
    for (int i = 0; i < t->n_stock; i++)
        printf("%s%s", i == 0 ? "\nHanded to /usr/bin/darknet: " : ", ", t->stock[i]);
    if (t->n_stock)
        putchar('\n');
}

int verb_run(const verb_table *t, int argc, char **argv) {
    if (argc > 0 && argv[0][0] == '-')
        command_bring_forward(t->verbs, t->n, argc, argv);
    if (argc < 1 || argv[0][0] == '-') {
        explain(t);
        return argc < 1 ? 2 : 0;
    }
    const command *verb = command_find(t->verbs, t->n, argv[0]);
    if (verb)
        return verb->run(argc - 1, argv + 1);
    if (is_stock_verb(t, argv[0]))
        return hand_over_remembered(argv[0]);
    report("%s: '%s' is not a verb; the nearest is %s (see: darknet %s)", t->command, argv[0],
           command_nearest(t->verbs, t->n, argv[0])->name, t->command);
    return 2;
}
