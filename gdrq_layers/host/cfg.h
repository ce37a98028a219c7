/*
 * The text of a .cfg file as sections and options, with line numbers for messages. Knows the syntax
 * only: [section], key=value, comments (# or ;) and blank lines; spaces, tabs and carriage returns
 * do not count anywhere, as in the host's reader.
 */
#ifndef GDRQ_HOST_CFG_H
#define GDRQ_HOST_CFG_H

#include "gdrq.h"

typedef struct gdrq_cfg_option {
    char *key, *value;
    int line;
} gdrq_cfg_option;

typedef struct gdrq_cfg_section {
    char *name; /* without brackets, e.g. "convolutional" */
    int line;
    gdrq_cfg_option *options;
    int n;
} gdrq_cfg_section;

typedef struct gdrq_cfg {
    char *path; /* for messages */
    gdrq_cfg_section *sections;
    int n;
} gdrq_cfg;

/* Reads a regular file of at most 16 MiB. On failure *cfg is empty. Free with gdrq_cfg_free(). */
gdrq_status gdrq_cfg_read(const char *path, gdrq_cfg *cfg, gdrq_error *err);

/* The same from n bytes of text, which need no terminator; `path` is used in messages only. */
gdrq_status gdrq_cfg_parse(const char *path, const char *text, size_t n, gdrq_cfg *cfg,
                           gdrq_error *err);

void gdrq_cfg_free(gdrq_cfg *cfg);

/* The value of key, or NULL. Of repeated keys the first counts, as in the host. */
const gdrq_cfg_option *gdrq_cfg_find(const gdrq_cfg_section *section, const char *key);

#endif
