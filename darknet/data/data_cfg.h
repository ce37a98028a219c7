/*
 * The .data file of a task: lines "key = value" that name its lists, folders and numbers. Keys that
 * nobody asks for are allowed; of repeated keys the first counts, as in the host. Blanks inside a
 * value stay (the host drops them, which breaks paths that have some).
 */
#ifndef DATA_DATA_CFG_H
#define DATA_DATA_CFG_H

#include "data/text_lines.h"
#include "gdrq.h"

typedef struct data_cfg_option {
    const char *key, *value;
    int line;
} data_cfg_option;

typedef struct data_cfg {
    char *path; /* for messages */
    text_lines text;
    data_cfg_option *options;
    int n;
} data_cfg;

/* On failure *cfg is empty. Free with data_cfg_free(). */
gdrq_status data_cfg_read(const char *path, data_cfg *cfg, gdrq_error *err);

void data_cfg_free(data_cfg *cfg);

/* The value, or NULL. It lives as long as cfg. */
const char *data_cfg_find(const data_cfg *cfg, const char *key);

/* The value; an error that names the file and the key if it is missing. */
gdrq_status data_cfg_require(const data_cfg *cfg, const char *key, const char **value,
                             gdrq_error *err);

/* A number in min..max; the second leaves *value alone if the key is missing. */
gdrq_status data_cfg_require_int(const data_cfg *cfg, const char *key, int min, int max, int *value,
                                 gdrq_error *err);
gdrq_status data_cfg_find_int(const data_cfg *cfg, const char *key, int min, int max, int *value,
                              gdrq_error *err);

#endif
