/* Whether two paths name one file, so that writing the one would replace the other. */
#ifndef GDRQ_BASE_SAME_FILE_H
#define GDRQ_BASE_SAME_FILE_H

#include <stdbool.h>

/* Files that don't exist yet are compared by their folders and names. */
bool gdrq_same_file(const char *a, const char *b);

#endif
