/*
 * What of the host's layers on a GPU is replaced, where the host's own would compute something else
 * than the CPU does:
 *
 *   [yolo], [region]          it writes a line per layer and iteration, and takes any class id
 *   [softmax]                 a loss is infinite where a probability is 0; the groups of a tree and
 *                             spatial= have other meanings
 *   [upsample]                gradients are added in whatever order the GPU comes to them: two
 *                             trainings from one seed differ
 *   [batchnorm], [activation], [reorg]
 *                             their gradient overwrites what other readers of the input have added
 *
 * GDRQ_STOCK (primitives/replacements.h) leaves them to the host here as well.
 */
#ifndef GDRQ_PRIMITIVES_CUDA_LAYERS_GPU_H
#define GDRQ_PRIMITIVES_CUDA_LAYERS_GPU_H

#include "darknet.h"
#include "gdrq.h"
#include "primitives/cuda/value_layers.h"

/* Puts the functions below into layer number `index` of a network if they are for it. */
gdrq_status gdrq_replace_layer_functions_gpu(layer *l, int index, gdrq_error *err);

/* Activated on the GPU, where the output stays for who reads it, and copied to the host, which
   finds boxes in it; in training the host finds the gradient, and it is copied to the GPU. */
void gdrq_forward_yolo_layer_gpu(layer l, network net);

/* By the CPU's function: the input is copied to the host, and the output and the gradient back. */
void gdrq_forward_region_layer_gpu(layer l, network net);

/* As the CPU's gdrq_forward_softmax_layer(), and what it launches its kernel for. */
void gdrq_forward_softmax_layer_gpu(layer l, network net);
gdrq_cuda_softmax_shape gdrq_softmax_shape(const layer *l, int images);

void gdrq_forward_upsample_layer_gpu(layer l, network net);

/* These add to net.delta_gpu, which may be NULL. */
void gdrq_backward_values_gpu(layer l, network net); /* whose input has l.delta_gpu's gradient */
void gdrq_backward_activation_layer_gpu(layer l, network net);
void gdrq_backward_batchnorm_layer_gpu(layer l, network net);
void gdrq_backward_reorg_layer_gpu(layer l, network net);
void gdrq_backward_upsample_layer_gpu(layer l, network net);

#endif
