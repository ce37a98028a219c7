#include "quant/quantise.h"

#include <math.h>

#include "base/kernels.h"
#include "quant/chunks.h"
#include "quant/pointwise.h"
#include "quant/search.h"

enum { LANES = 16, FEW_GROUPS = 16 };

/* At most GDRQ_CHUNK_BLOCK elements; float lanes of 64 terms each keep the sum's error below 2^-18.
 */
GDRQ_KERNEL double sum_abs_block(const float *x, size_t n) {
    float lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; ++k)
            lanes[k] += fabsf(x[i + k]);
    double sum = 0;
    for (; i < n; ++i)
        sum += fabsf(x[i]);
    for (int k = 0; k < LANES; ++k)
        sum += lanes[k];
    return sum;
}

GDRQ_KERNEL void round_block(const float *x, size_t n, const gdrq_grid *grid, float *codes) {
    const float inv = grid->inv_step, min = (float)grid->min, max = (float)grid->max;
    for (size_t i = 0; i < n; ++i)
        codes[i] = gdrq_round_half_even(gdrq_clip(x[i] * inv, min, max));
}

GDRQ_KERNEL void clip_block(const float *x, size_t n, const gdrq_grid *grid, float *codes) {
    const float inv = grid->inv_step, min = (float)grid->min, max = (float)grid->max;
    for (size_t i = 0; i < n; ++i)
        codes[i] = gdrq_clip(x[i] * inv, min, max);
}

/* w[i] clipped to [-limit, limit] */
GDRQ_KERNEL void clamp_values(float *w, size_t n, float limit) {
    for (size_t i = 0; i < n; ++i)
        w[i] = gdrq_clip(w[i], -limit, limit);
}

/* One read and one write per element: the sum is taken while the block is in the first cache. */
static double quantise_span(const float *x, size_t n, const gdrq_grid *grid, bool round,
                            float *codes) {
    double sum = 0;
    for (size_t i = 0; i < n; i += GDRQ_CHUNK_BLOCK) {
        const size_t count = gdrq_chunk_block_length(i, n);
        sum += sum_abs_block(x + i, count);
        if (round)
            round_block(x + i, count, grid, codes + i);
        else
            clip_block(x + i, count, grid, codes + i);
    }
    return sum;
}

static double sum_abs_span(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i += GDRQ_CHUNK_BLOCK)
        sum += sum_abs_block(x + i, gdrq_chunk_block_length(i, n));
    return sum;
}

double gdrq_sum_abs(const float *x, size_t n) {
    double sums[GDRQ_CHUNKS];
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (int i = 0; i < GDRQ_CHUNKS; ++i) {
        const size_t start = gdrq_chunk_start(n, i);
        sums[i] = sum_abs_span(x + start, gdrq_chunk_start(n, i + 1) - start);
    }
    return gdrq_add_in_order(sums);
}

double gdrq_quantise(const float *x, size_t n, const gdrq_grid *grid, bool round, float *codes) {
    double sums[GDRQ_CHUNKS];
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (int i = 0; i < GDRQ_CHUNKS; ++i) {
        const size_t start = gdrq_chunk_start(n, i);
        sums[i] = quantise_span(x + start, gdrq_chunk_start(n, i + 1) - start, grid, round,
                                codes + start);
    }
    return gdrq_add_in_order(sums);
}

/*
 * Groups of weights go among the threads as they are, or, where they are large and few, one after
 * the other, each divided among all threads. Which of them depends on the sizes alone, and so do
 * the order of the sums and T.
 */
static bool divides_groups(int groups, size_t group_size) {
    return groups < FEW_GROUPS && group_size >= GDRQ_PARALLEL_FROM;
}

static bool spreads_groups(int groups, size_t group_size) {
    return !divides_groups(groups, group_size) && (size_t)groups * group_size >= GDRQ_PARALLEL_FROM;
}

static float scaled_mean(const float *weights, size_t n, float k, bool divide) {
    const double sum = divide ? gdrq_sum_abs(weights, n) : sum_abs_span(weights, n);
    return (float)(k * (sum / (double)n));
}

static float group_threshold(const gdrq_weight_rule *rule, int g, const float *w, size_t n,
                             bool divide) {
    if (rule->threshold == GDRQ_THRESHOLD_SCALE)
        return scaled_mean(w, n, rule->k, divide);
    if (rule->threshold == GDRQ_THRESHOLD_LEARNED && rule->learned[g] > 0)
        return rule->learned[g];
    return gdrq_search_threshold(w, n, &(gdrq_grid_family){rule->bits, GDRQ_RANGE_SIGNED, 0},
                                 rule->norm);
}

void gdrq_quantise_weights(const float *weights, int groups, size_t group_size,
                           const gdrq_weight_rule *rule, bool round, float *codes, float *steps) {
    const bool divide = divides_groups(groups, group_size);
#pragma omp parallel for schedule(static) if (spreads_groups(groups, group_size))
    for (int g = 0; g < groups; ++g) {
        const size_t start = (size_t)g * group_size;
        const float *w = weights + start;
        const float threshold = group_threshold(rule, g, w, group_size, divide);
        const gdrq_grid grid = gdrq_weight_grid(rule->bits, threshold);
        if (rule->found)
            rule->found[g] = threshold;
        (divide ? gdrq_quantise : quantise_span)(w, group_size, &grid, round, codes + start);
        steps[g] = grid.step;
    }
}

static void clamp_in_parallel(float *w, size_t n, float limit) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += GDRQ_CHUNK_BLOCK)
        clamp_values(w + i, gdrq_chunk_block_length(i, n), limit);
}

void gdrq_project_weights(float *weights, int groups, size_t group_size, float k) {
    const bool divide = divides_groups(groups, group_size);
#pragma omp parallel for schedule(static) if (spreads_groups(groups, group_size))
    for (int g = 0; g < groups; ++g) {
        float *w = weights + (size_t)g * group_size;
        const float limit = scaled_mean(w, group_size, k, divide);
        (divide ? clamp_in_parallel : clamp_values)(w, group_size, limit);
    }
}
