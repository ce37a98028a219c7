#include "suggest.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool needs_quotes(const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./+:,@%=";
    return !*word || word[strspn(word, plain)];
}

static void put_word(const char *word) {
    if (!needs_quotes(word)) {
        fputs(word, stdout);
        return;
    }
    putchar('\'');
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*word);
    putchar('\'');
}

void suggest(const char *purpose, const char *command, const char *const *words, int n) {
    printf("To %s: ", purpose);
    put_word(program_invocation_name);
    printf(" %s", command);
    for (int i = 0; i < n; i++) {
        putchar(' ');
        put_word(words[i]);
    }
    putchar('\n');
}
