/*
 * The host's avgpool layer, threaded: each channel's mean. Sums run in double in a fixed order, so
 * the result does not depend on the number of threads.
 */
#ifndef GDRQ_PRIMITIVES_AVGPOOL_LAYER_H
#define GDRQ_PRIMITIVES_AVGPOOL_LAYER_H

#include "darknet.h"

void gdrq_forward_avgpool_layer(layer l, network net);

/* Adds to net.delta, which may be NULL. */
void gdrq_backward_avgpool_layer(layer l, network net);

#endif
