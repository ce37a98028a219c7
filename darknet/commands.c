#include "commands.h"

#include "base/edit_distance.h"

#include <stdio.h>
#include <string.h>

const command *command_find(const command *table, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

const command *command_nearest(const command *table, int n, const char *name) {
    const command *nearest = &table[0];
    char wrong[GDRQ_LONGEST_NAME + 1];
    snprintf(wrong, sizeof wrong, "%s", name);
    for (int i = 1; i < n; i++)
        if (gdrq_edit_distance(wrong, table[i].name) < gdrq_edit_distance(wrong, nearest->name))
            nearest = &table[i];
    return nearest;
}

void command_bring_forward(const command *table, int n, int argc, char **argv) {
    int at = 0;
    while (at < argc && !command_find(table, n, argv[at]))
        at++;
    if (at == argc)
        return;
    char *name = argv[at];
    memmove(argv + 1, argv, (size_t)at * sizeof *argv);
    argv[0] = name;
}

void command_print(const command *table, int n) {
    for (int i = 0; i < n; i++)
        printf("  %-12s %s\n", table[i].name, table[i].help);
}
