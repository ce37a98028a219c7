/* Kernels (base/kernels.h) that several files of this folder use. */
#ifndef GDRQ_PRIMITIVES_KERNELS_H
#define GDRQ_PRIMITIVES_KERNELS_H

#include <stddef.h>

#include "base/kernels.h"

#include "darknet.h"

/* As gdrq_activate() and gdrq_activation_gradient(), in the calling thread alone. */
void gdrq_activate_block(float *x, size_t n, ACTIVATION a);
void gdrq_activation_gradient_block(const float *y, size_t n, ACTIVATION a, float *delta);

/* y += a * x, in the calling thread alone. x may be y, else they must not overlap. */
void gdrq_add_scaled_block(float a, const float *x, size_t n, float *y);

/* Sums and maxima run in this many interleaved lanes: any vector width gives the same result. */
enum { GDRQ_LANES = 16 };

/* The sum of n values; to be inlined into a kernel. */
static inline __attribute__((always_inline)) double gdrq_sum_in_lanes(const float *x, size_t n) {
    double lanes[GDRQ_LANES] = {0}, sum = 0;
    const size_t whole = n - n % GDRQ_LANES;
    for (size_t i = 0; i < whole; i += GDRQ_LANES)
        for (int j = 0; j < GDRQ_LANES; j++)
            lanes[j] += x[i + j];
    for (size_t i = whole; i < n; i++)
        lanes[i - whole] += x[i];
    for (int j = 0; j < GDRQ_LANES; j++)
        sum += lanes[j];
    return sum;
}

#endif
