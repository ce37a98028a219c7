#include "train/cuda/gdrq_convolutional_layer_gpu.h"

#include "base/fatal.h"
#include "train/cuda/convolution_gpu.h"
#include "primitives/cuda/stock_gpu.h"
#include "train/cuda/quantised_gpu.h"

gdrq_status make_gdrq_convolutional_layer_gpu(layer *l, gdrq_error *err) {
    const gdrq_status status = gdrq_quantised_gpu_make(gdrq_quantised_state(l), l, err);
    if (status != GDRQ_OK)
        return status;
    l->workspace_size = gdrq_convolutional_workspace_gpu(l);
    l->forward_gpu = forward_gdrq_convolutional_layer_gpu;
    l->backward_gpu = backward_gdrq_convolutional_layer_gpu;
    l->update_gpu = update_gdrq_convolutional_layer_gpu;
    return GDRQ_OK;
}

size_t gdrq_convolutional_workspace_gpu(const layer *l) {
    return gdrq_gpu_columns_bytes(l);
}

void forward_gdrq_convolutional_layer_gpu(layer l, network net) {
    gdrq_quantised *q = gdrq_quantised_state(&l);
    gdrq_quantised_gpu_begin_forward(q, &l, &net, net.train);
    gdrq_gpu_convolve(&l, q->gpu->input_codes, q->gpu->weight_codes, net.workspace);
    gdrq_quantised_gpu_end_forward(q, &l, &net);
}

/* dL/dw = step_x * dL/dz * transposed columns of the codes: straight through. */
static void multiply_weight_gradient(const gdrq_quantised *q, const layer *l, float *workspace) {
    for (int b = 0; b < l->batch; ++b) {
        const float *x =
            gdrq_gpu_columns(l, q->gpu->input_codes + (size_t)b * (size_t)l->inputs, workspace);
        for (int g = 0; g < l->groups; ++g) {
            const gdrq_group_product p = gdrq_gpu_product_of(l, b, g);
            gdrq_quantised_gpu_multiply_weight_gradient(
                q, l, false, true, p.filters, p.weights, p.positions,
                l->delta_gpu + p.output_offset, x + p.column_offset, p.weight_offset, b == 0);
        }
    }
}

static void add_weight_gradient(const gdrq_quantised *q, const layer *l, float *workspace) {
    const gdrq_cuda_columns_shape shape = gdrq_gpu_columns_shape(l);
    if (gdrq_gpu_is_depthwise(l))
        gdrq_quantised_gpu_add_depthwise_gradient(q, l, &shape);
    else
        multiply_weight_gradient(q, l, workspace);
    gdrq_quantised_gpu_end_weight_gradient(q, l);
}

static void pass_image(const gdrq_quantised *q, const layer *l, const network *net, int image) {
    const gdrq_cuda_columns_shape shape = gdrq_gpu_columns_shape(l);
    const size_t n = (size_t)l->inputs, begin = (size_t)image * n;
    const bool direct = gdrq_gpu_is_direct(l);
    float *dx = direct ? q->gpu->input_codes + begin : net->workspace;
    gdrq_gpu_columns_gradient(l, image, q->gpu->used_weights, 0, dx);
    gdrq_error err;
    const gdrq_cuda_gradient g = {.x = net->input_gpu + begin,
                                  .dx = dx,
                                  .n = n,
                                  .columns = direct ? NULL : &shape,
                                  .round = !gdrq_quantised_reshapes(q),
                                  .learns = gdrq_quantised_learns_input(q),
                                  .first = image == 0,
                                  .delta = net->delta_gpu ? net->delta_gpu + begin : NULL};
    gdrq_must(gdrq_cuda_pass_gradient(&q->gpu->input, &g, &err), &err);
}

/* The whole batch; the codes of x are done with and make room. */
static void pass_depthwise(const gdrq_quantised *q, const layer *l, const network *net) {
    const gdrq_cuda_columns_shape shape = gdrq_gpu_columns_shape(l);
    const gdrq_cuda_gradient g = {.x = net->input_gpu,
                                  .dx = q->gpu->input_codes,
                                  .n = (size_t)l->batch * (size_t)l->inputs,
                                  .round = !gdrq_quantised_reshapes(q),
                                  .learns = gdrq_quantised_learns_input(q),
                                  .first = true,
                                  .delta = net->delta_gpu};
    gdrq_error err;
    gdrq_must(gdrq_cuda_depthwise_input_gradient(&shape, l->batch, l->delta_gpu,
                                                 q->gpu->used_weights, false, q->gpu->input_codes,
                                                 &err),
              &err);
    gdrq_must(gdrq_cuda_pass_gradient(&q->gpu->input, &g, &err), &err);
    gdrq_quantised_gpu_end_input_gradient(q, l, g.n);
}

static void pass_images(const gdrq_quantised *q, const layer *l, const network *net) {
    for (int b = 0; b < l->batch; ++b)
        pass_image(q, l, net, b);
    gdrq_quantised_gpu_end_input_gradient(q, l, (size_t)l->inputs);
}

void backward_gdrq_convolutional_layer_gpu(layer l, network net) {
    gdrq_quantised *q = gdrq_quantised_state(&l);
    gdrq_quantised_gpu_backward_to_sums(q, &l);
    add_weight_gradient(q, &l, net.workspace);
    if (!net.delta_gpu && !gdrq_quantised_learns_input(q))
        return;
    if (gdrq_gpu_is_depthwise(&l))
        pass_depthwise(q, &l, &net);
    else
        pass_images(q, &l, &net);
}

void update_gdrq_convolutional_layer_gpu(layer l, update_args a) {
    update_convolutional_layer_gpu(l, a);
    gdrq_quantised_gpu_end_update(gdrq_quantised_state(&l), &l, &a);
}
