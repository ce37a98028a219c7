/* The host's route layer, threaded: joins the outputs of layers, image by image. */
#ifndef GDRQ_PRIMITIVES_ROUTE_LAYER_H
#define GDRQ_PRIMITIVES_ROUTE_LAYER_H

#include "darknet.h"

void gdrq_forward_route_layer(layer l, network net);

/* Adds to the gradients of the layers that were joined, where they keep one. */
void gdrq_backward_route_layer(layer l, network net);

#endif
