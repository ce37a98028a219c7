#include "primitives/convolutional_layer.h"

#include "base/fatal.h"
#include "primitives/batchnorm.h"
#include "primitives/convolution.h"
#include "primitives/kernels.h"
#include "primitives/scratch.h"

static gdrq_conv_shape conv_shape(const layer *l) {
    return (gdrq_conv_shape){.batch = l->batch,
                             .c = l->c,
                             .h = l->h,
                             .w = l->w,
                             .n = l->n,
                             .groups = l->groups,
                             .size = l->size,
                             .stride = l->stride,
                             .pad = l->pad};
}

static gdrq_bn_shape output_shape(const layer *l) {
    return (gdrq_bn_shape){.batch = l->batch, .channels = l->n, .spatial = l->out_h * l->out_w};
}

static void must(gdrq_status status, const gdrq_error *err) {
    if (status != GDRQ_OK)
        gdrq_fatal(err);
}

static float *must_scratch(size_t floats) {
    gdrq_error err;
    float *scratch = gdrq_scratch(floats, &err);
    if (!scratch)
        gdrq_fatal(&err);
    return scratch;
}

/* This batch's statistics; the rolling ones move by 1 %, rounded as the host rounds. */
static void update_statistics(const layer *l) {
    const gdrq_bn_shape shape = output_shape(l);
    gdrq_batchnorm_statistics(&shape, l->x, NULL, l->mean, l->variance);
    for (int i = 0; i < l->n; i++) {
        l->rolling_mean[i] = .99f * l->rolling_mean[i] + .01f * l->mean[i];
        l->rolling_variance[i] = .99f * l->rolling_variance[i] + .01f * l->variance[i];
    }
}

/* l.output from l.x */
static void normalise(const layer *l, bool train) {
    if (train)
        update_statistics(l);
    const gdrq_bn_shape shape = output_shape(l);
    float *scale = must_scratch(2 * (size_t)l->n), *bias = scale + l->n;
    gdrq_batchnorm_fold(l->n, NULL, l->scales, l->biases, train ? l->mean : l->rolling_mean,
                        train ? l->variance : l->rolling_variance, scale, bias);
    gdrq_scale_bias_activate(&shape, l->x, scale, bias, l->activation, l->output);
}

void gdrq_forward_convolutional_layer(layer l, network net) {
    gdrq_error err;
    const gdrq_conv_shape conv = conv_shape(&l);
    float *sums = l.batch_normalize ? l.x : l.output;
    must(gdrq_conv_forward(&conv, net.input, l.weights, sums, &err), &err);
    if (l.batch_normalize) {
        normalise(&l, net.train);
    } else {
        const gdrq_bn_shape shape = output_shape(&l);
        gdrq_scale_bias_activate(&shape, l.output, NULL, l.biases, l.activation, l.output);
    }
}

/* l.delta from dL/d(output) to dL/d(convolution's output), with the gradients of scale and bias. */
static void backward_to_sums(const layer *l, bool train) {
    const gdrq_bn_shape shape = output_shape(l);
    if (!l->batch_normalize)
        gdrq_bias_backward(&shape, l->output, l->activation, l->delta, l->bias_updates);
    else if (train)
        gdrq_batchnorm_backward(&shape, l->x, NULL, l->mean, l->variance, l->scales, l->output,
                                l->activation, l->delta, l->scale_updates, l->bias_updates);
    else
        gdrq_batchnorm_backward_frozen(&shape, l->x, NULL, l->rolling_mean, l->rolling_variance,
                                       l->scales, l->output, l->activation, l->delta,
                                       l->scale_updates, l->bias_updates);
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
    const gdrq_conv_shape shape = conv_shape(&l);
    const size_t weights = (size_t)l.nweights, inputs = (size_t)l.batch * (size_t)l.inputs;
    backward_to_sums(&l, net.train);

    float *gradient = must_scratch(net.delta && inputs > weights ? inputs : weights);
    must(gdrq_conv_backward_weights(&shape, net.input, l.delta, gradient, &err), &err);
    add(gradient, weights, l.weight_updates);
    if (!net.delta)
        return;
    must(gdrq_conv_backward_data(&shape, l.weights, l.delta, gradient, &err), &err);
    add(gradient, inputs, net.delta);
}
