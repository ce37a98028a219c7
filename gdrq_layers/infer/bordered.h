/*
 * The copy of a convolution's input that kernels read: with a border of the zero code, so that
 * every window lies inside, and codes of the size that the kernel wants.
 */
#ifndef GDRQ_INFER_BORDERED_H
#define GDRQ_INFER_BORDERED_H

#include "infer/ops.h"

typedef struct gdrq_bordered {
    int w, h;            /* pixels; the input begins at (pad, pad) */
    int code_size;       /* bytes of a code: 1, or 2 for int16 */
    size_t pixel, pitch; /* bytes of a pixel and of a row */
} gdrq_bordered;

gdrq_bordered gdrq_bordered_make(const gdrq_int_conv *conv, int code_size);

static inline size_t gdrq_bordered_size(const gdrq_bordered *b) {
    return (size_t)b->h * b->pitch;
}

/* Fills row y, 0..h-1, of the copy. */
void gdrq_bordered_row(const gdrq_int_conv *conv, const gdrq_bordered *b, const uint8_t *in, int y,
                       void *copy);

#endif
