/*
 * The update of a layer's parameters from the gradients that its backward summed up, one pass over
 * each array. The host's CPU functions, and what those leave out of the host's GPU functions: adam,
 * and the clipping of convolutional weights ([net] clip).
 *
 * With u the summed gradient (the direction of descent), B = a.batch and the rate
 * r = a.learning_rate * l.learning_rate_scale, momentum's update is
 *
 *   u = u - a.decay*B*w (weights only),  w = w + r/B * u,  u = a.momentum * u
 *
 * and adam's (Kingma and Ba 2015; like the host's it decays biases and scales too, and does not
 * divide by B)
 *
 *   u = u - a.decay*B*w,  m = B1*m + (1 - B1)*u,  v = B2*v + (1 - B2)*u^2,
 *   w = w + r * m/(1 - B1^t) / (sqrt(v/(1 - B2^t)) + eps),  u = 0.
 *
 * A layer without moments learns by momentum even if a.adam is set: the host makes none for the
 * convolutions inside of [crnn]. A NaN stays one when weights are clipped, so that the loss shows
 * it.
 */
#ifndef GDRQ_PRIMITIVES_UPDATE_H
#define GDRQ_PRIMITIVES_UPDATE_H

#include "darknet.h"

/* An array of parameters with its summed gradient and, for adam, its moments (else NULL). */
typedef struct gdrq_parameters {
    float *values, *updates, *m, *v;
    size_t n;
} gdrq_parameters;

/* The same for parameters that the host knows nothing of; rate is learning_rate_scale's like. */
void gdrq_update_parameters(const gdrq_parameters *parameters, const update_args *a, float rate,
                            float decay);

/* Signatures of layer.update. */
void gdrq_update_convolutional_layer(layer l, update_args a);
void gdrq_update_connected_layer(layer l, update_args a);
void gdrq_update_deconvolutional_layer(layer l, update_args a);

#endif
