#include "infer/ops.h"

#include <assert.h>
#include <string.h>

#include "base/kernels.h"

void gdrq_int_upsample(gdrq_tensor_shape in, int stride, const uint8_t *in_codes, size_t in_pixel,
                       uint8_t *out, size_t out_pixel) {
    assert(stride > 0);
    const size_t channels = (size_t)in.c, w = (size_t)in.w, times = (size_t)stride;
#pragma omp parallel for schedule(static) if (gdrq_tensor_size(in) * times * times >= \
                                              GDRQ_PARALLEL_FROM)
    for (size_t y = 0; y < (size_t)in.h * times; y++) {
        const uint8_t *const from = in_codes + y / times * w * in_pixel;
        uint8_t *const to = out + y * w * times * out_pixel;
        for (size_t x = 0; x < w * times; x++)
            memcpy(to + x * out_pixel, from + x / times * in_pixel, channels);
    }
}

static void copy_pixels(const uint8_t *from, size_t from_pixel, size_t n, size_t channels,
                        uint8_t *to, size_t to_pixel) {
#pragma omp parallel for schedule(static) if (n * channels >= GDRQ_PARALLEL_FROM)
    for (size_t p = 0; p < n; p++)
        memcpy(to + p * to_pixel, from + p * from_pixel, channels);
}

void gdrq_int_route(int w, int h, const gdrq_int_part *parts, int n, uint8_t *out,
                    size_t out_pixel) {
    const size_t pixels = (size_t)w * (size_t)h;
    for (int i = 0; i < n; out += parts[i++].c)
        if (parts[i].codes != out)
            copy_pixels(parts[i].codes, parts[i].pixel, pixels, (size_t)parts[i].c, out, out_pixel);
}

/* Where the value lies in NHWC that is value i in NCHW. */
static size_t nhwc_index(gdrq_tensor_shape shape, size_t pixel, size_t i) {
    const size_t plane = (size_t)shape.w * (size_t)shape.h;
    return i % plane * pixel + i / plane;
}

/*
 * Darknet permutes flat arrays in NCHW: channel k of in.w x in.h x in.c, of its `packed` side, lies
 * spread with step s over an array of (s*w) x (s*h) x (c/s^2), its `spread` side. Reversed, the
 * packed side is the input and both shapes are what they seem; else it is the output, and both
 * arrays have other shapes than the layers before and behind see in them.
 */
void gdrq_int_reorg(gdrq_tensor_shape in, gdrq_tensor_shape out, int stride, bool reverse,
                    const uint8_t *in_codes, size_t in_pixel, uint8_t *out_codes,
                    size_t out_pixel) {
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
            out_codes[nhwc_index(out, out_pixel, reverse ? spread : packed)] =
                in_codes[nhwc_index(in, in_pixel, reverse ? packed : spread)];
        }
}

void gdrq_int_crop(gdrq_tensor_shape in, gdrq_tensor_shape out, const uint8_t *in_codes,
                   size_t in_pixel, uint8_t *out_codes, size_t out_pixel) {
    assert(out.w <= in.w && out.h <= in.h && out.c == in.c);
    const size_t left = (size_t)((in.w - out.w) / 2), top = (size_t)((in.h - out.h) / 2);
    const size_t in_w = (size_t)in.w, w = (size_t)out.w;
    for (size_t y = 0; y < (size_t)out.h; y++)
        copy_pixels(in_codes + ((top + y) * in_w + left) * in_pixel, in_pixel, w, (size_t)out.c,
                    out_codes + y * w * out_pixel, out_pixel);
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
                       uint8_t *codes, size_t pixel) {
    const size_t plane = (size_t)shape.w * (size_t)shape.h, channels = (size_t)shape.c;
#pragma omp parallel for collapse(2) \
    schedule(static) if (gdrq_tensor_size(shape) >= GDRQ_PARALLEL_FROM)
    for (size_t p = 0; p < plane; p += TURN)
        for (size_t c = 0; c < channels; c += TURN)
            quantise_part(grid, values + c * plane + p, plane, at_most(plane - p, TURN),
                          at_most(channels - c, TURN), pixel, codes + p * pixel + c);
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
