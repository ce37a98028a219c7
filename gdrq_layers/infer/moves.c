#include "infer/ops.h"

#include <assert.h>
#include <string.h>

#include "base/kernels.h"

static size_t row_size(gdrq_tensor_shape shape) {
    return (size_t)shape.w * (size_t)shape.c;
}

void gdrq_int_upsample(gdrq_tensor_shape in, int stride, const uint8_t *in_codes, uint8_t *out) {
    assert(stride > 0);
    const size_t channels = (size_t)in.c, times = (size_t)stride, row = row_size(in) * times;
#pragma omp parallel for schedule(static) if (gdrq_tensor_size(in) * times * times >= \
                                              GDRQ_PARALLEL_FROM)
    for (int y = 0; y < in.h; y++) {
        uint8_t *const first = out + (size_t)y * times * row;
        for (size_t x = 0; x < (size_t)in.w * times; x++)
            memcpy(first + x * channels, in_codes + (size_t)y * row_size(in) + x / times * channels,
                   channels);
        for (size_t t = 1; t < times; t++)
            memcpy(first + t * row, first, row);
    }
}

void gdrq_int_route(int w, int h, const gdrq_int_part *parts, int n, uint8_t *out) {
    size_t channels = 0;
    for (int i = 0; i < n; i++)
        channels += (size_t)parts[i].c;
    const size_t pixels = (size_t)w * (size_t)h;
#pragma omp parallel for schedule(static) if (pixels * channels >= GDRQ_PARALLEL_FROM)
    for (size_t p = 0; p < pixels; p++) {
        uint8_t *to = out + p * channels;
        for (int i = 0; i < n; i++) {
            const size_t count = (size_t)parts[i].c;
            memcpy(to, parts[i].codes + p * count, count);
            to += count;
        }
    }
}

/* Where the value lies in NHWC that is value i in NCHW. */
static size_t nhwc_index(gdrq_tensor_shape shape, size_t i) {
    const size_t plane = (size_t)shape.w * (size_t)shape.h;
    return i % plane * (size_t)shape.c + i / plane;
}

/*
 * Darknet permutes flat arrays in NCHW: channel k of in.w x in.h x in.c, of its `packed` side, lies
 * spread with step s over an array of (s*w) x (s*h) x (c/s^2), its `spread` side. Reversed, the
 * packed side is the input and both shapes are what they seem; else it is the output, and both
 * arrays have other shapes than the layers before and behind see in them.
 */
void gdrq_int_reorg(gdrq_tensor_shape in, gdrq_tensor_shape out, int stride, bool reverse,
                    const uint8_t *in_codes, uint8_t *out_codes) {
    assert(stride > 0 && in.c % (stride * stride) == 0 &&
           gdrq_tensor_size(in) == gdrq_tensor_size(out));
    const size_t w = (size_t)in.w, h = (size_t)in.h, s = (size_t)stride;
    const size_t channels = (size_t)in.c / (s * s);
#pragma omp parallel for schedule(static) if (gdrq_tensor_size(in) >= GDRQ_PARALLEL_FROM)
    for (size_t k = 0; k < (size_t)in.c; k++)
        for (size_t at = 0; at < w * h; at++) {
            const size_t part = k / channels;
            const size_t x = at % w * s + part % s, y = at / w * s + part / s;
            const size_t packed = k * w * h + at, spread = (k % channels * h * s + y) * w * s + x;
            out_codes[nhwc_index(out, reverse ? spread : packed)] =
                in_codes[nhwc_index(in, reverse ? packed : spread)];
        }
}

void gdrq_int_crop(gdrq_tensor_shape in, gdrq_tensor_shape out, const uint8_t *in_codes,
                   uint8_t *out_codes) {
    assert(out.w <= in.w && out.h <= in.h && out.c == in.c);
    const size_t left = (size_t)((in.w - out.w) / 2), top = (size_t)((in.h - out.h) / 2);
    for (size_t y = 0; y < (size_t)out.h; y++)
        memcpy(out_codes + y * row_size(out),
               in_codes + (top + y) * row_size(in) + left * (size_t)in.c, row_size(out));
}

/* Pixels and channels that are turned round together, so that both sides are met by whole lines. */
enum { TURN = 64 };

/* n neighbouring pixels of up to TURN channels, whose values and codes begin at those of *from. */
static void quantise_part(const gdrq_grid *grid, const float *from, size_t plane, size_t n,
                          size_t channels, size_t pitch, uint8_t *to) {
    uint8_t codes[TURN][TURN];
    for (size_t c = 0; c < channels; c++)
        gdrq_int_encode(grid, from + c * plane, n, codes[c]);
    for (size_t p = 0; p < n; p++)
        for (size_t c = 0; c < channels; c++)
            to[p * pitch + c] = codes[c][p];
}

static size_t at_most(size_t n, size_t limit) {
    return n < limit ? n : limit;
}

void gdrq_int_quantise(gdrq_tensor_shape shape, const gdrq_grid *grid, const float *values,
                       uint8_t *codes) {
    const size_t plane = (size_t)shape.w * (size_t)shape.h, channels = (size_t)shape.c;
#pragma omp parallel for collapse(2) \
    schedule(static) if (gdrq_tensor_size(shape) >= GDRQ_PARALLEL_FROM)
    for (size_t p = 0; p < plane; p += TURN)
        for (size_t c = 0; c < channels; c += TURN)
            quantise_part(grid, values + c * plane + p, plane, at_most(plane - p, TURN),
                          at_most(channels - c, TURN), channels, codes + p * channels + c);
}

/* As quantise_part(), of the values themselves. */
static void interleave_part(const float *from, size_t plane, size_t n, size_t channels,
                            size_t pitch, float *to) {
    for (size_t p = 0; p < n; p++)
        for (size_t c = 0; c < channels; c++)
            to[p * pitch + c] = from[c * plane + p];
}

void gdrq_int_interleave(gdrq_tensor_shape shape, const float *values, float *interleaved) {
    const size_t plane = (size_t)shape.w * (size_t)shape.h, channels = (size_t)shape.c;
    enum { SIDE = TURN / 4 }; /* whose lines of both arrays stay in the cache */
#pragma omp parallel for collapse(2) \
    schedule(static) if (gdrq_tensor_size(shape) >= GDRQ_PARALLEL_FROM)
    for (size_t p = 0; p < plane; p += SIDE)
        for (size_t c = 0; c < channels; c += SIDE)
            interleave_part(values + c * plane + p, plane, at_most(plane - p, SIDE),
                            at_most(channels - c, SIDE), channels, interleaved + p * channels + c);
}
