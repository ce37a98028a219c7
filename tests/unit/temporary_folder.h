/* A folder that is the current one while a group of tests runs. */
#ifndef TESTS_TEMPORARY_FOLDER_H
#define TESTS_TEMPORARY_FOLDER_H

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char temporary_folder[64];

static inline int enter_folder(void **state) {
    (void)state;
    snprintf(temporary_folder, sizeof temporary_folder, "%s/gdrq-test-XXXXXX", P_tmpdir);
    return mkdtemp(temporary_folder) ? chdir(temporary_folder) : 1;
}

static inline int leave_folder(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", temporary_folder);
    return chdir("/") || system(command);
}

/* A file of n bytes in it; returns its name. */
static inline const char *write_bytes(const char *name, const void *bytes, size_t n) {
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return name;
}

static inline const char *write_text(const char *name, const char *text) {
    return write_bytes(name, text, strlen(text));
}

#endif
