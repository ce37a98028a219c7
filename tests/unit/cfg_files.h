/* A cfg that is rewritten into another one, for tests. */
#ifndef TESTS_CFG_FILES_H
#define TESTS_CFG_FILES_H

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A folder with in.cfg and out.cfg. */
typedef struct fixture {
    char folder[64], in[80], out[80];
} fixture;

static inline int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "%s/gdrq-test-XXXXXX", P_tmpdir);
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->in, sizeof f->in, "%s/in.cfg", f->folder);
    snprintf(f->out, sizeof f->out, "%s/out.cfg", f->folder);
    *state = f;
    return 0;
}

static inline int tear_down(void **state) {
    fixture *f = *state;
    unlink(f->in);
    unlink(f->out);
    const int status = rmdir(f->folder);
    free(f);
    return status;
}

static inline void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Allocated. */
static inline char *read_text(const char *path) {
    char *text = NULL;
    size_t size = 0;
    FILE *in = fopen(path, "rb"), *out = open_memstream(&text, &size);
    assert_non_null(in);
    for (int c; (c = fgetc(in)) != EOF;)
        fputc(c, out);
    fclose(in);
    fclose(out);
    return text;
}

#endif
