/*
 * The copy of a convolution's input that kernels read: with a border of the zero code, so that
 * every window lies inside, and channels, codes and sizes as the kernel wants them.
 */
#ifndef GDRQ_INFER_BORDERED_H
#define GDRQ_INFER_BORDERED_H

#include "infer/ops.h"

typedef struct gdrq_bordered {
    int w, h;            /* pixels; the input begins at (pad, pad) */
    int channels;        /* at least the input's; what is more holds the zero code or 0 */
    int code_size;       /* bytes of a code: 1, or 2 for int16 */
    size_t pixel, pitch; /* bytes of a pixel and of a row */
} gdrq_bordered;

/* Of w x h pixels, which must hold the input and its border. */
gdrq_bordered gdrq_bordered_make(int w, int h, int channels, int code_size);

static inline size_t gdrq_bordered_size(const gdrq_bordered *b) {
    return (size_t)b->h * b->pitch;
}

/* Fills row y, 0..h-1, of the copy. */
void gdrq_bordered_row(const gdrq_int_conv *conv, const gdrq_bordered *b, const uint8_t *in, int y,
                       void *copy);

#endif
