/*
 * Layers of values, on the GPU and queued as our kernels are, to the bit what ours compute on the
 * CPU at inference, but for denormals, which a CPU may flush to zero. All arrays are in the GPU's
 * memory.
 */
#ifndef GDRQ_PRIMITIVES_CUDA_VALUE_LAYERS_H
#define GDRQ_PRIMITIVES_CUDA_VALUE_LAYERS_H

#include "gdrq.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x[i] = the logistic function of x[i], i < n. */
gdrq_status gdrq_cuda_logistic(float *x, size_t n, gdrq_error *err);

/* out[p] = the mean of n values from in + p*n on. */
gdrq_status gdrq_cuda_avgpool(int planes, int n, const float *in, float *out, gdrq_error *err);

/* The middle of `channels` planes of w x h; with `adjusts`, 2*value - 1. */
typedef struct gdrq_cuda_crop_shape {
    int channels, w, h, out_w, out_h;
    bool adjusts;
} gdrq_cuda_crop_shape;
gdrq_status gdrq_cuda_crop_values(const gdrq_cuda_crop_shape *crop, const float *in, float *out,
                                  gdrq_error *err);

/* Of each of so many groups of n values. */
gdrq_status gdrq_cuda_softmax(int groups, int n, float temperature, const float *in, float *out,
                              gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
