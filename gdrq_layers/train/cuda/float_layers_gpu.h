/*
 * The host's float layers with weights on the GPU, where its own train otherwise than on the CPU:
 * the backward of convolutions with 1x1 filters overwrites net.delta instead of adding to it, so
 * that the gradient which a shortcut or route had put there is lost, and they take the image for
 * its columns where there is a stride or padding, too; connected layers clip the gradient of their
 * output to -1..1. And where its own are slow: depthwise convolutions as products for each image
 * and channel.
 */
#ifndef GDRQ_TRAIN_CUDA_FLOAT_LAYERS_GPU_H
#define GDRQ_TRAIN_CUDA_FLOAT_LAYERS_GPU_H

#include "darknet.h"

/* Puts the functions below into a layer that they are for; leaves others as they are. */
void gdrq_replace_float_layer_gpu(layer *l);

void gdrq_forward_convolutional_layer_gpu(layer l, network net);
void gdrq_backward_pointwise_layer_gpu(layer l, network net);
void gdrq_backward_depthwise_layer_gpu(layer l, network net);

void gdrq_backward_connected_layer_gpu(layer l, network net);

#endif
