#include "train/gdrq_connected_layer.h"

#include "primitives/convolutional_parts.h"
#include "primitives/gemm.h"
#include "primitives/update.h"
#ifdef GPU
#include "train/cuda/gdrq_connected_layer_gpu.h"
#endif

gdrq_status make_gdrq_connected_layer(layer *l, int index, const gdrq_layer_options *options,
                                      gdrq_running_threshold *input, gdrq_training *training,
                                      gdrq_error *err) {
    const gdrq_status status = gdrq_quantised_make(l, index, options, input, training, err);
    if (status != GDRQ_OK)
        return status;
    /* What layers share around the product counts filters by n, which the host leaves 0 here. */
    l->n = l->outputs;
    if (gdrq_quantised_wants_weight_gradient(gdrq_quantised_state(l)))
        l->workspace_size = (size_t)l->inputs * (size_t)l->outputs * sizeof(float);
    l->forward = forward_gdrq_connected_layer;
    l->backward = backward_gdrq_connected_layer;
    l->update = update_gdrq_connected_layer;
#ifdef GPU
    if (gpu_index >= 0)
        return make_gdrq_connected_layer_gpu(l, err);
#endif
    return GDRQ_OK;
}

/* sums[batch][outputs] = x codes[batch][inputs] * transposed w codes[outputs][inputs] */
void forward_gdrq_connected_layer(layer l, network net) {
    gdrq_quantised *q = gdrq_quantised_state(&l);
    gdrq_quantised_begin_forward(q, &l, &net);
    float *sums = gdrq_quantised_sums(&l);
    gdrq_gemm(0, 1, l.batch, l.outputs, l.inputs, 1, q->input_codes, l.inputs, q->weight_codes,
              l.inputs, 0, sums, l.outputs);
    gdrq_normalise_sums(&l, q->factor, sums, net.train, q->scale, q->bias);
}

/* dL/dw = dL/d(quantised w) = step_x * transposed dL/dz[batch][outputs] * x codes: straight
   through. */
static void add_weight_gradient(gdrq_quantised *q, const layer *l, float *workspace) {
    const bool apart = gdrq_quantised_wants_weight_gradient(q);
    gdrq_gemm(1, 0, l->outputs, l->inputs, l->batch, apart ? 1 : q->grid.step, l->delta, l->outputs,
              q->input_codes, l->inputs, apart ? 0 : 1, apart ? workspace : l->weight_updates,
              l->inputs);
    if (apart)
        gdrq_quantised_add_weight_gradient(q, l, workspace);
}

/* dL/dz times the step of each output's weights: far fewer values than there are weights. */
static void scale_by_weight_steps(const gdrq_quantised *q, const layer *l) {
    const int per_group = l->outputs / q->options.quant_groups;
    for (int b = 0; b < l->batch; ++b)
        for (int i = 0; i < l->outputs; ++i)
            l->delta[(size_t)b * (size_t)l->outputs + (size_t)i] *= q->weight_steps[i / per_group];
}

/*
 * dL/d(quantised x) = step_w * dL/dz * w codes, with the weights as the forward used them. The
 * codes of x are done with and make room.
 */
static void input_gradient(gdrq_quantised *q, const layer *l) {
    scale_by_weight_steps(q, l);
    gdrq_gemm(0, 0, l->batch, l->inputs, l->outputs, 1, l->delta, l->outputs, q->weight_codes,
              l->inputs, 0, q->input_codes, l->inputs);
}

void backward_gdrq_connected_layer(layer l, network net) {
    gdrq_quantised *q = gdrq_quantised_state(&l);
    gdrq_backward_to_sums(&l, q->factor, net.train);
    add_weight_gradient(q, &l, net.workspace);
    if (!net.delta && !gdrq_quantised_learns_input(q))
        return;
    input_gradient(q, &l);
    gdrq_quantised_pass_gradient(q, &l, net.input, net.delta);
}

void update_gdrq_connected_layer(layer l, update_args a) {
    gdrq_update_connected_layer(l, a);
    gdrq_quantised_end_update(gdrq_quantised_state(&l), &l, &a);
}
