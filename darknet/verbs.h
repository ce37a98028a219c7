/* Commands whose first argument is a verb: `darknet detector train ...`. */
#ifndef DARKNET_VERBS_H
#define DARKNET_VERBS_H

#include "commands.h"

typedef struct verb_table {
    const char *command;
    const command *verbs;
    int n;
    const char *const *stock; /* upstream's verbs that we do not have: the stock command's */
    int n_stock;
} verb_table;

/* Runs the verb, before which flags may stand, or explains the command. Returns the exit status. */
int verb_run(const verb_table *table, int argc, char **argv);

#endif
