#include "train/cuda/gdrq_convolutional_layer_gpu.h"

#include "base/fatal.h"
#include "train/cuda/host_gpu.h"
#include "train/cuda/layer_kernels.h"
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

static gdrq_cuda_columns_shape shape_of(const layer *l) {
    return (gdrq_cuda_columns_shape){.channels = l->c,
                                     .h = l->h,
                                     .w = l->w,
                                     .size = l->size,
                                     .stride = l->stride,
                                     .pad = l->pad,
                                     .out_h = l->out_h,
                                     .out_w = l->out_w};
}

/* An image is its own columns. (The host takes 1x1 with a stride for such, too, and gets it wrong.)
 */
static bool is_direct(const layer *l) {
    return l->size == 1 && l->stride == 1 && l->pad == 0;
}

/* The columns of a whole image, all groups. */
static size_t columns_of(const layer *l) {
    return (size_t)l->c * (size_t)(l->size * l->size) * (size_t)l->out_h * (size_t)l->out_w;
}

size_t gdrq_convolutional_workspace_gpu(const layer *l) {
    return is_direct(l) ? 0 : columns_of(l) * sizeof(float);
}

/* The codes of one image as columns. */
static const float *columns(const gdrq_quantised *q, const layer *l, int image, float *workspace) {
    const float *codes = q->gpu->input_codes + (size_t)image * (size_t)l->inputs;
    if (is_direct(l))
        return codes;
    const gdrq_cuda_columns_shape shape = shape_of(l);
    gdrq_error err;
    gdrq_must(gdrq_cuda_make_columns(codes, &shape, workspace, &err), &err);
    return workspace;
}

/* The product of one group of channels: filters x weights of a filter x positions. */
typedef struct group_product {
    int filters, weights, positions;
    size_t weight_offset, column_offset, output_offset;
} group_product;

static group_product product_of(const layer *l, int image, int group) {
    const int filters = l->n / l->groups, weights = l->nweights / l->n;
    const int positions = l->out_h * l->out_w;
    return (group_product){.filters = filters,
                           .weights = weights,
                           .positions = positions,
                           .weight_offset = (size_t)group * (size_t)filters * (size_t)weights,
                           .column_offset = (size_t)group * (size_t)weights * (size_t)positions,
                           .output_offset =
                               ((size_t)image * (size_t)l->n + (size_t)group * (size_t)filters) *
                               (size_t)positions};
}

void forward_gdrq_convolutional_layer_gpu(layer l, network net) {
    gdrq_quantised *q = gdrq_quantised_state(&l);
    gdrq_quantised_gpu_begin_forward(q, &l, &net);
    for (int b = 0; b < l.batch; ++b) {
        const float *x = columns(q, &l, b, net.workspace);
        for (int g = 0; g < l.groups; ++g) {
            const group_product p = product_of(&l, b, g);
            gdrq_gpu_multiply(false, false, p.filters, p.positions, p.weights,
                              q->gpu->weight_codes + p.weight_offset, x + p.column_offset, 0,
                              l.output_gpu + p.output_offset);
        }
    }
    gdrq_quantised_gpu_end_forward(q, &l, &net);
}

/* dL/dw = step_x * dL/dz * transposed columns of the codes: straight through. */
static void add_weight_gradient(const gdrq_quantised *q, const layer *l, float *workspace) {
    gdrq_quantised_gpu_begin_weight_gradient(q);
    for (int b = 0; b < l->batch; ++b) {
        const float *x = columns(q, l, b, workspace);
        for (int g = 0; g < l->groups; ++g) {
            const group_product p = product_of(l, b, g);
            gdrq_quantised_gpu_multiply_weight_gradient(q, l, false, true, p.filters, p.weights,
                                                        p.positions, l->delta_gpu + p.output_offset,
                                                        x + p.column_offset, p.weight_offset);
        }
    }
    gdrq_quantised_gpu_end_weight_gradient(q, l);
}

/* dL/d(columns of quantised x) of one image = transposed w * dL/dz, w as the forward used them. */
static void columns_gradient(const gdrq_quantised *q, const layer *l, int image, float *to) {
    for (int g = 0; g < l->groups; ++g) {
        const group_product p = product_of(l, image, g);
        gdrq_gpu_multiply(true, false, p.weights, p.positions, p.filters,
                          q->gpu->weight_codes + p.weight_offset, l->delta_gpu + p.output_offset, 0,
                          to + p.column_offset);
    }
}

static void pass_image(const gdrq_quantised *q, const layer *l, const network *net, int image) {
    const gdrq_cuda_columns_shape shape = shape_of(l);
    const size_t n = (size_t)l->inputs, begin = (size_t)image * n;
    const bool direct = is_direct(l);
    float *dx = direct ? q->gpu->input_codes + begin : net->workspace;
    columns_gradient(q, l, image, dx);
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

void backward_gdrq_convolutional_layer_gpu(layer l, network net) {
    gdrq_quantised *q = gdrq_quantised_state(&l);
    gdrq_quantised_gpu_backward_to_sums(&l, &net);
    add_weight_gradient(q, &l, net.workspace);
    if (!net.delta_gpu && !gdrq_quantised_learns_input(q))
        return;
    gdrq_error err;
    gdrq_must(gdrq_cuda_dequantise_weights(&q->gpu->groups, q->gpu->weight_codes,
                                           q->gpu->weight_steps, &err),
              &err);
    for (int b = 0; b < l.batch; ++b)
        pass_image(q, &l, &net, b);
    gdrq_quantised_gpu_end_input_gradient(q, &l, (size_t)l.inputs);
}

void update_gdrq_convolutional_layer_gpu(layer l, update_args a) {
    update_convolutional_layer_gpu(l, a);
    gdrq_quantised_gpu_end_update(gdrq_quantised_state(&l), &l, &a);
}
