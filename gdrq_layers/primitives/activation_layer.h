/* The host's [activation] layer, threaded. */
#ifndef GDRQ_PRIMITIVES_ACTIVATION_LAYER_H
#define GDRQ_PRIMITIVES_ACTIVATION_LAYER_H

#include "darknet.h"

void gdrq_forward_activation_layer(layer l, network net);

/*
 * Adds to net.delta, which may be NULL. The host overwrites it, and what a shortcut or route had
 * put there is lost.
 */
void gdrq_backward_activation_layer(layer l, network net);

#endif
