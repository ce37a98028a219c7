#include "quant/step_gradient.h"

#include <math.h>

#include "base/kernels.h"
#include "quant/chunks.h"
#include "quant/rounding.h"

enum { LANES = 16 };

/* dQ(x)/dstep; without rounding 0 inside of the range. */
static inline __attribute__((always_inline)) float slope(float x, const gdrq_grid *grid,
                                                         bool round) {
    const float v = x * grid->inv_step, min = (float)grid->min, max = (float)grid->max;
    const float inside = round ? gdrq_round_half_even(v) - v : 0.f;
    const float above = v > max ? max : inside;
    return v < min ? min : above;
}

/* At most GDRQ_CHUNK_BLOCK elements. */
GDRQ_KERNEL double sum_block(const float *x, size_t n, const gdrq_grid *grid, bool round,
                             const float *gradient) {
    const gdrq_grid g = *grid;
    float lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; ++k)
            lanes[k] += gradient[i + k] * slope(x[i + k], &g, round);
    double sum = 0;
    for (; i < n; ++i)
        sum += gradient[i] * slope(x[i], &g, round);
    for (int k = 0; k < LANES; ++k)
        sum += lanes[k];
    return sum;
}

GDRQ_KERNEL void mask_block(const float *restrict x, size_t n, float low, float high,
                            float *restrict gradient) {
    for (size_t i = 0; i < n; ++i)
        gradient[i] = x[i] >= low && x[i] <= high ? gradient[i] : 0.f;
}

double gdrq_step_gradient(const float *x, size_t n, const gdrq_grid *grid, bool round,
                          const float *gradient) {
    double sums[GDRQ_CHUNKS];
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (int i = 0; i < GDRQ_CHUNKS; ++i) {
        const size_t end = gdrq_chunk_start(n, i + 1);
        sums[i] = 0;
        for (size_t at = gdrq_chunk_start(n, i); at < end; at += GDRQ_CHUNK_BLOCK)
            sums[i] +=
                sum_block(x + at, gdrq_chunk_block_length(at, end), grid, round, gradient + at);
    }
    return gdrq_add_in_order(sums);
}

float gdrq_threshold_gradient_scale(int top, size_t n) {
    return (float)sqrt((double)top / (double)n);
}

void gdrq_mask_gradient(const float *x, size_t n, const gdrq_grid *grid, float *gradient) {
    const float low = (float)grid->min * grid->step, high = (float)grid->max * grid->step;
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_CHUNK_BLOCK)
        mask_block(x + i, gdrq_chunk_block_length(i, n), low, high, gradient + i);
}
