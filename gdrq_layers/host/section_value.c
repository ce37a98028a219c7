#include "host/section_value.h"

#include "base/status.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTED 60 /* characters of the file that a message repeats at most */

static void write_place(const gdrq_place *place, int line, char *out, size_t size) {
    if (place->layer < 0)
        snprintf(out, size, "%s:%d: [%.*s]", place->cfg->path, line, QUOTED, place->section->name);
    else
        snprintf(out, size, "%s:%d: layer %d [%.*s]", place->cfg->path, line, place->layer, QUOTED,
                 place->section->name);
}

gdrq_status gdrq_fail_section(const gdrq_place *place, gdrq_error *err, const char *format, ...) {
    char where[512], what[900];
    write_place(place, place->section->line, where, sizeof where);
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: %s", where, what);
}

gdrq_status gdrq_fail_option(const gdrq_place *place, const gdrq_cfg_option *option,
                             gdrq_error *err, const char *format, ...) {
    char where[512], what[900];
    write_place(place, option->line, where, sizeof where);
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: %.*s=%.*s: %s", where, QUOTED, option->key,
                     QUOTED, option->value, what);
}

static bool parse_int(const char *text, const char *end, const gdrq_key *key) {
    char *stop;
    errno = 0;
    const long value = strtol(text, &stop, 10);
    return stop == end && stop != text && errno == 0 && value >= key->min && value <= key->max;
}

static bool parse_float(const char *text, const char *end, const gdrq_key *key) {
    /* strtod alone would also take "nan", "inf" and hexadecimal. */
    const size_t length = strspn(text, "0123456789+-.eE");
    if (length != (size_t)(end - text))
        return false;
    char *stop;
    const double value = strtod(text, &stop);
    return stop == end && stop != text && isfinite(value) && value >= key->min && value <= key->max;
}

static bool parse_list(const char *text, const gdrq_key *key) {
    for (;;) {
        const char *comma = strchr(text, ',');
        const char *end = comma ? comma : text + strlen(text);
        if (!(key->kind == GDRQ_KEY_INTS ? parse_int : parse_float)(text, end, key))
            return false;
        if (!comma)
            return true;
        text = comma + 1;
    }
}

static int find_choice(const char *const *choices, const char *value) {
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], value) == 0)
            return i;
    return -1;
}

static bool same_number(const char *a, const char *b) {
    return strtol(a, NULL, 10) == strtol(b, NULL, 10);
}

/* What may be written instead, e.g. "a whole number from 2 to 8". */
static void describe(const gdrq_key *key, char *out, size_t size) {
    size_t used = 0;
    switch (key->kind) {
    case GDRQ_KEY_INT:
        snprintf(out, size,
                 key->min == 0 && key->max == 1 ? "0 or 1" : "a whole number from %.0f to %.0f",
                 key->min, key->max);
        break;
    case GDRQ_KEY_FLOAT:
        snprintf(out, size, "a number, %s", key->allowed);
        break;
    case GDRQ_KEY_INTS:
    case GDRQ_KEY_FLOATS:
        snprintf(out, size, "%s, separated by commas", key->allowed);
        break;
    default:
        out[0] = '\0';
        for (int i = 0; key->choices && key->choices[i] && used < size; i++)
            used +=
                (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", key->choices[i]);
    }
}

static gdrq_status check_fixed(const gdrq_place *place, const gdrq_key *key,
                               const gdrq_cfg_option *option, gdrq_error *err) {
    if (key->kind == GDRQ_KEY_FIXED) {
        if (strcmp(option->value, key->fixed) == 0)
            return GDRQ_OK;
        return gdrq_fail_option(place, option, err, "%s; only %s=%s is possible", key->reason,
                                key->name, key->fixed);
    }
    const gdrq_cfg_option *other = gdrq_cfg_find(place->section, key->fixed);
    const char *wanted = other ? other->value : "1";
    if (same_number(option->value, wanted))
        return GDRQ_OK;
    return gdrq_fail_option(place, option, err, "%s: it must equal %s, which is %.*s", key->reason,
                            key->fixed, QUOTED, wanted);
}

gdrq_status gdrq_value_check(const gdrq_place *place, const gdrq_key *key,
                             const gdrq_cfg_option *option, gdrq_error *err) {
    const char *value = option->value, *end = value + strlen(value);
    bool good = true;
    switch (key->kind) {
    case GDRQ_KEY_INT:
        good = parse_int(value, end, key);
        break;
    case GDRQ_KEY_FLOAT:
        good = parse_float(value, end, key);
        break;
    case GDRQ_KEY_INTS:
    case GDRQ_KEY_FLOATS:
        good = parse_list(value, key);
        break;
    case GDRQ_KEY_CHOICE:
        good = find_choice(key->choices, value) >= 0;
        break;
    case GDRQ_KEY_FIXED:
    case GDRQ_KEY_SAME:
        return check_fixed(place, key, option, err);
    case GDRQ_KEY_PATH:
    case GDRQ_KEY_IGNORED:
        break;
    }
    if (good)
        return GDRQ_OK;
    char allowed[400];
    describe(key, allowed, sizeof allowed);
    return gdrq_fail_option(place, option, err, "allowed: %s%s%s", allowed, key->reason ? "; " : "",
                            key->reason ? key->reason : "");
}

int gdrq_value_int(const gdrq_cfg_section *section, const char *key, int fallback) {
    const gdrq_cfg_option *option = gdrq_cfg_find(section, key);
    return option ? (int)strtol(option->value, NULL, 10) : fallback;
}

float gdrq_value_float(const gdrq_cfg_section *section, const char *key, float fallback) {
    const gdrq_cfg_option *option = gdrq_cfg_find(section, key);
    return option ? (float)strtod(option->value, NULL) : fallback;
}

int gdrq_value_choice(const gdrq_cfg_section *section, const char *key, const char *const *choices,
                      int fallback) {
    const gdrq_cfg_option *option = gdrq_cfg_find(section, key);
    return option ? find_choice(choices, option->value) : fallback;
}

int gdrq_list_count(const char *list) {
    int n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

int gdrq_list_next(const char **list) {
    char *end;
    const int value = (int)strtol(*list, &end, 10);
    *list = *end == ',' ? end + 1 : end;
    return value;
}

float gdrq_list_next_float(const char **list) {
    char *end;
    const float value = (float)strtod(*list, &end);
    *list = *end == ',' ? end + 1 : end;
    return value;
}
