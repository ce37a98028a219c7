#include "primitives/connected_layer.h"

#include "primitives/activation.h"
#include "primitives/convolutional_parts.h"
#include "primitives/gemm.h"
#include "primitives/kernels.h"

/* sums[batch][outputs] = input[batch][inputs] * transposed weights[outputs][inputs] */
static void multiply(const layer *l, float *input, float *sums) {
    gdrq_gemm(0, 1, l->batch, l->outputs, l->inputs, 1, input, l->inputs, l->weights, l->inputs, 0,
              sums, l->outputs);
}

/* weight_updates += transposed delta[batch][outputs] * input */
static void add_weight_gradient(const layer *l, float *input) {
    gdrq_gemm(1, 0, l->outputs, l->inputs, l->batch, 1, l->delta, l->outputs, input, l->inputs, 1,
              l->weight_updates, l->inputs);
}

/* input_delta[batch][inputs] += delta * weights */
static void add_input_gradient(const layer *l, float *input_delta) {
    gdrq_gemm(0, 0, l->batch, l->inputs, l->outputs, 1, l->delta, l->outputs, l->weights, l->inputs,
              1, input_delta, l->inputs);
}

/* The layer as a convolution that makes one pixel of each filter. */
static layer as_convolution(const layer *l) {
    layer view = *l;
    view.n = l->outputs;
    return view;
}

GDRQ_KERNEL void add_block(const float *restrict x, size_t n, float *restrict sum) {
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i];
}

/* output = a(output + bias), image by image. */
static void bias_activate(const layer *l) {
    const size_t outputs = (size_t)l->outputs;
#pragma omp parallel for collapse(2) schedule(static) if (l->batch * outputs >= GDRQ_PARALLEL_FROM)
    for (int b = 0; b < l->batch; b++)
        for (size_t i = 0; i < outputs; i += GDRQ_BLOCK) {
            const size_t n = gdrq_block_length(i, outputs);
            float *const y = l->output + (size_t)b * outputs + i;
            add_block(l->biases + i, n, y);
            gdrq_activate_block(y, n, l->activation);
        }
}

/* bias_updates += the sum of delta over the batch, in its order; a few cache lines per thread. */
static void add_bias_gradient(const layer *l) {
    enum { PART = 128 };
    const size_t outputs = (size_t)l->outputs;
#pragma omp parallel for schedule(static) if (l->batch * outputs >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < outputs; i += PART) {
        const size_t n = outputs - i < PART ? outputs - i : PART;
        for (int b = 0; b < l->batch; b++)
            add_block(l->delta + (size_t)b * outputs + i, n, l->bias_updates + i);
    }
}

void gdrq_forward_connected_layer(layer l, network net) {
    multiply(&l, net.input, l.batch_normalize ? l.x : l.output);
    if (!l.batch_normalize) {
        bias_activate(&l);
        return;
    }
    const layer view = as_convolution(&l);
    gdrq_normalise_sums(&view, NULL, l.x, net.train, l.mean_delta, l.variance_delta);
}

void gdrq_backward_connected_layer(layer l, network net) {
    if (l.batch_normalize) {
        const layer view = as_convolution(&l);
        gdrq_backward_to_sums(&view, NULL, net.train);
    } else {
        gdrq_activation_gradient(l.output, (size_t)l.batch * (size_t)l.outputs, l.activation,
                                 l.delta);
        add_bias_gradient(&l);
    }
    add_weight_gradient(&l, net.input);
    if (net.delta)
        add_input_gradient(&l, net.delta);
}
