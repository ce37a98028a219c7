/*
 * The host's yolo layer: the same outputs, deltas and cost, threaded and silent. Truths that the
 * host would use as indices out of bounds are left out (detection_truths.h).
 */
#ifndef GDRQ_PRIMITIVES_YOLO_LAYER_H
#define GDRQ_PRIMITIVES_YOLO_LAYER_H

#include "darknet.h"

/* l.map must come from the allocator, as the host's parser makes it. */
void gdrq_forward_yolo_layer(layer l, network net);

/* The part of it that trains, from l.output on. */
void gdrq_learn_yolo_layer(layer l, network net);

/* net.delta += l.delta. */
void gdrq_backward_yolo_layer(layer l, network net);

#endif
