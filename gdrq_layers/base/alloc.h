/* Checked allocation: sizes are multiplied without overflow, memory is zeroed, NULL means failure.
 */
#ifndef GDRQ_BASE_ALLOC_H
#define GDRQ_BASE_ALLOC_H

#include <stddef.h>

/* count * size zeroed bytes, at least one; NULL on overflow or when memory is out. free() it. */
void *gdrq_alloc(size_t count, size_t size);

/* Grows or shrinks to count * size bytes; on failure NULL, and `old` is untouched. */
void *gdrq_realloc(void *old, size_t count, size_t size);

/* A copy of text, or of its first n bytes; NULL when memory is out. */
char *gdrq_strdup(const char *text);
char *gdrq_strndup(const char *text, size_t n);

#endif
