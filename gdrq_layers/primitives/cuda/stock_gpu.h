/* Functions of a GPU libdarknet that darknet.h leaves out. */
#ifndef GDRQ_PRIMITIVES_CUDA_STOCK_GPU_H
#define GDRQ_PRIMITIVES_CUDA_STOCK_GPU_H

#include "darknet.h"

cublasHandle_t blas_handle(void);
void activate_array_gpu(float *x, int n, ACTIVATION a);
void gradient_array_gpu(float *x, int n, ACTIVATION a, float *delta);
void forward_batchnorm_layer_gpu(layer l, network net);
void add_bias_gpu(float *output, float *biases, int batch, int n, int size);
void col2im_gpu(float *columns, int channels, int height, int width, int size, int stride, int pad,
                float *image);
void backward_batchnorm_layer_gpu(layer l, network net);
void backward_bias_gpu(float *bias_updates, float *delta, int batch, int n, int size);
void update_convolutional_layer_gpu(layer l, update_args a);
void update_connected_layer_gpu(layer l, update_args a);

#endif
