#include "data/names.h"

#include "base/status.h"

#include <string.h>

enum { MOST_BYTES = 1 << 24 };

static gdrq_status check_names(const char *path, const class_names *names, int classes,
                               gdrq_error *err) {
    for (int i = 0; i < names->n; ++i) {
        const size_t length = strlen(names->names[i]);
        if (!length)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s:%d: blank line before other names; line %d names class %d", path,
                             i + 1, i + 1, i);
        if (length > NAMES_LONGEST)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s:%d: a name of %zu bytes; at most %d are allowed", path, i + 1,
                             length, NAMES_LONGEST);
    }
    if (names->n < classes)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: %d names for %d classes: name every class, one per line", path,
                         names->n, classes);
    return GDRQ_OK;
}

gdrq_status class_names_read(const char *path, int classes, class_names *names, gdrq_error *err) {
    *names = (class_names){0};
    gdrq_status status = text_lines_read(path, MOST_BYTES, &names->text, err);
    if (status != GDRQ_OK)
        return status;
    names->names = names->text.lines;
    names->n = names->text.n;
    while (names->n && !*names->names[names->n - 1])
        --names->n;
    status = check_names(path, names, classes, err);
    if (status != GDRQ_OK)
        class_names_free(names);
    return status;
}

void class_names_free(class_names *names) {
    text_lines_free(&names->text);
    *names = (class_names){0};
}
