#include "host/class_files.h"

#include "host/text_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_SIZE (16 << 20)
#define MAX_NAME 255 /* the host keeps a name in 256 bytes and does not look */

/* Parses line number `n` (from 0); false where the host would misread it. */
typedef bool check_line_fn(const char *line, int n, int classes);

static bool is_int(const char *text, long min, long max) {
    char *end;
    errno = 0;
    const long value = strtol(text, &end, 10);
    return end != text && errno == 0 && *(end + strspn(end, " \t\r")) == '\0' && value >= min &&
           value <= max;
}

static bool check_tree_line(const char *line, int n, int classes) {
    (void)classes;
    const size_t start = strspn(line, " \t");
    const size_t name = strcspn(line + start, " \t\r");
    return name >= 1 && name <= MAX_NAME && is_int(line + start + name, -1, n - 1);
}

static bool check_map_line(const char *line, int n, int classes) {
    (void)n;
    return is_int(line, 0, classes - 1);
}

/* Checks every line, and counts them; text is cut into lines. 0, or the number of a bad line. */
static int check_lines(char *text, size_t size, check_line_fn *check, int classes, int *count) {
    char *end = text + size;
    *count = 0;
    for (char *line = text; line < end; (*count)++) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        char *stop = newline ? newline : end;
        *stop = '\0';
        if (strlen(line) != (size_t)(stop - line) || !check(line, *count, classes))
            return *count + 1;
        line = stop + 1;
    }
    return 0;
}

static gdrq_status check_file(const gdrq_place *place, const gdrq_cfg_option *option,
                              check_line_fn *check, int classes, const char *form, int *count,
                              gdrq_error *err) {
    char *text = NULL;
    size_t size = 0;
    gdrq_error cause;
    if (gdrq_text_file_read(option->value, MAX_FILE_SIZE, &text, &size, &cause) != GDRQ_OK)
        return gdrq_fail_option(place, option, err, "%.400s", cause.message);
    const int bad = check_lines(text, size, check, classes, count);
    free(text);
    if (bad)
        return gdrq_fail_option(place, option, err, "line %d of that file is wrong; %s", bad, form);
    return GDRQ_OK;
}

gdrq_status gdrq_tree_check(const gdrq_place *place, const gdrq_cfg_option *option, int classes,
                            gdrq_error *err) {
    int count = 0;
    const gdrq_status status =
        check_file(place, option, check_tree_line, classes,
                   "write a name of at most 255 characters and the line number (from 0) of its "
                   "parent, which is an earlier line or -1",
                   &count, err);
    if (status == GDRQ_OK && count != classes)
        return gdrq_fail_option(place, option, err,
                                "that file has %d lines; it needs one for each of the %d classes",
                                count, classes);
    return status;
}

gdrq_status gdrq_map_check(const gdrq_place *place, const gdrq_cfg_option *option, int classes,
                           gdrq_error *err) {
    int count = 0;
    char form[96];
    snprintf(form, sizeof form, "write one class from 0 to %d per line", classes - 1);
    const gdrq_status status =
        check_file(place, option, check_map_line, classes, form, &count, err);
    if (status == GDRQ_OK && count == 0)
        return gdrq_fail_option(place, option, err, "that file is empty; %s", form);
    return status;
}
