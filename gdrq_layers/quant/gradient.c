#include "quant/gradient.h"

#include <math.h>

#include "base/kernels.h"
#include "quant/chunks.h"
#include "quant/pointwise.h"

enum { LANES = 16 };

static inline __attribute__((always_inline)) float slope(float x, const gdrq_grid *grid,
                                                         bool round) {
    return gdrq_step_slope(x * grid->inv_step, (float)grid->min, (float)grid->max, round);
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

/* delta[i] += dx[i] where x[i] lies in [low, high] */
GDRQ_KERNEL void pass_block(const float *restrict x, size_t n, float low, float high,
                            const float *restrict dx, float *restrict delta) {
    for (size_t i = 0; i < n; ++i)
        delta[i] += x[i] >= low && x[i] <= high ? dx[i] : 0.f;
}

GDRQ_KERNEL void mask_block(const float *restrict x, size_t n, float low, float high,
                            float *restrict gradient) {
    for (size_t i = 0; i < n; ++i)
        gradient[i] = x[i] >= low && x[i] <= high ? gradient[i] : 0.f;
}

static float lowest(const gdrq_grid *grid) {
    return (float)grid->min * grid->step;
}

static float highest(const gdrq_grid *grid) {
    return (float)grid->max * grid->step;
}

void gdrq_add_straight_through(const float *x, size_t n, const gdrq_grid *grid, const float *dx,
                               float *delta) {
    const float low = lowest(grid), high = highest(grid);
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_CHUNK_BLOCK)
        pass_block(x + i, gdrq_chunk_block_length(i, n), low, high, dx + i, delta + i);
}

double gdrq_step_gradient(const float *x, size_t n, const gdrq_grid *grid, bool round,
                          const float *gradient) {
    return gdrq_pass_and_step_gradient(x, n, grid, round, gradient, NULL);
}

double gdrq_pass_and_step_gradient(const float *x, size_t n, const gdrq_grid *grid, bool round,
                                   const float *dx, float *delta) {
    const float low = lowest(grid), high = highest(grid);
    double sums[GDRQ_CHUNKS];
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (int i = 0; i < GDRQ_CHUNKS; ++i) {
        const size_t end = gdrq_chunk_start(n, i + 1);
        sums[i] = 0;
        for (size_t at = gdrq_chunk_start(n, i); at < end; at += GDRQ_CHUNK_BLOCK) {
            const size_t count = gdrq_chunk_block_length(at, end);
            sums[i] += sum_block(x + at, count, grid, round, dx + at);
            if (delta)
                pass_block(x + at, count, low, high, dx + at, delta + at);
        }
    }
    return gdrq_add_in_order(sums);
}

float gdrq_threshold_gradient_scale(int top, size_t n) {
    return (float)sqrt((double)top / (double)n);
}

void gdrq_mask_gradient(const float *x, size_t n, const gdrq_grid *grid, float *gradient) {
    const float low = lowest(grid), high = highest(grid);
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_CHUNK_BLOCK)
        mask_block(x + i, gdrq_chunk_block_length(i, n), low, high, gradient + i);
}
