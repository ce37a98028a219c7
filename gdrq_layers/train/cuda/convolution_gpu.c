#include "train/cuda/convolution_gpu.h"

#include "base/fatal.h"
#include "train/cuda/quantised_gpu.h"

gdrq_cuda_columns_shape gdrq_gpu_columns_shape(const layer *l) {
    return (gdrq_cuda_columns_shape){.channels = l->c,
                                     .h = l->h,
                                     .w = l->w,
                                     .size = l->size,
                                     .stride = l->stride,
                                     .pad = l->pad,
                                     .out_h = l->out_h,
                                     .out_w = l->out_w};
}

bool gdrq_gpu_is_direct(const layer *l) {
    return l->size == 1 && l->stride == 1 && l->pad == 0;
}

bool gdrq_gpu_is_depthwise(const layer *l) {
    return l->groups > 1 && l->groups == l->c && l->groups == l->n &&
           gdrq_cuda_has_depthwise(l->size);
}

size_t gdrq_gpu_columns_bytes(const layer *l) {
    const size_t rows = (size_t)l->c * (size_t)(l->size * l->size);
    return gdrq_gpu_is_direct(l) || gdrq_gpu_is_depthwise(l)
               ? 0
               : rows * (size_t)l->out_h * (size_t)l->out_w * sizeof(float);
}

const float *gdrq_gpu_columns(const layer *l, const float *image, float *workspace) {
    if (gdrq_gpu_is_direct(l))
        return image;
    const gdrq_cuda_columns_shape shape = gdrq_gpu_columns_shape(l);
    gdrq_error err;
    gdrq_must(gdrq_cuda_make_columns(image, &shape, workspace, &err), &err);
    return workspace;
}

gdrq_group_product gdrq_gpu_product_of(const layer *l, int image, int group) {
    const int filters = l->n / l->groups, weights = l->nweights / l->n;
    const int positions = l->out_h * l->out_w;
    return (gdrq_group_product){
        .filters = filters,
        .weights = weights,
        .positions = positions,
        .weight_offset = (size_t)group * (size_t)filters * (size_t)weights,
        .column_offset = (size_t)group * (size_t)weights * (size_t)positions,
        .output_offset =
            ((size_t)image * (size_t)l->n + (size_t)group * (size_t)filters) * (size_t)positions};
}

static void convolve_depthwise(const layer *l, const float *x, const float *w) {
    const gdrq_cuda_columns_shape shape = gdrq_gpu_columns_shape(l);
    gdrq_error err;
    gdrq_must(gdrq_cuda_convolve_depthwise(&shape, l->batch, x, w, l->output_gpu, &err), &err);
}

void gdrq_gpu_convolve(const layer *l, const float *x, const float *w, float *workspace) {
    if (gdrq_gpu_is_depthwise(l)) {
        convolve_depthwise(l, x, w);
        return;
    }
    for (int b = 0; b < l->batch; ++b) {
        const float *columns = gdrq_gpu_columns(l, x + (size_t)b * (size_t)l->inputs, workspace);
        for (int g = 0; g < l->groups; ++g) {
            const gdrq_group_product p = gdrq_gpu_product_of(l, b, g);
            gdrq_gpu_multiply(false, false, p.filters, p.positions, p.weights, w + p.weight_offset,
                              columns + p.column_offset, 0, l->output_gpu + p.output_offset);
        }
    }
}

void gdrq_gpu_columns_gradient(const layer *l, int image, const float *w, float beta,
                               float *columns) {
    for (int g = 0; g < l->groups; ++g) {
        const gdrq_group_product p = gdrq_gpu_product_of(l, image, g);
        gdrq_gpu_multiply(true, false, p.weights, p.positions, p.filters, w + p.weight_offset,
                          l->delta_gpu + p.output_offset, beta, columns + p.column_offset);
    }
}
