#include "train/cuda/float_layers_gpu.h"

#include "base/fatal.h"
#include "primitives/cuda/stock_gpu.h"
#include "primitives/replacements.h"
#include "train/cuda/convolution_gpu.h"
#include "train/cuda/quantised_gpu.h"

void gdrq_replace_float_layer_gpu(layer *l) {
    if (l->type == CONNECTED && gdrq_replaces(GDRQ_REPLACES_CONNECTED))
        l->backward_gpu = gdrq_backward_connected_layer_gpu;
    /* The host's backward, for depthwise ones the slow one, has smooth=. */
    const bool depthwise = gdrq_gpu_is_depthwise(l) && l->smooth == 0;
    if (l->type != CONVOLUTIONAL || (l->size != 1 && !depthwise) || l->binary || l->xnor ||
        !gdrq_replaces(GDRQ_REPLACES_CONVOLUTIONAL))
        return;
    l->workspace_size = gdrq_gpu_columns_bytes(l);
    l->forward_gpu = gdrq_forward_convolutional_layer_gpu;
    l->backward_gpu =
        l->size == 1 ? gdrq_backward_pointwise_layer_gpu : gdrq_backward_depthwise_layer_gpu;
}

void gdrq_forward_convolutional_layer_gpu(layer l, network net) {
    gdrq_gpu_convolve(&l, net.input_gpu, l.weights_gpu, net.workspace);
    if (l.batch_normalize)
        forward_batchnorm_layer_gpu(l, net);
    else
        add_bias_gpu(l.output_gpu, l.biases_gpu, l.batch, l.n, l.out_w * l.out_h);
    activate_array_gpu(l.output_gpu, l.outputs * l.batch, l.activation);
}

/* l->delta_gpu from dL/d(output) to dL/d(sums), by the host's functions. */
static void backward_to_sums(const layer *l, const network *net) {
    gradient_array_gpu(l->output_gpu, l->outputs * l->batch, l->activation, l->delta_gpu);
    if (l->batch_normalize)
        backward_batchnorm_layer_gpu(*l, *net);
    else
        backward_bias_gpu(l->bias_updates_gpu, l->delta_gpu, l->batch, l->out_c,
                          l->out_w * l->out_h);
}

static void add_weight_gradient(const layer *l, const network *net, int image) {
    const float *x =
        gdrq_gpu_columns(l, net->input_gpu + (size_t)image * (size_t)l->inputs, net->workspace);
    for (int g = 0; g < l->groups; ++g) {
        const gdrq_group_product p = gdrq_gpu_product_of(l, image, g);
        gdrq_gpu_multiply(false, true, p.filters, p.weights, p.positions,
                          l->delta_gpu + p.output_offset, x + p.column_offset, 1,
                          l->weight_updates_gpu + p.weight_offset);
    }
}

/* The host's col2im adds. */
static void add_input_gradient(const layer *l, const network *net, int image) {
    float *delta = net->delta_gpu + (size_t)image * (size_t)l->inputs;
    if (gdrq_gpu_is_direct(l)) {
        gdrq_gpu_columns_gradient(l, image, l->weights_gpu, 1, delta);
        return;
    }
    gdrq_gpu_columns_gradient(l, image, l->weights_gpu, 0, net->workspace);
    col2im_gpu(net->workspace, l->c, l->h, l->w, l->size, l->stride, l->pad, delta);
}

void gdrq_backward_pointwise_layer_gpu(layer l, network net) {
    backward_to_sums(&l, &net);
    for (int b = 0; b < l.batch; ++b) {
        add_weight_gradient(&l, &net, b);
        if (net.delta_gpu)
            add_input_gradient(&l, &net, b);
    }
}

void gdrq_backward_depthwise_layer_gpu(layer l, network net) {
    const gdrq_cuda_columns_shape shape = gdrq_gpu_columns_shape(&l);
    gdrq_error err;
    backward_to_sums(&l, &net);
    gdrq_must(gdrq_cuda_depthwise_weight_gradient(&shape, l.batch, l.delta_gpu, net.input_gpu, NULL,
                                                  true, l.weight_updates_gpu, &err),
              &err);
    if (net.delta_gpu)
        gdrq_must(gdrq_cuda_depthwise_input_gradient(&shape, l.batch, l.delta_gpu, l.weights_gpu,
                                                     true, net.delta_gpu, &err),
                  &err);
}

void gdrq_backward_connected_layer_gpu(layer l, network net) {
    backward_to_sums(&l, &net);
    gdrq_gpu_multiply(true, false, l.outputs, l.inputs, l.batch, l.delta_gpu, net.input_gpu, 1,
                      l.weight_updates_gpu);
    if (net.delta_gpu)
        gdrq_gpu_multiply(false, false, l.batch, l.inputs, l.outputs, l.delta_gpu, l.weights_gpu, 1,
                          net.delta_gpu);
}
