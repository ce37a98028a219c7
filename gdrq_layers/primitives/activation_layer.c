#include "primitives/activation_layer.h"

#include <string.h>

#include "primitives/kernels.h"

void gdrq_forward_activation_layer(layer l, network net) {
    const size_t n = (size_t)l.batch * (size_t)l.outputs;
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK) {
        const size_t count = gdrq_block_length(i, n);
        memcpy(l.output + i, net.input + i, count * sizeof *l.output);
        gdrq_activate_block(l.output + i, count, l.activation);
    }
}

void gdrq_backward_activation_layer(layer l, network net) {
    const size_t n = (size_t)l.batch * (size_t)l.outputs;
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK) {
        const size_t count = gdrq_block_length(i, n);
        gdrq_activation_gradient_block(l.output + i, count, l.activation, l.delta + i);
        if (net.delta)
            gdrq_add_scaled_block(1, l.delta + i, count, net.delta + i);
    }
}
