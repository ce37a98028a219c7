#include "infer/bordered.h"

#include <string.h>

#include "base/kernels.h"

gdrq_bordered gdrq_bordered_make(int w, int h, int channels, int code_size) {
    const size_t pixel = (size_t)channels * (size_t)code_size;
    return (gdrq_bordered){.w = w,
                           .h = h,
                           .channels = channels,
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
    const size_t codes = (size_t)n * (size_t)b->channels;
    if (b->code_size == 1)
        memset(to, conv->zero, codes);
    else
        fill_wide((int16_t)conv->zero, codes, to);
}

/* Codes that lie one behind the other, as those of pixels do that have no more channels here. */
static void copy_codes(const gdrq_bordered *b, const uint8_t *in, size_t n, void *to) {
    if (b->code_size == 1)
        memcpy(to, in, n);
    else
        widen(in, n, to);
}

/* n pixels of the input. */
static void copy_pixels(const gdrq_int_conv *conv, const gdrq_bordered *b, const uint8_t *in, int n,
                        void *to) {
    const size_t channels = (size_t)conv->in.c;
    const size_t missing = b->pixel - channels * (size_t)b->code_size; /* bytes */
    if (missing == 0) {
        copy_codes(b, in, (size_t)n * channels, to);
        return;
    }
    for (int i = 0; i < n; i++) {
        char *const pixel = (char *)to + (size_t)i * b->pixel;
        copy_codes(b, in + (size_t)i * channels, channels, pixel);
        memset(pixel + b->pixel - missing, 0, missing);
    }
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
    copy_pixels(conv, b, in + (size_t)row * (size_t)conv->in.w * (size_t)conv->in.c, conv->in.w,
                to + (size_t)conv->pad * b->pixel);
    fill(conv, b, b->w - right, to + (size_t)right * b->pixel);
}
