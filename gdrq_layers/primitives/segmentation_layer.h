/*
 * The layer of [segmentation]: the class of every pixel. Its input has a score per class and pixel,
 * its output their softmax over the classes of a pixel. In training, net.truth has a class per
 * pixel (w * h numbers per image); a pixel whose number is no class (void, e.g. -1) has no loss and
 * no gradient. An image's loss is the sum of weight[class] * -log(p[class]) over its pixels that
 * have a class, divided by how many these are, so that the learning rate depends on neither the
 * size of the picture nor how much of it is void. Sums run in double; results don't depend on the
 * threads.
 */
#ifndef GDRQ_PRIMITIVES_SEGMENTATION_LAYER_H
#define GDRQ_PRIMITIVES_SEGMENTATION_LAYER_H

#include <stdbool.h>

#include "darknet.h"

/*
 * Makes one of a [softmax] that the host made: l->w * l->h pixels of l->c scores. class_weights has
 * l->c numbers, which the layer takes over in l->scales; free_layer() frees them.
 */
void gdrq_make_segmentation_layer(layer *l, float *class_weights);

/* A [softmax] of the host's has no classes. */
bool gdrq_is_segmentation_layer(const layer *l);

void gdrq_forward_segmentation_layer(layer l, network net);

/* Adds to net.delta, which may be NULL. */
void gdrq_backward_segmentation_layer(layer l, network net);

#endif
