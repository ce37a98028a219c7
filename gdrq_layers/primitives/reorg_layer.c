#include "primitives/reorg_layer.h"

#include <stdbool.h>
#include <string.h>

#include "primitives/blas.h"
#include "primitives/kernels.h"

GDRQ_KERNEL void copy_strided(const float *restrict x, size_t x_step, size_t n, float *restrict y,
                              size_t y_step) {
    for (size_t i = 0; i < n; i++)
        y[i * y_step] = x[i * x_step];
}

GDRQ_KERNEL void add_strided(const float *restrict x, size_t x_step, size_t n, float *restrict y,
                             size_t y_step) {
    for (size_t i = 0; i < n; i++)
        y[i * y_step] += x[i * x_step];
}

typedef void move_row(const float *restrict x, size_t x_step, size_t n, float *restrict y,
                      size_t y_step);

/*
 * A layer's values as rows of n: row r lies at `packed`, in one piece, on one side, and at `spread`
 * with `step` floats between its values on the other.
 */
typedef struct row {
    size_t packed, spread, step, n;
} row;

/* Row j of channel k of l.w x l.h x l.c, and where the host spreads it in (s*w) x (s*h) x c/s^2. */
static row reorganised_row(const layer *l, int image, int k, int j) {
    const int s = l->stride, channels = l->c / (s * s);
    const int offset = k / channels, channel = k % channels;
    const size_t w = (size_t)l->w, first = (size_t)image * (size_t)l->inputs;
    const size_t large_row = (size_t)channel * (size_t)(l->h * s) + (size_t)(j * s + offset / s);
    return (row){.packed = first + ((size_t)k * (size_t)l->h + (size_t)j) * w,
                 .spread = first + large_row * w * (size_t)s + (size_t)(offset % s),
                 .step = (size_t)s,
                 .n = w};
}

/* Channel k as one row, its values spread over the channels of each position. */
static row flattened_row(const layer *l, int image, int k) {
    const size_t spatial = (size_t)l->w * (size_t)l->h;
    const size_t first = (size_t)image * (size_t)l->inputs;
    return (row){.packed = first + (size_t)k * spatial,
                 .spread = first + (size_t)k,
                 .step = (size_t)l->c,
                 .n = spatial};
}

/* Moves all values from x to y; `packs`: from the spread side to the packed one. */
static void move(const layer *l, move_row *move_one, bool packs, const float *x, float *y) {
    const int rows = l->flatten ? 1 : l->h;
#pragma omp parallel for collapse(2) schedule(static)
    for (int b = 0; b < l->batch; b++)
        for (int k = 0; k < l->c; k++)
            for (int j = 0; j < rows; j++) {
                const row r = l->flatten ? flattened_row(l, b, k) : reorganised_row(l, b, k, j);
                if (packs)
                    move_one(x + r.spread, r.step, r.n, y + r.packed, 1);
                else
                    move_one(x + r.packed, 1, r.n, y + r.spread, r.step);
            }
}

/* Flattening spreads channels; reorganising, unless reversed, packs them. */
static bool forward_packs(const layer *l) {
    return l->flatten ? l->reverse : !l->reverse;
}

void gdrq_forward_reorg_layer(layer l, network net) {
    if (!l.extra || l.flatten) {
        move(&l, copy_strided, forward_packs(&l), net.input, l.output);
        return;
    }
    for (int b = 0; b < l.batch; b++)
        gdrq_copy_cpu(l.inputs, net.input + (size_t)b * (size_t)l.inputs, 1,
                      l.output + (size_t)b * (size_t)l.outputs, 1);
}

void gdrq_backward_reorg_layer(layer l, network net) {
    if (!net.delta)
        return;
    if (!l.extra || l.flatten) {
        move(&l, add_strided, !forward_packs(&l), l.delta, net.delta);
        return;
    }
    for (int b = 0; b < l.batch; b++)
        gdrq_add_scaled(1, l.delta + (size_t)b * (size_t)l.outputs, (size_t)l.inputs,
                        net.delta + (size_t)b * (size_t)l.inputs);
}
