/*
 * [gdrq_connected]: a fully connected layer with low-bit weights and activations; the product of
 * quantised_layer.h is that of two matrices. It reads its whole input tensor as one vector, and
 * each of its outputs is a filter with `inputs` weights.
 */
#ifndef GDRQ_TRAIN_GDRQ_CONNECTED_LAYER_H
#define GDRQ_TRAIN_GDRQ_CONNECTED_LAYER_H

#include "train/quantised_layer.h"

/* Turns a parsed stock connected layer into a quantised one. On failure it is as it was. */
gdrq_status make_gdrq_connected_layer(layer *l, int index, const gdrq_layer_options *options,
                                      gdrq_running_threshold *input, gdrq_training *training,
                                      gdrq_error *err);

void forward_gdrq_connected_layer(layer l, network net);
void backward_gdrq_connected_layer(layer l, network net);
void update_gdrq_connected_layer(layer l, update_args a);

#endif
