/*
 * The host's float convolutional layer with 1x1 filters on the GPU, without two of its faults: its
 * backward overwrites net.delta instead of adding to it, so that the gradient which a shortcut or
 * route had put there is lost; and it takes the image for its columns where there is a stride or
 * padding, too.
 */
#ifndef GDRQ_TRAIN_CUDA_POINTWISE_LAYER_GPU_H
#define GDRQ_TRAIN_CUDA_POINTWISE_LAYER_GPU_H

#include "darknet.h"

/* Puts the functions below into a layer that they are for; leaves others as they are. */
void gdrq_replace_pointwise_layer_gpu(layer *l);

void gdrq_forward_pointwise_layer_gpu(layer l, network net);
void gdrq_backward_pointwise_layer_gpu(layer l, network net);

#endif
