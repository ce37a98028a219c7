/*
 * Values of options: where an option stands, for messages; strict checks against the table of
 * keys; and the values of options that passed them.
 */
#ifndef GDRQ_HOST_SECTION_VALUE_H
#define GDRQ_HOST_SECTION_VALUE_H

#include "host/cfg.h"
#include "host/section_keys.h"

typedef struct gdrq_place {
    const gdrq_cfg *cfg;
    const gdrq_cfg_section *section;
    int layer; /* its index, -1 for [net] */
} gdrq_place;

/* GDRQ_ERROR_FORMAT with "FILE:LINE: layer 3 [yolo]: <message>"; the line is the section's. */
gdrq_status gdrq_fail_section(const gdrq_place *place, gdrq_error *err, const char *format, ...)
    GDRQ_PRINTF(3, 4);

/* GDRQ_ERROR_FORMAT with "FILE:LINE: layer 3 [yolo]: key=value: <message>". */
gdrq_status gdrq_fail_option(const gdrq_place *place, const gdrq_cfg_option *option,
                             gdrq_error *err, const char *format, ...) GDRQ_PRINTF(4, 5);

/*
 * Checks a value against its key: whole numbers and numbers without anything behind them, in
 * range; lists without empty items; one of the choices.
 */
gdrq_status gdrq_value_check(const gdrq_place *place, const gdrq_key *key,
                             const gdrq_cfg_option *option, gdrq_error *err);

/* Values of checked options; fallback where the section has no such key. */
int gdrq_value_int(const gdrq_cfg_section *section, const char *key, int fallback);
float gdrq_value_float(const gdrq_cfg_section *section, const char *key, float fallback);
/* An index into `choices`. */
int gdrq_value_choice(const gdrq_cfg_section *section, const char *key, const char *const *choices,
                      int fallback);

/* Items of a comma-separated list. */
int gdrq_list_count(const char *list);
/* The first item of a checked list of whole numbers; *list moves behind its comma. */
int gdrq_list_next(const char **list);
float gdrq_list_next_float(const char **list);

#endif
