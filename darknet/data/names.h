/* The names of the classes: a text file whose line i + 1 names class i. */
#ifndef DATA_NAMES_H
#define DATA_NAMES_H

#include "data/text_lines.h"
#include "gdrq.h"

enum { NAMES_LONGEST = 255 }; /* bytes */

typedef struct class_names {
    char **names;
    int n; /* may be more than there are classes */
    text_lines text;
} class_names;

/*
 * Blank lines at the end do not count; between names they are an error, since all classes behind
 * would shift. Fewer names than `classes` is an error. On failure *names is empty. Free with
 * class_names_free().
 */
gdrq_status class_names_read(const char *path, int classes, class_names *names, gdrq_error *err);

void class_names_free(class_names *names);

#endif
