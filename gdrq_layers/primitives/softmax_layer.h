/*
 * The host's softmax layer, threaded: softmax over each of l.groups groups, or the groups of
 * l.softmax_tree, at temperature l.temperature; with net.truth and unless l.noloss, the cross
 * entropy's loss and gradient, and *l.cost. Sums run in double.
 */
#ifndef GDRQ_PRIMITIVES_SOFTMAX_LAYER_H
#define GDRQ_PRIMITIVES_SOFTMAX_LAYER_H

#include "darknet.h"

void gdrq_forward_softmax_layer(layer l, network net);

/* The part of it that sets *l.cost, the sum of l.loss. */
void gdrq_set_softmax_cost(const layer *l);

/* Adds to net.delta, which may be NULL. */
void gdrq_backward_softmax_layer(layer l, network net);

#endif
