#include "host/cfg.h"

#include "base/alloc.h"
#include "base/status.h"
#include "host/text_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_SIZE (16 << 20)
#define QUOTED 60 /* characters of the file that a message repeats at most */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/*
 * Copies a line without its blanks and without a comment that starts it or follows a blank. (The
 * host knows comments at the start of a line only; behind a number it happens to skip them.)
 * Returns the length.
 */
static size_t strip(const char *line, size_t n, char *out) {
    size_t length = 0;
    for (size_t i = 0; i < n; i++) {
        const bool starts_word = i == 0 || is_blank(line[i - 1]);
        if ((line[i] == '#' || line[i] == ';') && (starts_word || length == 0))
            break;
        if (!is_blank(line[i]))
            out[length++] = line[i];
    }
    out[length] = '\0';
    return length;
}

static gdrq_status check_characters(const gdrq_cfg *cfg, int line, const char *text, size_t n,
                                    gdrq_error *err) {
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c == 0x7f)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s:%d: character 0x%02x has no place in a cfg: is this a text file?",
                             cfg->path, line, c);
    }
    return GDRQ_OK;
}

/* Room for one more element: the capacity is the next power of two, so growing is rare. */
static void *grow(void *array, int n, size_t size) {
    const bool full = (n & (n - 1)) == 0;
    return full ? gdrq_realloc(array, n ? 2 * (size_t)n : 1, size) : array;
}

static gdrq_status out_of_memory(const gdrq_cfg *cfg, gdrq_error *err) {
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", cfg->path);
}

static gdrq_status add_section(gdrq_cfg *cfg, int line, const char *text, size_t n,
                               gdrq_error *err) {
    if (n < 3 || text[n - 1] != ']' || memchr(text + 1, '[', n - 1) ||
        memchr(text, ']', n) != text + n - 1)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s:%d: '%.*s' is no section line; write [name] and nothing else",
                         cfg->path, line, QUOTED, text);
    gdrq_cfg_section *sections = grow(cfg->sections, cfg->n, sizeof *sections);
    if (!sections)
        return out_of_memory(cfg, err);
    cfg->sections = sections;
    char *name = gdrq_strndup(text + 1, n - 2);
    if (!name)
        return out_of_memory(cfg, err);
    sections[cfg->n++] = (gdrq_cfg_section){.name = name, .line = line};
    return GDRQ_OK;
}

static gdrq_status add_option(gdrq_cfg *cfg, int line, const char *text, gdrq_error *err) {
    const char *equals = strchr(text, '=');
    if (!equals)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s:%d: '%.*s' is no option; write key=value, or # before a comment",
                         cfg->path, line, QUOTED, text);
    if (cfg->n == 0)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s:%d: '%.*s' stands before the first section; start with [net]",
                         cfg->path, line, QUOTED, text);
    if (equals == text || equals[1] == '\0')
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s:%d: '%.*s' has no %s; write key=value",
                         cfg->path, line, QUOTED, text, equals == text ? "key" : "value");
    gdrq_cfg_section *section = &cfg->sections[cfg->n - 1];
    gdrq_cfg_option *options = grow(section->options, section->n, sizeof *options);
    if (!options)
        return out_of_memory(cfg, err);
    section->options = options;
    gdrq_cfg_option *option = &options[section->n];
    *option = (gdrq_cfg_option){.key = gdrq_strndup(text, (size_t)(equals - text)),
                                .value = gdrq_strdup(equals + 1),
                                .line = line};
    section->n++;
    return option->key && option->value ? GDRQ_OK : out_of_memory(cfg, err);
}

static gdrq_status parse_line(gdrq_cfg *cfg, int line, const char *text, size_t n, char *buffer,
                              gdrq_error *err) {
    if (memchr(text, '\0', n))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s:%d: a zero byte: this is no text file",
                         cfg->path, line);
    const size_t length = strip(text, n, buffer);
    if (length == 0)
        return GDRQ_OK;
    const gdrq_status status = check_characters(cfg, line, buffer, length, err);
    if (status != GDRQ_OK)
        return status;
    if (buffer[0] == '[')
        return add_section(cfg, line, buffer, length, err);
    return add_option(cfg, line, buffer, err);
}

static gdrq_status parse_lines(gdrq_cfg *cfg, const char *text, size_t n, char *buffer,
                               gdrq_error *err) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    const char *end = text + n;
    if (n >= 3 && memcmp(text, byte_order_mark, 3) == 0)
        text += 3;
    for (int line = 1; text < end; line++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;
        const gdrq_status status = parse_line(cfg, line, text, (size_t)(stop - text), buffer, err);
        if (status != GDRQ_OK)
            return status;
        text = newline ? newline + 1 : end;
    }
    if (cfg->n == 0)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: has no section; start with [net]", cfg->path);
    return GDRQ_OK;
}

gdrq_status gdrq_cfg_parse(const char *path, const char *text, size_t n, gdrq_cfg *cfg,
                           gdrq_error *err) {
    *cfg = (gdrq_cfg){0};
    if (n > MAX_FILE_SIZE)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: larger than %d MiB: this is no cfg", path,
                         MAX_FILE_SIZE >> 20);
    char *buffer = gdrq_alloc(n + 1, 1);
    cfg->path = gdrq_strdup(path);
    gdrq_status status;
    if (!buffer || !cfg->path)
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    else
        status = parse_lines(cfg, text, n, buffer, err);
    free(buffer);
    if (status != GDRQ_OK)
        gdrq_cfg_free(cfg);
    return status;
}

gdrq_status gdrq_cfg_read(const char *path, gdrq_cfg *cfg, gdrq_error *err) {
    char *text = NULL;
    size_t n = 0;
    *cfg = (gdrq_cfg){0};
    gdrq_status status = gdrq_text_file_read(path, MAX_FILE_SIZE, &text, &n, err);
    if (status == GDRQ_OK)
        status = gdrq_cfg_parse(path, text, n, cfg, err);
    free(text);
    return status;
}

void gdrq_cfg_free(gdrq_cfg *cfg) {
    for (int s = 0; s < cfg->n; s++) {
        for (int i = 0; i < cfg->sections[s].n; i++) {
            free(cfg->sections[s].options[i].key);
            free(cfg->sections[s].options[i].value);
        }
        free(cfg->sections[s].options);
        free(cfg->sections[s].name);
    }
    free(cfg->sections);
    free(cfg->path);
    *cfg = (gdrq_cfg){0};
}

const gdrq_cfg_option *gdrq_cfg_find(const gdrq_cfg_section *section, const char *key) {
    for (int i = 0; i < section->n; i++)
        if (strcmp(section->options[i].key, key) == 0)
            return &section->options[i];
    return NULL;
}
