#include "primitives/avgpool_layer.h"

#include "primitives/kernels.h"

enum { LANES = 16 };

/* In LANES interleaved sums, so that any vector width gives the same result. */
GDRQ_KERNEL double sum(const float *x, size_t n) {
    double lanes[LANES] = {0}, total = 0;
    const size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++)
            lanes[j] += x[i + j];
    for (size_t i = whole; i < n; i++)
        lanes[i - whole] += x[i];
    for (int j = 0; j < LANES; j++)
        total += lanes[j];
    return total;
}

GDRQ_KERNEL void add_constant(float a, size_t n, float *y) {
    for (size_t i = 0; i < n; i++)
        y[i] += a;
}

void gdrq_forward_avgpool_layer(layer l, network net) {
    const int planes = l.batch * l.c;
    const size_t spatial = (size_t)l.h * (size_t)l.w;
#pragma omp parallel for schedule(static) if ((size_t)planes * spatial >= GDRQ_PARALLEL_FROM)
    for (int p = 0; p < planes; p++)
        l.output[p] = (float)(sum(net.input + (size_t)p * spatial, spatial) / (double)spatial);
}

void gdrq_backward_avgpool_layer(layer l, network net) {
    if (!net.delta)
        return;
    const int planes = l.batch * l.c;
    const size_t spatial = (size_t)l.h * (size_t)l.w;
#pragma omp parallel for schedule(static) if ((size_t)planes * spatial >= GDRQ_PARALLEL_FROM)
    for (int p = 0; p < planes; p++)
        add_constant(l.delta[p] / (float)spatial, spatial, net.delta + (size_t)p * spatial);
}
