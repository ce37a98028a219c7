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

/* Moves the first verb behind flags, if there is one, to argv[0]. */
static void bring_verb_forward(const verb_table *t, int argc, char **argv) {
    int at = 0;
    while (at < argc && !command_find(t->verbs, t->n, argv[at]))
        at++;
    if (at == argc)
        return;
    char *verb = argv[at];
    memmove(argv + 1, argv, (size_t)at * sizeof *argv);
    argv[0] = verb;
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
        bring_verb_forward(t, argc, argv);
    if (argc < 1 || argv[0][0] == '-') {
        explain(t);
        return argc < 1 ? 2 : 0;
    }
    const command *verb = command_find(t->verbs, t->n, argv[0]);
    if (verb)
        return verb->run(argc - 1, argv + 1);
    if (is_stock_verb(t, argv[0]))
        return hand_over_remembered(argv[0]);
    report("%s: '%s' is not a verb (see: darknet %s)", t->command, argv[0], t->command);
    return 2;
}
