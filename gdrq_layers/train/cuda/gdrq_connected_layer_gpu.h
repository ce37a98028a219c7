/* gdrq_connected_layer.h on the GPU. */
#ifndef GDRQ_TRAIN_CUDA_GDRQ_CONNECTED_LAYER_GPU_H
#define GDRQ_TRAIN_CUDA_GDRQ_CONNECTED_LAYER_GPU_H

#include "train/quantised_layer.h"

/* Puts the functions below into a layer of make_gdrq_connected_layer(), with their state. */
gdrq_status make_gdrq_connected_layer_gpu(layer *l, gdrq_error *err);

void forward_gdrq_connected_layer_gpu(layer l, network net);
void backward_gdrq_connected_layer_gpu(layer l, network net);
void update_gdrq_connected_layer_gpu(layer l, update_args a);

#endif
