/*
 * The host's maxpool layer, threaded. Exactly its results on numbers: windows begin at -(l.pad /
 * 2), what lies outside of the image is ignored, of equal values the first in row order wins, and
 * l.indexes holds the winner's position in net.input. A window without a value above -FLT_MAX (all
 * NaN, or outside) gives -FLT_MAX and index -1; the backward skips those, where the host writes in
 * front of net.delta.
 */
#ifndef GDRQ_PRIMITIVES_MAXPOOL_LAYER_H
#define GDRQ_PRIMITIVES_MAXPOOL_LAYER_H

#include "darknet.h"

void gdrq_forward_maxpool_layer(layer l, network net);

/* Adds to net.delta, which may be NULL. */
void gdrq_backward_maxpool_layer(layer l, network net);

#endif
