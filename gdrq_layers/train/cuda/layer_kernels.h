/* What the quantised layers do on the GPU around quantising: columns, batch norm, thresholds that
   learn. All only queue their work. */
#ifndef GDRQ_TRAIN_CUDA_LAYER_KERNELS_H
#define GDRQ_TRAIN_CUDA_LAYER_KERNELS_H

#include <stdbool.h>

#include "gdrq.h"
#include "quant/cuda/gradient.h"

#ifdef __cplusplus
extern "C" {
#endif

/* columns[(channel, ky, kx)][out_y][out_x] of one image; 0 where the window leaves it. */
gdrq_status gdrq_cuda_make_columns(const float *image, const gdrq_cuda_columns_shape *shape,
                                   float *columns, gdrq_error *err);

/*
 * Convolutions whose filters have a channel each, `channels` of them, of a whole batch and without
 * columns, for the sizes that there are kernels for. weights[channel][ky][kx].
 */
bool gdrq_cuda_has_depthwise(int size);
gdrq_status gdrq_cuda_convolve_depthwise(const gdrq_cuda_columns_shape *shape, int batch,
                                         const float *in, const float *weights, float *sums,
                                         gdrq_error *err);

/* dx becomes, or with `adds` grows by, dL/d(in), for delta = dL/d(sums). */
gdrq_status gdrq_cuda_depthwise_input_gradient(const gdrq_cuda_columns_shape *shape, int batch,
                                               const float *delta, const float *weights, bool adds,
                                               float *dx, gdrq_error *err);

/* gradient becomes, or with `adds` grows by, factor * dL/d(weights); factor, in the GPU's memory,
   NULL: 1. */
gdrq_status gdrq_cuda_depthwise_weight_gradient(const gdrq_cuda_columns_shape *shape, int batch,
                                                const float *delta, const float *in,
                                                const float *factor, bool adds, float *gradient,
                                                gdrq_error *err);

/* factor[f] = weight step of f's group * activation step: what one unit of f's sums is worth. */
gdrq_status gdrq_cuda_set_factors(const float *steps, int groups, int filters,
                                  const gdrq_grid *grid, float *factor, gdrq_error *err);

/* values[batch][filter] *= weight step of the filter's group */
gdrq_status gdrq_cuda_scale_filters(const float *steps, int groups, int filters, int batch,
                                    float *values, gdrq_error *err);

/* A batch of sums, [batch][filters][spatial], and what batch norm has per filter. */
typedef struct gdrq_cuda_normalisation {
    int batch, filters, spatial;
    const float *factor;          /* NULL: 1 */
    const float *scales, *biases; /* scales NULL: no batch norm, the other members are not used */
    float *mean, *variance, *rolling_mean, *rolling_variance;
    float *normalised; /* receives factor*sum normalised, for backward */
    double *sums;      /* room for gdrq_cuda_statistics_sums() */
} gdrq_cuda_normalisation;

size_t gdrq_cuda_statistics_sums(int filters);

/* mean and variance, over count - 1, of factor*sum per filter; of n's other members batch, filters,
   spatial and sums are used. */
gdrq_status gdrq_cuda_filter_statistics(const gdrq_cuda_normalisation *n, const float *sums,
                                        gdrq_error *err);

/*
 * sums become what goes into the activation, in place. With `train` by this batch's statistics,
 * which also move the rolling ones by 1 %; else by the rolling ones. As the host's GPU functions
 * have it, the deviation is sqrt(variance + 1e-5).
 */
gdrq_status gdrq_cuda_normalise(const gdrq_cuda_normalisation *n, bool train, float *sums,
                                gdrq_error *err);

/* What such a forward in training has left, and what its backward adds to. */
typedef struct gdrq_cuda_normalised {
    int batch, filters, spatial;
    const float *scales, *variance, *normalised;
    float *scale_updates, *bias_updates;
    float *mean_delta, *variance_delta; /* room for a float per filter each */
    double *sums;                       /* room for gdrq_cuda_statistics_sums() */
} gdrq_cuda_normalised;

/*
 * delta from dL/d(scale * normalised + bias) to dL/d(factor * sum), in place: the exact gradient of
 * the forward, with N values per filter and the deviation d,
 *     scale/d * (delta - sum(delta)/N - normalised * sum(delta*normalised)/(N - 1))
 */
gdrq_status gdrq_cuda_normalise_backward(const gdrq_cuda_normalised *n, float *delta,
                                         gdrq_error *err);

/* How a learned T moves: primitives/update.h's rules for a parameter with the gradient u. */
typedef struct gdrq_cuda_update {
    bool adam;
    float rate;                                        /* by momentum: over the batch, too */
    float shrink;                                      /* times T is added to u */
    float momentum;                                    /* of u, or of adam: */
    float beta1, beta2, eps, correction1, correction2; /* corrections: 1 - beta^t */
} gdrq_cuda_update;

/* The thresholds of groups, each by its own gradient, and never by more than half. */
gdrq_status gdrq_cuda_learn_thresholds(const gdrq_cuda_update *u, int groups, float *thresholds,
                                       gdrq_threshold_optimiser *optimisers, gdrq_error *err);

/* The T of a tensor, after the first T has come into effect. */
gdrq_status gdrq_cuda_learn_input_threshold(const gdrq_cuda_update *u, gdrq_running_threshold *t,
                                            gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
