/*
 * The host's shortcut layer, threaded, to the bit its results: output = a(alpha*input +
 * beta*other), where `other` (layer l.index) may have another size or number of channels. Channels
 * and positions that only the input has pass through it unscaled.
 */
#ifndef GDRQ_PRIMITIVES_SHORTCUT_LAYER_H
#define GDRQ_PRIMITIVES_SHORTCUT_LAYER_H

#include "darknet.h"

void gdrq_forward_shortcut_layer(layer l, network net);

/* Adds to net.delta and to the other layer's gradient, where those are kept. */
void gdrq_backward_shortcut_layer(layer l, network net);

#endif
