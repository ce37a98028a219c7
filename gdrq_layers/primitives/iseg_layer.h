/*
 * The host's instance segmentation layer, made safe: at inference it has no truth to look at, and
 * in training an instance of a class that does not exist is left out instead of being used as an
 * index.
 */
#ifndef GDRQ_PRIMITIVES_ISEG_LAYER_H
#define GDRQ_PRIMITIVES_ISEG_LAYER_H

#include "darknet.h"

/* Has the signature of layer.forward. Instances of unknown classes are cleared in net.truth. */
void gdrq_forward_iseg_layer(layer l, network net);

#endif
