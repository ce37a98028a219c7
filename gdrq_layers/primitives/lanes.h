/* The one order in which kernels add floats up. */
#ifndef GDRQ_PRIMITIVES_LANES_H
#define GDRQ_PRIMITIVES_LANES_H

#include <stddef.h>

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
