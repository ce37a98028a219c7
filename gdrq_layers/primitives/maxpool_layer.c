#include "primitives/maxpool_layer.h"

#include "primitives/kernels.h"

#include <float.h>
#include <stdbool.h>

/*
 * One position within the windows, for n neighbouring windows of a row: x[j*stride] competes with
 * max[j]; `at` is the position of x[0] in the input.
 */
static inline __attribute__((always_inline)) void compete(const float *restrict x, int n,
                                                          int stride, int at, float *restrict max,
                                                          int *restrict winner) {
    for (int j = 0; j < n; j++) {
        const float value = x[j * stride];
        const bool greater = value > max[j];
        winner[j] = greater ? at + j * stride : winner[j];
        max[j] = greater ? value : max[j];
    }
}

/* The usual strides as constants, for the vectoriser. */
GDRQ_KERNEL void compete_row(const float *restrict x, int n, int stride, int at,
                             float *restrict max, int *restrict winner) {
    if (stride == 1)
        compete(x, n, 1, at, max, winner);
    else if (stride == 2)
        compete(x, n, 2, at, max, winner);
    else
        compete(x, n, stride, at, max, winner);
}

static int ceil_div(int a, int b) {
    return a <= 0 ? 0 : (a + b - 1) / b;
}

/* Output row i of a plane whose values begin at `plane` in net.input. */
static void pool_row(const layer *l, const float *input, int plane, int i, float *max,
                     int *winner) {
    const int offset = -(l->pad / 2);
    for (int j = 0; j < l->out_w; j++) {
        max[j] = -FLT_MAX;
        winner[j] = -1;
    }
    for (int n = 0; n < l->size; n++) {
        const int row = offset + i * l->stride + n;
        if (row < 0 || row >= l->h)
            continue;
        for (int m = 0; m < l->size; m++) {
            /* Windows first..end-1 have this position inside of the image. */
            const int first = ceil_div(-offset - m, l->stride);
            const int inside = ceil_div(l->w - offset - m, l->stride);
            const int end = inside < l->out_w ? inside : l->out_w;
            const int at = plane + row * l->w + offset + first * l->stride + m;
            if (first < end)
                compete_row(input + at, end - first, l->stride, at, max + first, winner + first);
        }
    }
}

void gdrq_forward_maxpool_layer(layer l, network net) {
    const int planes = l.batch * l.c;
#pragma omp parallel for schedule(static)
    for (int p = 0; p < planes; p++)
        for (int i = 0; i < l.out_h; i++) {
            const size_t out = ((size_t)p * (size_t)l.out_h + (size_t)i) * (size_t)l.out_w;
            pool_row(&l, net.input, p * l.h * l.w, i, l.output + out, l.indexes + out);
        }
}

void gdrq_backward_maxpool_layer(layer l, network net) {
    if (!net.delta)
        return;
    const int planes = l.batch * l.c;
    const size_t spatial = (size_t)l.out_h * (size_t)l.out_w;
    /* A plane's winners lie in the same plane of the input, so planes are independent. */
#pragma omp parallel for schedule(static)
    for (int p = 0; p < planes; p++)
        for (size_t i = (size_t)p * spatial; i < ((size_t)p + 1) * spatial; i++)
            if (l.indexes[i] >= 0)
                net.delta[l.indexes[i]] += l.delta[i];
}
