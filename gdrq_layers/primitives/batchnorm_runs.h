/*
 * What one thread does of batch normalisation at once: a run of channels. Usually that is a single
 * channel. Where each channel has one value per image, as in connected layers, the values of
 * neighbouring channels are contiguous, and a run is up to GDRQ_BN_RUN of them.
 *
 * Arrays with an element per channel are those of the whole layer; sums hold an element per channel
 * of the run. Sums are in double and in an order that neither threads nor vector width change.
 */
#ifndef GDRQ_PRIMITIVES_BATCHNORM_RUNS_H
#define GDRQ_PRIMITIVES_BATCHNORM_RUNS_H

#include "primitives/batchnorm.h"

enum { GDRQ_BN_RUN = 128 };

typedef struct gdrq_bn_run {
    const gdrq_bn_shape *shape;
    int first, n; /* channels first..first+n-1 */
} gdrq_bn_run;

/* Runs start every so many channels. */
int gdrq_bn_run_step(const gdrq_bn_shape *shape);
gdrq_bn_run gdrq_bn_run_at(const gdrq_bn_shape *shape, int first);

/* sums[j]: the sum of channel j's values. */
void gdrq_bn_sum(const gdrq_bn_run *run, const float *acc, double *sums);

/* sums[j]: the sum of (acc - mean[j])^2, mean being an array for the run. */
void gdrq_bn_sum_squares(const gdrq_bn_run *run, const float *acc, const double *mean,
                         double *sums);

/* As gdrq_centre_scale_activate(), of image b. */
void gdrq_bn_centre_scale_activate(const gdrq_bn_run *run, int b, const float *acc,
                                   const float *centre, const float *scale, const float *bias,
                                   ACTIVATION a, float *y);

/*
 * delta = dL/dy becomes dL/dt, t being the activation's input; sums[j] is its sum and, unless acc
 * is NULL, products[j] that of dL/dt * (factor*acc - mean).
 */
void gdrq_bn_activation_backward(const gdrq_bn_run *run, const float *y, ACTIVATION a,
                                 const float *acc, const float *factor, const float *mean,
                                 float *delta, double *sums, double *products);

/* delta = a[j]*delta - (b[j]*(factor*acc - mean) + c[j]), with a, b and c for the run. */
void gdrq_bn_combine(const gdrq_bn_run *run, const float *acc, const float *factor,
                     const float *mean, const float *a, const float *b, const float *c,
                     float *delta);

/* delta = a[j]*delta, with a for the run. */
void gdrq_bn_scale(const gdrq_bn_run *run, const float *a, float *delta);

#endif
