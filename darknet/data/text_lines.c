#include "data/text_lines.h"

#include "base/alloc.h"
#include "base/status.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static gdrq_status read_stream(FILE *file, const char *path, size_t most, char **text, size_t *n,
                               gdrq_error *err) {
    size_t capacity = 4096;
    *n = 0;
    *text = gdrq_alloc(capacity, 1);
    while (*text) {
        *n += fread(*text + *n, 1, capacity - *n, file);
        if (ferror(file))
            return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't read", path);
        if (*n > most)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s: more than %zu bytes: is this the right file?", path, most);
        if (*n < capacity)
            return GDRQ_OK;
        char *grown = gdrq_realloc(*text, 2, capacity);
        if (!grown)
            break;
        *text = grown;
        capacity *= 2;
    }
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
}

/* The text holds n bytes; its buffer is larger, for the last line's terminator. */
static gdrq_status read_file(const char *path, size_t most, char **text, size_t *n,
                             gdrq_error *err) {
    FILE *file = fopen(path, "re");
    if (!file)
        return gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't open", path);
    struct stat st;
    gdrq_status status;
    if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode))
        status = gdrq_fail(err, GDRQ_ERROR_IO, "%s: is a folder, not a text file", path);
    else
        status = read_stream(file, path, most, text, n, err);
    fclose(file);
    return status;
}

static size_t byte_order_mark(const char *text, size_t n) {
    return n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* Checks the bytes and counts the lines; a last line needs no newline. */
static gdrq_status count_lines(const char *path, const char *text, size_t n, int *count,
                               gdrq_error *err) {
    *count = 0;
    for (size_t i = 0; i < n; ++i) {
        const unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 127)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s:%d: control character 0x%02x: not a text file", path, *count + 1,
                             c);
        const bool ends = c == '\n' || i + 1 == n;
        if (ends && *count == INT_MAX)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: more than %d lines", path, INT_MAX);
        *count += ends;
    }
    return GDRQ_OK;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* Terminates the line in place behind its last non-blank; returns its first non-blank. */
static char *trim(char *begin, char *end) {
    while (end > begin && is_blank(end[-1]))
        --end;
    *end = '\0';
    while (begin < end && is_blank(*begin))
        ++begin;
    return begin;
}

static void split(text_lines *lines, char *text, size_t n) {
    char *const end = text + n;
    for (int i = 0; i < lines->n; ++i) {
        char *newline = memchr(text, '\n', (size_t)(end - text));
        char *line_end = newline ? newline : end;
        lines->lines[i] = trim(text, line_end);
        text = line_end + 1;
    }
}

gdrq_status text_lines_read(const char *path, size_t most_bytes, text_lines *lines,
                            gdrq_error *err) {
    *lines = (text_lines){0};
    size_t n = 0;
    gdrq_status status = read_file(path, most_bytes, &lines->text, &n, err);
    if (status == GDRQ_OK) {
        const size_t skip = byte_order_mark(lines->text, n);
        status = count_lines(path, lines->text + skip, n - skip, &lines->n, err);
        if (status == GDRQ_OK) {
            lines->lines = gdrq_alloc((size_t)lines->n, sizeof *lines->lines);
            if (lines->lines)
                split(lines, lines->text + skip, n - skip);
            else
                status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
        }
    }
    if (status != GDRQ_OK)
        text_lines_free(lines);
    return status;
}

void text_lines_free(text_lines *lines) {
    free(lines->lines);
    free(lines->text);
    *lines = (text_lines){0};
}

bool text_to_int(const char *text, int min, int max, int *value) {
    char *end;
    errno = 0;
    const long number = strtol(text, &end, 10);
    if (end == text || *end || errno == ERANGE || number < min || number > max)
        return false;
    *value = (int)number;
    return true;
}
