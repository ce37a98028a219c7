/*
 * What float and quantised convolutional layers share around the convolution itself. `factor` is
 * the value of one unit of each filter's sums (NULL: 1), see batchnorm.h.
 */
#ifndef GDRQ_PRIMITIVES_CONVOLUTIONAL_PARTS_H
#define GDRQ_PRIMITIVES_CONVOLUTIONAL_PARTS_H

#include "darknet.h"
#include "primitives/convolution.h"

gdrq_conv_shape gdrq_layer_conv_shape(const layer *l);

/*
 * l->output = activation(batch norm or bias of sums). With batch norm and `train`, by this batch's
 * statistics, which go to l->mean and l->variance and move the rolling ones by 1 %; else by the
 * rolling ones. sums may be l->output. scale and bias are room for l->n floats each.
 */
void gdrq_normalise_sums(const layer *l, const float *factor, const float *sums, bool train,
                         float *scale, float *bias);

/*
 * A copy of a layer with batch norm, for the backward of a training forward: mean and variance are
 * those of l->x, computed anew into l->mean_delta and l->variance_delta. A recurrent layer runs the
 * forward of one layer once per time step, and of l->mean and l->variance only the last remain.
 */
layer gdrq_with_own_statistics(const layer *l);

/*
 * l->delta from dL/d(output) to dL/d(factor * sums), adding the gradients of biases and scales.
 * With batch norm, l->x holds the sums of the forward; `train` as it was there.
 */
void gdrq_backward_to_sums(const layer *l, const float *factor, bool train);

#endif
