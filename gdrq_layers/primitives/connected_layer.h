/*
 * The host's connected layer, threaded: the same results up to rounding, and the same effects on
 * the layer but for l.x_norm, which is not filled. Batch norm's gradient is the exact one of the
 * forward. Also for the connected layers inside of the host's recurrent ones.
 * No result depends on the number of threads.
 */
#ifndef GDRQ_PRIMITIVES_CONNECTED_LAYER_H
#define GDRQ_PRIMITIVES_CONNECTED_LAYER_H

#include "darknet.h"

void gdrq_forward_connected_layer(layer l, network net);

/* Adds to the updates and to net.delta, which may be NULL. */
void gdrq_backward_connected_layer(layer l, network net);

#endif
