/*
 * The host's batch norm on batchnorm.h: the same outputs and statistics up to rounding. As in the
 * host, a [batchnorm] layer goes from net.input to l.output, and a layer of any other type has its
 * own l.output normalised in place, with what stood there kept in l.x. l.mean_delta and
 * l.variance_delta are used as room for l.out_c floats each; l.x_norm is not filled, nor l.x of
 * [batchnorm].
 */
#ifndef GDRQ_PRIMITIVES_BATCHNORM_LAYER_H
#define GDRQ_PRIMITIVES_BATCHNORM_LAYER_H

#include "darknet.h"

void gdrq_forward_batchnorm_layer(layer l, network net);

/*
 * The exact gradient of the forward (the host's mixes N with N - 1 and two epsilons). [batchnorm]
 * adds it to net.delta, which may be NULL; the host overwrites that, and what a shortcut or route
 * had put there is lost. Other layers get it in l.delta, for the statistics of l.x itself.
 */
void gdrq_backward_batchnorm_layer(layer l, network net);

#endif
