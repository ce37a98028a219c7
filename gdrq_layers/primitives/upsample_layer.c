#include "primitives/upsample_layer.h"

#include <string.h>

#include "primitives/kernels.h"

/* large[j*stride + t] = scale * small[j] for t < stride */
static inline __attribute__((always_inline)) void
spread(const float *restrict small, size_t n, int stride, float scale, float *restrict large) {
    for (size_t j = 0; j < n; j++)
        for (int t = 0; t < stride; t++)
            large[j * (size_t)stride + (size_t)t] = scale * small[j];
}

/* The usual strides as constants, for the vectoriser. */
GDRQ_KERNEL void spread_row(const float *restrict small, size_t n, int stride, float scale,
                            float *restrict large) {
    if (stride == 1)
        spread(small, n, 1, scale, large);
    else if (stride == 2)
        spread(small, n, 2, scale, large);
    else
        spread(small, n, stride, scale, large);
}

/* large[j*stride] += scale * small[j] */
GDRQ_KERNEL void add_spread(const float *restrict small, size_t n, int stride, float scale,
                            float *restrict large) {
    for (size_t j = 0; j < n; j++)
        large[j * (size_t)stride] += scale * small[j];
}

/* small[j] += scale * large[j*stride] */
static inline __attribute__((always_inline)) void
gather(const float *restrict large, size_t n, int stride, float scale, float *restrict small) {
    for (size_t j = 0; j < n; j++)
        small[j] += scale * large[j * (size_t)stride];
}

GDRQ_KERNEL void add_gathered(const float *restrict large, size_t n, int stride, float scale,
                              float *restrict small) {
    if (stride == 1)
        gather(large, n, 1, scale, small);
    else if (stride == 2)
        gather(large, n, 2, scale, small);
    else
        gather(large, n, stride, scale, small);
}

/* The two sides of a layer: planes of w x h, and of stride*w x stride*h, values. */
typedef struct sides {
    int planes, w, h, stride;
    float scale;
} sides;

static sides sides_of(const layer *l) {
    return (sides){.planes = l->batch * l->c,
                   .w = l->reverse ? l->out_w : l->w,
                   .h = l->reverse ? l->out_h : l->h,
                   .stride = l->stride,
                   .scale = l->scale};
}

/* Where row y of a plane begins on the small side; rows of all planes follow each other. */
static size_t small_row(const sides *s, int plane, int y) {
    return ((size_t)plane * (size_t)s->h + (size_t)y) * (size_t)s->w;
}

/* Where the `stride` rows that belong to it begin on the large side. */
static size_t large_rows(const sides *s, int plane, int y) {
    return small_row(s, plane, y) * (size_t)s->stride * (size_t)s->stride;
}

static void spread_planes(const sides *s, const float *small, float *large) {
    const size_t row = (size_t)s->w * (size_t)s->stride;
#pragma omp parallel for schedule(static) if (large_rows(s, s->planes, 0) >= GDRQ_PARALLEL_FROM)
    for (int p = 0; p < s->planes; p++)
        for (int y = 0; y < s->h; y++) {
            float *first = large + large_rows(s, p, y);
            spread_row(small + small_row(s, p, y), (size_t)s->w, s->stride, s->scale, first);
            for (int t = 1; t < s->stride; t++)
                memcpy(first + (size_t)t * row, first, row * sizeof *first);
        }
}

static void add_spread_planes(const sides *s, const float *small, float *large) {
    const size_t row = (size_t)s->w * (size_t)s->stride;
#pragma omp parallel for schedule(static) if (large_rows(s, s->planes, 0) >= GDRQ_PARALLEL_FROM)
    for (int p = 0; p < s->planes; p++)
        for (int y = 0; y < s->h; y++)
            for (int t = 0; t < s->stride * s->stride; t++)
                add_spread(small + small_row(s, p, y), (size_t)s->w, s->stride, s->scale,
                           large + large_rows(s, p, y) + (size_t)(t / s->stride) * row +
                               t % s->stride);
}

/* Adds the values of a square row by row, as the host does. */
static void add_gathered_planes(const sides *s, const float *large, float *small) {
    const size_t row = (size_t)s->w * (size_t)s->stride;
#pragma omp parallel for schedule(static) if (large_rows(s, s->planes, 0) >= GDRQ_PARALLEL_FROM)
    for (int p = 0; p < s->planes; p++)
        for (int y = 0; y < s->h; y++)
            for (int t = 0; t < s->stride * s->stride; t++)
                add_gathered(large + large_rows(s, p, y) + (size_t)(t / s->stride) * row +
                                 t % s->stride,
                             (size_t)s->w, s->stride, s->scale, small + small_row(s, p, y));
}

void gdrq_forward_upsample_layer(layer l, network net) {
    const sides s = sides_of(&l);
    if (!l.reverse) {
        spread_planes(&s, net.input, l.output);
        return;
    }
    memset(l.output, 0, (size_t)l.batch * (size_t)l.outputs * sizeof *l.output);
    add_gathered_planes(&s, net.input, l.output);
}

void gdrq_backward_upsample_layer(layer l, network net) {
    if (!net.delta)
        return;
    const sides s = sides_of(&l);
    if (l.reverse)
        add_spread_planes(&s, l.delta, net.delta);
    else
        add_gathered_planes(&s, l.delta, net.delta);
}
