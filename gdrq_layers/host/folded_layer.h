/*
 * What the host's parser gets for a folded section: a layer with shapes and nothing else, no float
 * weights, gradients or outputs. host/folded_network.h brings it to life.
 */
#ifndef GDRQ_HOST_FOLDED_LAYER_H
#define GDRQ_HOST_FOLDED_LAYER_H

#include <stdbool.h>

#include "darknet.h"

/* Ends the program: what the host calls to train can't return an error. */
_Noreturn void gdrq_refuse_training(void);

/* Whether one of the two below made it. */
bool gdrq_is_folded_layer(const layer *l);

layer gdrq_make_folded_convolutional_layer(int batch, int h, int w, int c, int n, int groups,
                                           int size, int stride, int padding,
                                           ACTIVATION activation);

layer gdrq_make_folded_connected_layer(int batch, int inputs, int outputs, ACTIVATION activation);

#endif
