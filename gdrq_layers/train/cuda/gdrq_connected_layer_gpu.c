#include "train/cuda/gdrq_connected_layer_gpu.h"

#include "base/fatal.h"
#include "primitives/cuda/stock_gpu.h"
#include "train/cuda/layer_kernels.h"
#include "train/cuda/quantised_gpu.h"

gdrq_status make_gdrq_connected_layer_gpu(layer *l, gdrq_error *err) {
    const gdrq_status status = gdrq_quantised_gpu_make(gdrq_quantised_state(l), l, err);
    if (status != GDRQ_OK)
        return status;
    l->workspace_size = 0;
    l->forward_gpu = forward_gdrq_connected_layer_gpu;
    l->backward_gpu = backward_gdrq_connected_layer_gpu;
    l->update_gpu = update_gdrq_connected_layer_gpu;
    return GDRQ_OK;
}

/* sums[batch][outputs] = x codes[batch][inputs] * transposed w codes[outputs][inputs] */
void forward_gdrq_connected_layer_gpu(layer l, network net) {
    gdrq_quantised *q = gdrq_quantised_state(&l);
    gdrq_quantised_gpu_begin_forward(q, &l, &net, false);
    gdrq_gpu_multiply(false, true, l.batch, l.outputs, l.inputs, q->gpu->input_codes,
                      q->gpu->weight_codes, 0, l.output_gpu);
    gdrq_quantised_gpu_end_forward(q, &l, &net);
}

/* dL/d(quantised x) = step_w * dL/dz * w codes; the codes of x are done with and make room. */
static void pass_gradient(const gdrq_quantised *q, const layer *l, const network *net) {
    const size_t n = (size_t)l->batch * (size_t)l->inputs;
    gdrq_error err;
    gdrq_must(gdrq_cuda_scale_filters(q->gpu->weight_steps, q->options.quant_groups, q->filters,
                                      l->batch, l->delta_gpu, &err),
              &err);
    gdrq_gpu_multiply(false, false, l->batch, l->inputs, l->outputs, l->delta_gpu,
                      q->gpu->weight_codes, 0, q->gpu->input_codes);
    const gdrq_cuda_gradient g = {.x = net->input_gpu,
                                  .dx = q->gpu->input_codes,
                                  .n = n,
                                  .round = !gdrq_quantised_reshapes(q),
                                  .learns = gdrq_quantised_learns_input(q),
                                  .first = true,
                                  .delta = net->delta_gpu};
    gdrq_must(gdrq_cuda_pass_gradient(&q->gpu->input, &g, &err), &err);
    gdrq_quantised_gpu_end_input_gradient(q, l, n);
}

void backward_gdrq_connected_layer_gpu(layer l, network net) {
    gdrq_quantised *q = gdrq_quantised_state(&l);
    gdrq_quantised_gpu_backward_to_sums(q, &l);
    gdrq_quantised_gpu_multiply_weight_gradient(q, &l, true, false, l.outputs, l.inputs, l.batch,
                                                l.delta_gpu, q->gpu->input_codes, 0, true);
    gdrq_quantised_gpu_end_weight_gradient(q, &l);
    if (net.delta_gpu || gdrq_quantised_learns_input(q))
        pass_gradient(q, &l, &net);
}

void update_gdrq_connected_layer_gpu(layer l, update_args a) {
    update_connected_layer_gpu(l, a);
    gdrq_quantised_gpu_end_update(gdrq_quantised_state(&l), &l, &a);
}
