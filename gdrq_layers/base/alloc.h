/* Checked allocation: sizes are multiplied without overflow, memory is zeroed, NULL means failure.
 */
#ifndef GDRQ_BASE_ALLOC_H
#define GDRQ_BASE_ALLOC_H

#include <stddef.h>

/* count * size zeroed bytes, at least one; NULL on overflow or when memory is out. free() it. */
void *gdrq_alloc(size_t count, size_t size);

/* Cache lines, and what vector loads like best. */
enum { GDRQ_ALIGNMENT = 64 };

/* n rounded up to whole lines of GDRQ_ALIGNMENT bytes, and at least one, at such an address; not
   zeroed. NULL on overflow or when memory is out. free() it. */
void *gdrq_alloc_aligned(size_t n);

/* Grows or shrinks to count * size bytes; on failure NULL, and `old` is untouched. */
void *gdrq_realloc(void *old, size_t count, size_t size);

/* A copy of text, or of its first n bytes; NULL when memory is out. */
char *gdrq_strdup(const char *text);
char *gdrq_strndup(const char *text, size_t n);

#endif
