#include "commands.h"

#include <stdio.h>
#include <string.h>

const command *command_find(const command *table, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

void command_print(const command *table, int n) {
    for (int i = 0; i < n; i++)
        printf("  %-12s %s\n", table[i].name, table[i].help);
}
