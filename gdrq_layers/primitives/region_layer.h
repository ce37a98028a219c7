/*
 * The host's region layer (YOLOv2), threaded and silent. Truths that the host would use as indices
 * out of bounds are left out (detection_truths.h). Outputs, deltas and cost are those of the host's
 * CPU code, except where that is broken and its GPU code is not:
 * - With a tree, the host's CPU code takes the softmax over a layout that nothing else uses, at
 *   temperature 0. Here every group of a cell's classes is normalised, as on the GPU.
 * - The host's CPU backward is empty: nothing before the layer learns. Here it is the GPU's.
 */
#ifndef GDRQ_PRIMITIVES_REGION_LAYER_H
#define GDRQ_PRIMITIVES_REGION_LAYER_H

#include "darknet.h"

/* l.map must come from the allocator, as the host's parser makes it. net.input may be l.output. */
void gdrq_forward_region_layer(layer l, network net);

/*
 * Takes l->delta through the logistics of x, y and objectness. Class deltas are gradients of the
 * logits already (softmax or logistic with cross entropy).
 */
void gdrq_region_input_gradient(const layer *l);

/* The above, then net.delta += l.delta. */
void gdrq_backward_region_layer(layer l, network net);

#endif
