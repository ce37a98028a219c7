#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *gdrq_alloc(size_t count, size_t size) {
    return calloc(count ? count : 1, size ? size : 1);
}

void *gdrq_alloc_aligned(size_t n) {
    const size_t lines = n / GDRQ_ALIGNMENT + (n % GDRQ_ALIGNMENT != 0);
    if (lines > SIZE_MAX / GDRQ_ALIGNMENT)
        return NULL;
    return aligned_alloc(GDRQ_ALIGNMENT, (lines ? lines : 1) * GDRQ_ALIGNMENT);
}

void *gdrq_realloc(void *old, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size)
        return NULL;
    const size_t bytes = count * size;
    return realloc(old, bytes ? bytes : 1);
}

char *gdrq_strdup(const char *text) {
    return gdrq_strndup(text, strlen(text));
}

char *gdrq_strndup(const char *text, size_t n) {
    char *copy = gdrq_alloc(n + 1, 1);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}
