/*
 * Batch normalisation over [batch][channels][spatial], fused with what surrounds it in a
 * convolutional layer. The input is given as acc with a factor per channel: the normalised value
 * is z = factor[c] * acc (factor NULL means 1), so that the integer-valued sums of a quantised
 * convolution need no pass of their own to become real values. The host's CPU formulas: variance
 * over N - 1, division by sqrt(variance) + 1e-6.
 */
#ifndef GDRQ_PRIMITIVES_BATCHNORM_H
#define GDRQ_PRIMITIVES_BATCHNORM_H

#include "darknet.h"

typedef struct gdrq_bn_shape {
    int batch, channels, spatial;
} gdrq_bn_shape;

/*
 * Mean and variance of z per channel; double accumulation in an order that threads don't change.
 * Of a single value the variance is 0 (the host's is NaN).
 */
void gdrq_batchnorm_statistics(const gdrq_bn_shape *shape, const float *acc, const float *factor,
                               float *mean, float *variance);

/*
 * The scale A and bias B per channel that take acc to the normalised, scaled and shifted value:
 * gamma * (factor*acc - mean) / (sqrt(variance) + 1e-6) + beta = A*acc + B. Folding uses this
 * very function.
 */
void gdrq_batchnorm_fold(int channels, const float *factor, const float *gamma, const float *beta,
                         const float *mean, const float *variance, float *scale, float *bias);

/*
 * The same in the form that training uses: gamma * (factor*acc - mean) / (sqrt(variance) + 1e-6) =
 * scale*(acc - centre). A*acc + B would cancel where a batch's mean is large against its deviation.
 */
void gdrq_batchnorm_centre(int channels, const float *factor, const float *gamma, const float *mean,
                           const float *variance, float *centre, float *scale);

/* y = a(scale[c]*(acc - centre[c]) + bias[c]); centre NULL means 0. y may be acc. */
void gdrq_centre_scale_activate(const gdrq_bn_shape *shape, const float *acc, const float *centre,
                                const float *scale, const float *bias, ACTIVATION a, float *y);

/* y = a(scale[c]*acc + bias[c]); scale NULL means 1. y may be acc. */
void gdrq_scale_bias_activate(const gdrq_bn_shape *shape, const float *acc, const float *scale,
                              const float *bias, ACTIVATION a, float *y);

/*
 * Backward through activation and batch norm of a training forward. On entry delta = dL/dy, on
 * return delta = dL/dz; gamma_updates and beta_updates are added to. The exact gradient of the
 * formulas above (the host mixes N and N - 1, and two epsilons).
 */
void gdrq_batchnorm_backward(const gdrq_bn_shape *shape, const float *acc, const float *factor,
                             const float *mean, const float *variance, const float *gamma,
                             const float *y, ACTIVATION a, float *delta, float *gamma_updates,
                             float *beta_updates);

/*
 * The same for a forward that used given statistics (inference): mean and variance are constants,
 * so delta becomes gamma / (sqrt(variance) + 1e-6) * dL/dy * a'.
 */
void gdrq_batchnorm_backward_frozen(const gdrq_bn_shape *shape, const float *acc,
                                    const float *factor, const float *mean, const float *variance,
                                    const float *gamma, const float *y, ACTIVATION a, float *delta,
                                    float *gamma_updates, float *beta_updates);

/* Backward through activation and bias without batch norm: delta = dL/dy becomes dL/dz. */
void gdrq_bias_backward(const gdrq_bn_shape *shape, const float *y, ACTIVATION a, float *delta,
                        float *beta_updates);

#endif
