/*
 * Training of the host's [crnn]: three convolutions of 3x3 per time step i, with h[0] = 0,
 *
 *   h[i + 1] = a(input_layer * x[i]) + a(self_layer * h[i])   (+ h[i] with shortcut)
 *   y[i]     = a(output_layer * h[i + 1])
 *
 * The forward is the host's. Its backward gives input_layer the gradient that self_layer's backward
 * has already taken through self_layer's activation and batch norm, and forgets the shortcut when
 * it computes h anew; its update learns nothing, as no learning rate reaches the layers inside.
 * These two are repaired here.
 */
#ifndef GDRQ_PRIMITIVES_CRNN_LAYER_H
#define GDRQ_PRIMITIVES_CRNN_LAYER_H

#include "darknet.h"

/*
 * The gradient of the last forward, which must have been a training one, for the l.delta that the
 * layers behind left. Adds to the updates inside and to net.delta, which may be NULL.
 */
void gdrq_backward_crnn_layer(layer l, network net);

/* The convolutions inside learn at the layer's own rate, with the network's clip. */
void gdrq_update_crnn_layer(layer l, update_args a);

#endif
