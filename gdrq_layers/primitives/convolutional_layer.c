#include "primitives/convolutional_layer.h"

#include "base/fatal.h"
#include "primitives/convolutional_parts.h"
#include "primitives/kernels.h"
#include "primitives/scratch.h"

static float *must_scratch(size_t floats) {
    gdrq_error err;
    float *scratch = gdrq_scratch(floats, &err);
    if (!scratch)
        gdrq_fatal(&err);
    return scratch;
}

void gdrq_forward_convolutional_layer(layer l, network net) {
    gdrq_error err;
    const gdrq_conv_shape shape = gdrq_layer_conv_shape(&l);
    float *sums = l.batch_normalize ? l.x : l.output;
    gdrq_must(gdrq_conv_forward(&shape, net.input, l.weights, sums, &err), &err);
    float *scale = must_scratch(2 * (size_t)l.n);
    gdrq_normalise_sums(&l, NULL, sums, net.train, scale, scale + l.n);
}

GDRQ_KERNEL void add_block(const float *restrict x, size_t n, float *restrict sum) {
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i];
}

static void add(const float *x, size_t n, float *sum) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK)
        add_block(x + i, gdrq_block_length(i, n), sum + i);
}

void gdrq_backward_convolutional_layer(layer l, network net) {
    gdrq_error err;
    const gdrq_conv_shape shape = gdrq_layer_conv_shape(&l);
    const size_t weights = (size_t)l.nweights, inputs = (size_t)l.batch * (size_t)l.inputs;
    gdrq_backward_to_sums(&l, NULL, net.train);

    float *gradient = must_scratch(net.delta && inputs > weights ? inputs : weights);
    gdrq_must(gdrq_conv_backward_weights(&shape, net.input, l.delta, gradient, &err), &err);
    add(gradient, weights, l.weight_updates);
    if (!net.delta)
        return;
    gdrq_must(gdrq_conv_backward_data(&shape, l.weights, l.delta, gradient, &err), &err);
    add(gradient, inputs, net.delta);
}

void gdrq_backward_unrolled_convolutional_layer(layer l, network net) {
    const bool renew = l.batch_normalize && net.train;
    gdrq_backward_convolutional_layer(renew ? gdrq_with_own_statistics(&l) : l, net);
}
