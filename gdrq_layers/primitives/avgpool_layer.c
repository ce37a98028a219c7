#include "primitives/avgpool_layer.h"

#include "primitives/kernels.h"

GDRQ_KERNEL double sum(const float *x, size_t n) {
    return gdrq_sum_in_lanes(x, n);
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
