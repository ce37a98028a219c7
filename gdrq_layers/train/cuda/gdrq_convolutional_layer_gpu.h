/* gdrq_convolutional_layer.h on the GPU. */
#ifndef GDRQ_TRAIN_CUDA_GDRQ_CONVOLUTIONAL_LAYER_GPU_H
#define GDRQ_TRAIN_CUDA_GDRQ_CONVOLUTIONAL_LAYER_GPU_H

#include "train/quantised_layer.h"

/* Puts the functions below into a layer of make_gdrq_convolutional_layer(), with their state. */
gdrq_status make_gdrq_convolutional_layer_gpu(layer *l, gdrq_error *err);

/* Bytes of net.workspace that the layer takes at its present size. */
size_t gdrq_convolutional_workspace_gpu(const layer *l);

void forward_gdrq_convolutional_layer_gpu(layer l, network net);
void backward_gdrq_convolutional_layer_gpu(layer l, network net);
void update_gdrq_convolutional_layer_gpu(layer l, update_args a);

#endif
