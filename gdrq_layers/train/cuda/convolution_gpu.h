/* A convolution on the GPU as products of matrices: one per image and group of channels, with the
   columns of the image (layer_kernels.h); but for depthwise ones, which have kernels of their own.
 */
#ifndef GDRQ_TRAIN_CUDA_CONVOLUTION_GPU_H
#define GDRQ_TRAIN_CUDA_CONVOLUTION_GPU_H

#include "darknet.h"
#include "train/cuda/layer_kernels.h"

gdrq_cuda_columns_shape gdrq_gpu_columns_shape(const layer *l);

/* An image is its own columns. (The host takes any 1x1 for such, with a stride, too, and gets it
   wrong.) */
bool gdrq_gpu_is_direct(const layer *l);

/* Every filter has a channel of its own, and there are kernels for that. */
bool gdrq_gpu_is_depthwise(const layer *l);

/* Bytes of net.workspace for the columns of an image. */
size_t gdrq_gpu_columns_bytes(const layer *l);

/* The columns of `image`: itself, or in workspace. */
const float *gdrq_gpu_columns(const layer *l, const float *image, float *workspace);

/* The product of one group of channels: filters x weights of a filter x positions. */
typedef struct gdrq_group_product {
    int filters, weights, positions;
    size_t weight_offset, column_offset, output_offset; /* output: in the batch's */
} gdrq_group_product;

gdrq_group_product gdrq_gpu_product_of(const layer *l, int image, int group);

/* Sums of a batch: l->output_gpu = convolution of x with w. */
void gdrq_gpu_convolve(const layer *l, const float *x, const float *w, float *workspace);

/* dL/d(columns) of one image = transposed w * dL/d(sums), + beta * what is there. */
void gdrq_gpu_columns_gradient(const layer *l, int image, const float *w, float beta,
                               float *columns);

#endif
