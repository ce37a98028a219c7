/*
 * The host's dropout layer, threaded: while training, each value of net.input (which is l.output)
 * becomes 0 with probability l.probability and else l.scale times itself. l.rand holds the numbers
 * in [0, 1) that decided.
 *
 * They are not the host's: it calls rand() for every value. Here rand() is called once per training
 * forward and gives the key of a hash of the value's position, so that srand() repeats a training
 * with any number of threads.
 */
#ifndef GDRQ_PRIMITIVES_DROPOUT_LAYER_H
#define GDRQ_PRIMITIVES_DROPOUT_LAYER_H

#include "darknet.h"

void gdrq_forward_dropout_layer(layer l, network net);

/* In place on net.delta, which may be NULL. */
void gdrq_backward_dropout_layer(layer l, network net);

#endif
