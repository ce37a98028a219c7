/*
 * [yolo] and [region] of a network on a GPU: by the CPU's functions, on copies of what is there, as
 * the host's do, but without the host's faults: it writes a line per layer and iteration, and takes
 * any class id. Per image and head, outputs are copied to the host and back, and gradients back.
 */
#ifndef GDRQ_PRIMITIVES_CUDA_DETECTION_HEAD_GPU_H
#define GDRQ_PRIMITIVES_CUDA_DETECTION_HEAD_GPU_H

#include "darknet.h"

/* Puts the functions below into a layer that they are for; leaves others as they are. */
void gdrq_replace_detection_head_gpu(layer *l);

void gdrq_forward_yolo_layer_gpu(layer l, network net);
void gdrq_forward_region_layer_gpu(layer l, network net);
void gdrq_backward_detection_head_gpu(layer l, network net);

#endif
