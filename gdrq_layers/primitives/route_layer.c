#include "primitives/route_layer.h"

#include "primitives/blas.h"

void gdrq_forward_route_layer(layer l, network net) {
    size_t offset = 0;
    for (int i = 0; i < l.n; i++) {
        float *const from = net.layers[l.input_layers[i]].output;
        const int size = l.input_sizes[i];
        for (int b = 0; b < l.batch; b++)
            gdrq_copy_cpu(size, from + (size_t)b * (size_t)size, 1,
                          l.output + (size_t)b * (size_t)l.outputs + offset, 1);
        offset += (size_t)size;
    }
}

void gdrq_backward_route_layer(layer l, network net) {
    size_t offset = 0;
    for (int i = 0; i < l.n; i++) {
        float *const delta = net.layers[l.input_layers[i]].delta;
        const size_t size = (size_t)l.input_sizes[i];
        for (int b = 0; delta && b < l.batch; b++)
            gdrq_add_scaled(1, l.delta + (size_t)b * (size_t)l.outputs + offset, size,
                            delta + (size_t)b * size);
        offset += size;
    }
}
