/* Batch norm at inference as the host's GPU functions have it, which differs from its CPU functions
   in where they add epsilon. */
#ifndef GDRQ_PRIMITIVES_BATCHNORM_GPU_H
#define GDRQ_PRIMITIVES_BATCHNORM_GPU_H

#include <math.h>

#include "base/everywhere.h"

GDRQ_EVERYWHERE float gdrq_gpu_deviation(float variance) {
    return sqrtf(variance + .00001f);
}

/* *scale holds the factor of a channel's sums and *bias its beta; they become those of
   scale*sum + bias. */
GDRQ_EVERYWHERE void gdrq_gpu_batchnorm_fold(float gamma, float mean, float variance, float *scale,
                                             float *bias) {
    const float gain = gamma / gdrq_gpu_deviation(variance);
    *bias -= gain * mean;
    *scale *= gain;
}

#endif
