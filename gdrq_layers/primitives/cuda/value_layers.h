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
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x[i] = the logistic function of x[i], i < n. */
gdrq_status gdrq_cuda_logistic(float *x, size_t n, gdrq_error *err);

/* What a [yolo] layer's `planes` of `cells` values become, `entries` planes an anchor, of which the
   third and the fourth stay as they are: the logistic function of them. */
gdrq_status gdrq_cuda_activate_boxes(int planes, int entries, int cells, const float *in,
                                     float *out, gdrq_error *err);

/* out[p] = the mean of n values from in + p*n on. */
gdrq_status gdrq_cuda_avgpool(int planes, int n, const float *in, float *out, gdrq_error *err);

/* The middle of `channels` planes of w x h; with `adjusts`, 2*value - 1. */
typedef struct gdrq_cuda_crop_shape {
    int channels, w, h, out_w, out_h;
    bool adjusts;
} gdrq_cuda_crop_shape;
gdrq_status gdrq_cuda_crop_values(const gdrq_cuda_crop_shape *crop, const float *in, float *out,
                                  gdrq_error *err);

/* `images` of `inputs` values, each in `groups` of one size. With offsets [groups + 1], in the
   GPU's memory, a group begins where they say, and the last one ends there. */
typedef struct gdrq_cuda_softmax_shape {
    int images, groups, inputs;
    const int *offsets; /* may be NULL */
    float temperature;
} gdrq_cuda_softmax_shape;

/* What a softmax layer learns by (primitives/cross_entropy.h), per value. */
typedef struct gdrq_cuda_cross_entropy {
    const float *truth;
    float *delta, *loss;
} gdrq_cuda_cross_entropy;

/* `entropy` may be NULL. Its logarithms are the GPU's: the loss is the CPU's but for a rounding. */
gdrq_status gdrq_cuda_softmax(const gdrq_cuda_softmax_shape *shape, const float *in, float *out,
                              const gdrq_cuda_cross_entropy *entropy, gdrq_error *err);

/* x[i] = gdrq_random_unit(key, i), i < n. */
gdrq_status gdrq_cuda_random(uint32_t key, float *x, size_t n, gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
