/*
 * The host's float convolutional layer on our primitives: the same results up to rounding, and the
 * same effects on the layer (l.x, l.mean, l.variance, l.rolling_*, *_updates; x_norm is not
 * filled), with two repairs: the input's gradient is added to net.delta for 1x1 filters too, where
 * the host overwrites it, and batch norm's gradient is the exact one of the forward's formulas.
 *
 * Both have the signatures of layer.forward and layer.backward; an error ends the program.
 */
#ifndef GDRQ_PRIMITIVES_CONVOLUTIONAL_LAYER_H
#define GDRQ_PRIMITIVES_CONVOLUTIONAL_LAYER_H

#include <stdbool.h>

#include "darknet.h"

/* Whether the host's forward replaces weights and input first: no convolution for ours. */
static inline bool gdrq_is_binary_convolution(const layer *l) {
    return l->binary || l->xnor;
}

/* Not for binary or xnor layers: those replace their weights and input first. */
void gdrq_forward_convolutional_layer(layer l, network net);

/* For every convolutional layer. net.delta may be NULL: then no input gradient is computed. */
void gdrq_backward_convolutional_layer(layer l, network net);

/*
 * The same for a layer whose forward may have run again since, on other memory: [crnn] does so with
 * the layers inside of it. Batch norm's statistics are computed anew from l.x, which costs reading
 * it twice.
 */
void gdrq_backward_unrolled_convolutional_layer(layer l, network net);

#endif
