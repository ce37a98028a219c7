#include "primitives/reorg_layer.h"

#include <stdbool.h>

#include "primitives/blas.h"
#include "primitives/kernels.h"

/*
 * One channel as `rows` rows of n values that lie in one piece on the packed side; on the other,
 * row j begins `pitch` * j floats behind `spread`, with `step` floats from value to value.
 */
typedef struct channel {
    size_t packed, spread, rows, n, pitch, step;
} channel;

typedef enum movement { PACK, SPREAD, ADD_PACKED, ADD_SPREAD } movement;

static inline __attribute__((always_inline)) void
move_rows(const channel *c, size_t step, movement how, const float *restrict x, float *restrict y) {
    const bool packs = how == PACK || how == ADD_PACKED, adds = how >= ADD_PACKED;
    for (size_t j = 0; j < c->rows; j++) {
        const size_t packed = c->packed + j * c->n, spread = c->spread + j * c->pitch;
        const float *const from = x + (packs ? spread : packed);
        float *const to = y + (packs ? packed : spread);
        for (size_t i = 0; i < c->n; i++) {
            const float value = from[packs ? i * step : i];
            float *const target = to + (packs ? i : i * step);
            *target = adds ? *target + value : value;
        }
    }
}

/* Constants for the vectoriser. */
static inline __attribute__((always_inline)) void
move_steps(const channel *c, movement how, const float *restrict x, float *restrict y) {
    if (c->step == 2)
        move_rows(c, 2, how, x, y);
    else
        move_rows(c, c->step, how, x, y);
}

GDRQ_KERNEL void move_channel(const channel *c, movement how, const float *restrict x,
                              float *restrict y) {
    switch (how) {
    case PACK:
        move_steps(c, PACK, x, y);
        break;
    case SPREAD:
        move_steps(c, SPREAD, x, y);
        break;
    case ADD_PACKED:
        move_steps(c, ADD_PACKED, x, y);
        break;
    case ADD_SPREAD:
        move_steps(c, ADD_SPREAD, x, y);
        break;
    }
}

/* Channel k of l.w x l.h x l.c, and where the host spreads it in (s*w) x (s*h) x c/s^2. */
static channel reorganised_channel(const layer *l, int image, int k) {
    const int s = l->stride, channels = l->c / (s * s), offset = k / channels;
    const size_t w = (size_t)l->w, h = (size_t)l->h, first = (size_t)image * (size_t)l->inputs;
    const size_t row = (size_t)(k % channels) * h * (size_t)s + (size_t)(offset / s);
    return (channel){.packed = first + (size_t)k * h * w,
                     .spread = first + row * w * (size_t)s + (size_t)(offset % s),
                     .rows = h,
                     .n = w,
                     .pitch = w * (size_t)(s * s),
                     .step = (size_t)s};
}

/* Channel k as one row, its values spread over the channels of each position. */
static channel flattened_channel(const layer *l, int image, int k) {
    const size_t spatial = (size_t)l->w * (size_t)l->h;
    const size_t first = (size_t)image * (size_t)l->inputs;
    return (channel){.packed = first + (size_t)k * spatial,
                     .spread = first + (size_t)k,
                     .rows = 1,
                     .n = spatial,
                     .step = (size_t)l->c};
}

static void move(const layer *l, movement how, const float *x, float *y) {
    const size_t n = (size_t)l->batch * (size_t)l->inputs;
#pragma omp parallel for collapse(2) schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (int b = 0; b < l->batch; b++)
        for (int k = 0; k < l->c; k++) {
            const channel c =
                l->flatten ? flattened_channel(l, b, k) : reorganised_channel(l, b, k);
            move_channel(&c, how, x, y);
        }
}

/* Flattening spreads channels; reorganising, unless reversed, packs them. */
static bool forward_packs(const layer *l) {
    return l->flatten ? l->reverse : !l->reverse;
}

void gdrq_forward_reorg_layer(layer l, network net) {
    if (!l.extra || l.flatten) {
        move(&l, forward_packs(&l) ? PACK : SPREAD, net.input, l.output);
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
        move(&l, forward_packs(&l) ? ADD_SPREAD : ADD_PACKED, l.delta, net.delta);
        return;
    }
    for (int b = 0; b < l.batch; b++)
        gdrq_add_scaled(1, l.delta + (size_t)b * (size_t)l.outputs, (size_t)l.inputs,
                        net.delta + (size_t)b * (size_t)l.inputs);
}
