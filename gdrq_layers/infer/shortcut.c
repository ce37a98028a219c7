#include "infer/ops.h"

#include <string.h>

#include "base/kernels.h"

/* As primitives/activation.c has them. */
GDRQ_KERNEL void relu(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] *= x[i] > 0 ? 1.f : 0.f;
}

GDRQ_KERNEL void leaky(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : .1f * x[i];
}

void gdrq_int_activate(const gdrq_int_activation *a, float *x, size_t n) {
    if (a->kind == GDRQ_INT_RELU)
        relu(x, n);
    else if (a->kind == GDRQ_INT_LEAKY)
        leaky(x, n);
    else if (a->kind == GDRQ_INT_OTHER)
        a->function(x, n, a->which);
}

GDRQ_KERNEL void mix(float a, float b, const float *restrict other, size_t n, float *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = a * y[i] + b * other[i];
}

bool gdrq_int_shortcut_fits(gdrq_tensor_shape from, gdrq_tensor_shape to) {
    return from.w >= to.w && (from.w / to.w) * (to.h - 1) < from.h;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Of n channels of one pixel, from `channel` on. */
static void add_pixel(const gdrq_int_shortcut *s, size_t pixel, size_t channel, size_t n,
                      float *y) {
    const size_t w = (size_t)s->to.w, channels = (size_t)s->from.c, step = (size_t)s->from.w / w;
    const size_t from = pixel / w * step * (size_t)s->from.w + pixel % w * step;
    if (channel < channels)
        mix(s->a, s->b, s->other + from * channels + channel, smaller(n, channels - channel), y);
}

void gdrq_int_add_shortcut(const gdrq_int_shortcut *shortcut, size_t index, size_t n, float *y) {
    const size_t channels = (size_t)shortcut->to.c;
    if (gdrq_same_shape(shortcut->from, shortcut->to))
        mix(shortcut->a, shortcut->b, shortcut->other + index, n, y);
    else
        for (size_t i = 0, count; i < n; i += count) {
            const size_t channel = (index + i) % channels;
            count = smaller(n - i, channels - channel);
            add_pixel(shortcut, (index + i) / channels, channel, count, y + i);
        }
    gdrq_int_activate(&shortcut->activation, y, n);
}

/* Values that are at hand together. */
enum { PART = 1024 };

/* Pixel by pixel where others' channels lie between them. */
static void put_codes(const gdrq_int_output *out, const gdrq_grid *grid, size_t channels,
                      size_t index, size_t n, const float *y) {
    if (out->pixel == 0 || out->pixel == channels) {
        gdrq_int_encode(grid, y, n, out->codes + index);
        return;
    }
    for (size_t i = 0, count; i < n; i += count) {
        const size_t channel = (index + i) % channels;
        count = smaller(n - i, channels - channel);
        gdrq_int_encode(grid, y + i, count,
                        out->codes + (index + i) / channels * out->pixel + channel);
    }
}

/* n values from `index` on, in NHWC; to planes one by one. */
static void put(const gdrq_int_output *out, const gdrq_grid *grid, gdrq_tensor_shape shape,
                size_t index, size_t n, const float *y) {
    const size_t channels = (size_t)shape.c, plane = (size_t)shape.w * (size_t)shape.h;
    if (out->interleaved)
        memcpy(out->interleaved + index, y, n * sizeof *y);
    if (out->codes)
        put_codes(out, grid, channels, index, n, y);
    for (size_t i = 0; out->values && i < n; i++)
        out->values[(index + i) % channels * plane + (index + i) / channels] = y[i];
}

void gdrq_int_shortcut_run(const gdrq_int_shortcut *shortcut, const float *in,
                           const gdrq_grid *grid, const gdrq_int_output *out) {
    const size_t n = gdrq_tensor_size(shortcut->to);
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t first = 0; first < n; first += PART) {
        float y[PART];
        const size_t count = smaller(n - first, PART);
        memcpy(y, in + first, count * sizeof *y);
        gdrq_int_add_shortcut(shortcut, first, count, y);
        put(out, grid, shortcut->to, first, count, y);
    }
}
