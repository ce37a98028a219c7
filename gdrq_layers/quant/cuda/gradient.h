/* quant/gradient.h for arrays on the GPU, after forwards by the other headers of this folder. All
   only queue their work. */
#ifndef GDRQ_QUANT_CUDA_GRADIENT_H
#define GDRQ_QUANT_CUDA_GRADIENT_H

#include "quant/cuda/activations.h"
#include "quant/cuda/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Images whose gradient comes as columns instead (train/cuda/columns.h). */
typedef struct gdrq_cuda_columns_shape {
    int channels, h, w, size, stride, pad, out_h, out_w;
} gdrq_cuda_columns_shape;

/*
 * delta[i] += dx[i] where x[i] is representable. `columns` NULL: dx has n values like x; else they
 * are the sums over the columns that read each pixel, in one pass. delta may be NULL.
 *
 * With `learns`, what T's gradient adds up from goes to in->sums, or, unless `first`, is added to
 * what is there: images of a batch may come one by one, with the same n.
 */
typedef struct gdrq_cuda_gradient {
    const float *x, *dx;
    size_t n;
    const gdrq_cuda_columns_shape *columns;
    bool round, learns, first;
    float *delta;
} gdrq_cuda_gradient;

gdrq_status gdrq_cuda_pass_gradient(const gdrq_cuda_input *in, const gdrq_cuda_gradient *g,
                                    gdrq_error *err);

/* Ends a learned T's gradient: scale * dL/dstep is added to what the optimiser has. */
gdrq_status gdrq_cuda_add_threshold_gradient(const gdrq_cuda_input *in, size_t n, float scale,
                                             gdrq_error *err);

/*
 * updates[i] += step_x * gradient[i], where gradient is dL/d(quantised w)/step_x; with `mask`
 * nothing where w[i] is not in [-T, T]. With `optimisers`, LSQ's gradients of learned thresholds
 * are added to them.
 */
typedef struct gdrq_cuda_weight_gradient {
    const float *weights, *gradient;
    const float *steps;      /* of the groups in the forward */
    const float *thresholds; /* learned ones; NULL: those of the steps */
    int bits;
    bool round, mask;
    gdrq_threshold_optimiser *optimisers; /* NULL: thresholds do not learn */
    float *updates;
} gdrq_cuda_weight_gradient;

gdrq_status gdrq_cuda_add_weight_gradient(const gdrq_cuda_groups *of, const gdrq_grid *input,
                                          const gdrq_cuda_weight_gradient *g, gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
