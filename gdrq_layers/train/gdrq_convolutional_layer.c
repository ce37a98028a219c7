#include "train/gdrq_convolutional_layer.h"

#include "base/fatal.h"
#include "primitives/convolutional_parts.h"
#include "primitives/update.h"
#ifdef GPU
#include "train/cuda/gdrq_convolutional_layer_gpu.h"
#endif

gdrq_status make_gdrq_convolutional_layer(layer *l, int index, const gdrq_layer_options *options,
                                          gdrq_running_threshold *input, gdrq_training *training,
                                          gdrq_error *err) {
    const gdrq_status status = gdrq_quantised_make(l, index, options, input, training, err);
    if (status != GDRQ_OK)
        return status;
    /* Backward keeps the weights' gradient and then the dequantised weights there. */
    l->workspace_size = (size_t)l->nweights * sizeof(float);
    l->forward = forward_gdrq_convolutional_layer;
    l->backward = backward_gdrq_convolutional_layer;
    l->update = update_gdrq_convolutional_layer;
#ifdef GPU
    if (gpu_index >= 0)
        return make_gdrq_convolutional_layer_gpu(l, err);
#endif
    return GDRQ_OK;
}

void forward_gdrq_convolutional_layer(layer l, network net) {
    gdrq_quantised *q = gdrq_quantised_state(&l);
    gdrq_quantised_begin_forward(q, &l, &net);
    gdrq_error err;
    float *sums = gdrq_quantised_sums(&l);
    const gdrq_conv_shape shape = gdrq_layer_conv_shape(&l);
    gdrq_must(gdrq_conv_forward(&shape, q->input_codes, q->weight_codes, sums, &err), &err);
    gdrq_normalise_sums(&l, q->factor, sums, net.train, q->scale, q->bias);
}

/* dL/dw = dL/d(quantised w) = step_x * conv_backward_weights(x codes, dL/dz): straight through. */
static void add_weight_gradient(gdrq_quantised *q, const layer *l, float *workspace) {
    gdrq_error err;
    const gdrq_conv_shape shape = gdrq_layer_conv_shape(l);
    gdrq_must(gdrq_conv_backward_weights(&shape, q->input_codes, l->delta, workspace, &err), &err);
    gdrq_quantised_add_weight_gradient(q, l, workspace);
}

/*
 * dL/d(quantised x) with the weights as the forward used them: conv_backward_data(step_w * w codes,
 * dL/dz). The codes of x are done with and make room. Reads and writes the weights' array once more
 * than the float layer does.
 */
static void input_gradient(gdrq_quantised *q, const layer *l, float *workspace) {
    gdrq_error err;
    const gdrq_conv_shape shape = gdrq_layer_conv_shape(l);
    const int per_group = q->filters / q->options.quant_groups;
#pragma omp parallel for schedule(static)
    for (int f = 0; f < q->filters; ++f) {
        const float step = q->weight_steps[f / per_group];
        const size_t begin = (size_t)f * q->filter_size;
        for (size_t i = begin; i < begin + q->filter_size; ++i)
            workspace[i] = step * q->weight_codes[i];
    }
    gdrq_must(gdrq_conv_backward_data(&shape, workspace, l->delta, q->input_codes, &err), &err);
}

void backward_gdrq_convolutional_layer(layer l, network net) {
    gdrq_quantised *q = gdrq_quantised_state(&l);
    gdrq_backward_to_sums(&l, q->factor, net.train);
    add_weight_gradient(q, &l, net.workspace);
    if (!net.delta && !gdrq_quantised_learns_input(q))
        return;
    input_gradient(q, &l, net.workspace);
    gdrq_quantised_pass_gradient(q, &l, net.input, net.delta);
}

void update_gdrq_convolutional_layer(layer l, update_args a) {
    gdrq_update_convolutional_layer(l, a);
    gdrq_quantised_end_update(gdrq_quantised_state(&l), &l, &a);
}
