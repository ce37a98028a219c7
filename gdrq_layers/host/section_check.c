#include "host/section_check.h"

#include "base/alloc.h"
#include "base/edit_distance.h"
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

gdrq_status gdrq_notes_add(gdrq_notes *notes, const gdrq_cfg *cfg, int line, gdrq_error *err,
                           const char *format, ...) {
    char what[512], text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s:%d: %s", cfg->path, line, what);
    /* The capacity is the next power of two, so growing is rare. */
    const bool full = (notes->n & (notes->n - 1)) == 0;
    const size_t capacity = notes->n ? 2 * (size_t)notes->n : 1;
    char **lines = full ? gdrq_realloc(notes->lines, capacity, sizeof *lines) : notes->lines;
    if (lines)
        notes->lines = lines;
    char *copy = lines ? gdrq_strdup(text) : NULL;
    if (!copy)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", cfg->path);
    lines[notes->n++] = copy;
    return GDRQ_OK;
}

void gdrq_notes_free(gdrq_notes *notes) {
    for (int i = 0; i < notes->n; i++)
        free(notes->lines[i]);
    free(notes->lines);
    *notes = (gdrq_notes){0};
}

static void append(char *text, size_t size, const char *separator, const char *word) {
    const size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used ? separator : "", word);
}

static gdrq_status fail_unknown_section(const gdrq_place *place, gdrq_error *err) {
    gdrq_name_search search = gdrq_name_search_start(place->section->name);
    char all[640] = "";
    for (const gdrq_section_kind *kind = gdrq_section_kinds; kind->name; kind++) {
        gdrq_name_search_try(&search, kind->name);
        if (kind->alias)
            gdrq_name_search_try(&search, kind->alias);
        append(all, sizeof all, " ", kind->name);
    }
    return gdrq_fail_section(place, err, "unknown section%s%s%s; known are: %s",
                             search.best ? "; did you mean [" : "", search.best ? search.best : "",
                             search.best ? "]?" : "", all);
}

static bool is_worth_listing(const gdrq_key *key) {
    return key->kind != GDRQ_KEY_IGNORED && key->kind != GDRQ_KEY_FIXED &&
           key->kind != GDRQ_KEY_SAME;
}

static gdrq_status fail_unknown_key(const gdrq_place *place, const gdrq_section_kind *kind,
                                    const gdrq_cfg_option *option, gdrq_error *err) {
    gdrq_name_search search = gdrq_name_search_start(option->key);
    char all[700] = "";
    for (size_t i = 0; i < sizeof kind->lists / sizeof kind->lists[0]; i++)
        for (const gdrq_key *key = kind->lists[i].keys; key && key->name; key++) {
            gdrq_name_search_try(&search, key->name);
            if (is_worth_listing(key))
                append(all, sizeof all, " ", key->name);
        }
    return gdrq_fail_option(place, option, err, "unknown key%s%s%s; allowed are: %s",
                            search.best ? "; did you mean " : "", search.best ? search.best : "",
                            search.best ? "?" : "", all);
}

static gdrq_status note_ignored(const gdrq_place *place, const gdrq_key *key,
                                const gdrq_cfg_option *option, gdrq_notes *notes, gdrq_error *err) {
    return gdrq_notes_add(notes, place->cfg, option->line, err,
                          "[%s] %s has no effect in this Darknet%s%s", place->section->name,
                          key->name, key->reason ? ": " : "", key->reason ? key->reason : "");
}

/* The options that came first of each key, in no order; a later one must not contradict. */
typedef struct seen_options {
    const gdrq_cfg_option *first[GDRQ_MAX_KEYS];
    int n;
} seen_options;

static const gdrq_cfg_option *find_first(const seen_options *seen, const char *key) {
    for (int i = 0; i < seen->n; i++)
        if (strcmp(seen->first[i]->key, key) == 0)
            return seen->first[i];
    return NULL;
}

static gdrq_status check_repeated(const gdrq_place *place, const gdrq_key *key,
                                  const gdrq_cfg_option *first, const gdrq_cfg_option *option,
                                  gdrq_notes *notes, gdrq_error *err) {
    if (strcmp(first->value, option->value) == 0)
        return GDRQ_OK;
    if (!key->first_counts)
        return gdrq_fail_option(place, option, err, "contradicts %s=%.60s in line %d; keep one",
                                first->key, first->value, first->line);
    return gdrq_notes_add(notes, place->cfg, option->line, err,
                          "[%s] %s=%.60s has no effect: %s=%.60s in line %d counts",
                          place->section->name, key->name, option->value, key->name, first->value,
                          first->line);
}

static gdrq_status check_option(const gdrq_place *place, const gdrq_section_kind *kind,
                                const gdrq_cfg_option *option, seen_options *seen,
                                gdrq_notes *notes, gdrq_error *err) {
    const gdrq_key *key = gdrq_key_find(kind, option->key, NULL);
    if (!key)
        return fail_unknown_key(place, kind, option, err);
    const gdrq_cfg_option *first = find_first(seen, option->key);
    if (first)
        return check_repeated(place, key, first, option, notes, err);
    /* Every key was found in the section's table, so there are fewer of them than GDRQ_MAX_KEYS. */
    seen->first[seen->n++] = option;
    if (key->kind == GDRQ_KEY_IGNORED)
        return note_ignored(place, key, option, notes, err);
    return gdrq_value_check(place, key, option, err);
}

gdrq_status gdrq_section_check(const gdrq_place *place, const gdrq_section_kind **kind,
                               gdrq_notes *notes, gdrq_error *err) {
    *kind = gdrq_section_kind_find(place->section->name);
    if (!*kind)
        return fail_unknown_section(place, err);
    seen_options seen = {.n = 0};
    for (int i = 0; i < place->section->n; i++) {
        const gdrq_status status =
            check_option(place, *kind, &place->section->options[i], &seen, notes, err);
        if (status != GDRQ_OK)
            return status;
    }
    return GDRQ_OK;
}
