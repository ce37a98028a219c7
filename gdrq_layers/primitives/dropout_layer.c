#include "primitives/dropout_layer.h"

#include <stdlib.h>

#include "primitives/kernels.h"
#include "primitives/random_unit.h"

/* Numbers for the values at positions `first` and on. */
GDRQ_KERNEL void draw(uint32_t key, uint32_t first, size_t n, float *numbers) {
    for (size_t i = 0; i < n; i++)
        numbers[i] = gdrq_random_unit(key, first + (uint32_t)i);
}

GDRQ_KERNEL void drop(const float *restrict numbers, size_t n, float probability, float scale,
                      float *restrict x) {
    for (size_t i = 0; i < n; i++) {
        const float scaled = x[i] * scale;
        x[i] = numbers[i] < probability ? 0.f : scaled;
    }
}

void gdrq_forward_dropout_layer(layer l, network net) {
    if (!net.train)
        return;
    const size_t n = (size_t)l.batch * (size_t)l.inputs;
    const uint32_t key = (uint32_t)rand();
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK) {
        const size_t count = gdrq_block_length(i, n);
        draw(key, (uint32_t)i, count, l.rand + i);
        drop(l.rand + i, count, l.probability, l.scale, net.input + i);
    }
}

void gdrq_backward_dropout_layer(layer l, network net) {
    if (!net.delta)
        return;
    const size_t n = (size_t)l.batch * (size_t)l.inputs;
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK)
        drop(l.rand + i, gdrq_block_length(i, n), l.probability, l.scale, net.delta + i);
}
