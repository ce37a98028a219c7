/* segmentation_layer.h on the GPU. */
#ifndef GDRQ_PRIMITIVES_CUDA_SEGMENTATION_LAYER_GPU_H
#define GDRQ_PRIMITIVES_CUDA_SEGMENTATION_LAYER_GPU_H

#include "darknet.h"
#include "gdrq.h"

/* Puts the functions below into a layer of gdrq_make_segmentation_layer(), whose weights of classes
   get a copy in l->scales_gpu; free_layer() frees it. */
gdrq_status gdrq_make_segmentation_layer_gpu(layer *l, int index, gdrq_error *err);

/* The host waits once, for the cost. */
void gdrq_forward_segmentation_layer_gpu(layer l, network net);

#endif
