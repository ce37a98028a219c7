#include "infer/bordered.h"

#include <string.h>

gdrq_bordered gdrq_bordered_make(int w, int h, int channels, int code_size) {
    const size_t pixel = (size_t)channels * (size_t)code_size;
    return (gdrq_bordered){.w = w,
                           .h = h,
                           .channels = channels,
                           .code_size = code_size,
                           .pixel = pixel,
                           .pitch = (size_t)w * pixel};
}

static void put(const gdrq_bordered *b, void *to, size_t at, uint8_t code) {
    if (b->code_size == 1)
        ((uint8_t *)to)[at] = code;
    else
        ((int16_t *)to)[at] = code;
}

/* n pixels of the zero code. */
static void fill(const gdrq_int_conv *conv, const gdrq_bordered *b, int n, void *to) {
    const size_t codes = (size_t)n * (size_t)b->channels;
    if (b->code_size == 1)
        memset(to, conv->zero, codes);
    else
        for (size_t i = 0; i < codes; i++)
            put(b, to, i, (uint8_t)conv->zero);
}

/* n pixels of the input. */
static void copy_pixels(const gdrq_int_conv *conv, const gdrq_bordered *b, const uint8_t *in, int n,
                        void *to) {
    const size_t channels = (size_t)conv->in.c, all = (size_t)b->channels;
    if (b->code_size == 1 && channels == all) {
        memcpy(to, in, (size_t)n * channels);
        return;
    }
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t c = 0; c < all; c++)
            put(b, to, i * all + c, c < channels ? in[i * channels + c] : 0);
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
