/*
 * The host's upsample layer, threaded: to the bit its results. With a positive stride each value is
 * repeated stride x stride times, with a negative one (l.reverse) such squares are summed; both
 * times l.scale.
 */
#ifndef GDRQ_PRIMITIVES_UPSAMPLE_LAYER_H
#define GDRQ_PRIMITIVES_UPSAMPLE_LAYER_H

#include "darknet.h"

void gdrq_forward_upsample_layer(layer l, network net);

/*
 * Adds to net.delta, which may be NULL. The host overwrites it for negative strides, and what a
 * shortcut or route had put there is lost.
 */
void gdrq_backward_upsample_layer(layer l, network net);

#endif
