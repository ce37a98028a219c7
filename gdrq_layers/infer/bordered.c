#include "infer/bordered.h"

#include <string.h>

#include "base/kernels.h"

gdrq_bordered gdrq_bordered_make(const gdrq_int_conv *conv, int code_size) {
    const int w = conv->in.w + 2 * conv->pad;
    const size_t pixel = (size_t)conv->in.c * (size_t)code_size;
    return (gdrq_bordered){.w = w,
                           .h = conv->in.h + 2 * conv->pad,
                           .code_size = code_size,
                           .pixel = pixel,
                           .pitch = (size_t)w * pixel};
}

GDRQ_KERNEL void widen(const uint8_t *restrict codes, size_t n, int16_t *restrict to) {
    for (size_t i = 0; i < n; i++)
        to[i] = codes[i];
}

GDRQ_KERNEL void fill_wide(int16_t code, size_t n, int16_t *restrict to) {
    for (size_t i = 0; i < n; i++)
        to[i] = code;
}

/* n pixels of the zero code. */
static void fill(const gdrq_int_conv *conv, const gdrq_bordered *b, int n, void *to) {
    const size_t codes = (size_t)n * (size_t)conv->in.c;
    if (b->code_size == 1)
        memset(to, conv->zero, codes);
    else
        fill_wide((int16_t)conv->zero, codes, to);
}

static void copy_codes(const gdrq_bordered *b, const uint8_t *in, size_t n, void *to) {
    if (b->code_size == 1)
        memcpy(to, in, n);
    else
        widen(in, n, to);
}

static void copy_row(const gdrq_int_conv *conv, const gdrq_bordered *b, const uint8_t *in, int row,
                     char *to) {
    const size_t channels = (size_t)conv->in.c, w = (size_t)conv->in.w;
    const size_t pixel = gdrq_input_pixel(conv), n = pixel == channels ? 1 : w;
    in += (size_t)row * w * pixel;
    for (size_t i = 0; i < n; i++)
        copy_codes(b, in + i * pixel, w / n * channels, to + i * b->pixel);
}

void gdrq_bordered_row(const gdrq_int_conv *conv, const gdrq_bordered *b, const uint8_t *in, int y,
                       void *copy) {
    char *const to = (char *)copy + (size_t)y * b->pitch;
    const int row = y - conv->pad, right = conv->pad + conv->in.w;
    if (row < 0 || row >= conv->in.h) {
        fill(conv, b, b->w, to);
        return;
    }
    fill(conv, b, conv->pad, to);
    copy_row(conv, b, in, row, to + (size_t)conv->pad * b->pixel);
    fill(conv, b, b->w - right, to + (size_t)right * b->pixel);
}
