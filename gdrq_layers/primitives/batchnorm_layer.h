/*
 * The host's [batchnorm] layer on batchnorm.h: the same outputs and statistics up to rounding.
 * l.mean_delta and l.variance_delta are used as room for l.out_c floats each; l.x and l.x_norm are
 * not filled.
 */
#ifndef GDRQ_PRIMITIVES_BATCHNORM_LAYER_H
#define GDRQ_PRIMITIVES_BATCHNORM_LAYER_H

#include "darknet.h"

void gdrq_forward_batchnorm_layer(layer l, network net);

/*
 * The exact gradient of the forward (the host's mixes N with N - 1 and two epsilons), added to
 * net.delta, which may be NULL. The host overwrites that, and what a shortcut or route had put
 * there is lost.
 */
void gdrq_backward_batchnorm_layer(layer l, network net);

#endif
