#include "quant/search.h"

#include <assert.h>
#include <math.h>

#include "base/kernels.h"
#include "quant/chunks.h"
#include "quant/pointwise.h"

enum { LANES = 16 };

/* What a search is in; counts NULL: every value occurs once. */
typedef struct values {
    const float *x;
    const double *counts;
    size_t n;
} values;

static inline __attribute__((always_inline)) float error_of(float x, const gdrq_grid *grid) {
    return gdrq_rounding_error(x * grid->inv_step, (float)grid->min, (float)grid->max);
}

/* At most GDRQ_CHUNK_BLOCK elements. */
static inline __attribute__((always_inline)) double loss_of(const float *x, size_t n,
                                                            const gdrq_grid *grid, int norm) {
    const gdrq_grid g = *grid;
    float lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; ++k)
            lanes[k] += gdrq_error_power(error_of(x[i + k], &g), norm);
    double sum = 0;
    for (; i < n; ++i)
        sum += gdrq_error_power(error_of(x[i], &g), norm);
    for (int k = 0; k < LANES; ++k)
        sum += lanes[k];
    return sum;
}

#define LOSS_BLOCK(norm)                                                                    \
    GDRQ_KERNEL double loss_block_##norm(const float *x, size_t n, const gdrq_grid *grid) { \
        return loss_of(x, n, grid, norm);                                                   \
    }

LOSS_BLOCK(1)
LOSS_BLOCK(2)
LOSS_BLOCK(3)
LOSS_BLOCK(4)

typedef double loss_block(const float *x, size_t n, const gdrq_grid *grid);

static loss_block *block_of(int norm) {
    assert(norm >= 1 && norm <= GDRQ_MAX_NORM);
    return norm == 1   ? loss_block_1
           : norm == 2 ? loss_block_2
           : norm == 3 ? loss_block_3
                       : loss_block_4;
}

double gdrq_quantised_loss(const float *x, size_t n, const gdrq_grid *grid, int norm) {
    loss_block *block = block_of(norm);
    double sums[GDRQ_CHUNKS];
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (int i = 0; i < GDRQ_CHUNKS; ++i) {
        const size_t end = gdrq_chunk_start(n, i + 1);
        sums[i] = 0;
        for (size_t at = gdrq_chunk_start(n, i); at < end; at += GDRQ_CHUNK_BLOCK)
            sums[i] += block(x + at, gdrq_chunk_block_length(at, end), grid);
    }
    return gdrq_add_in_order(sums);
}

static double counted_loss(const values *v, const gdrq_grid *grid, int norm) {
    double sum = 0;
    for (size_t i = 0; i < v->n; ++i)
        sum += v->counts[i] * gdrq_error_power(error_of(v->x[i], grid), norm);
    return sum;
}

static gdrq_grid grid_at(const gdrq_grid_family *f, float threshold) {
    return gdrq_activation_grid(f->bits, f->range, f->slope, threshold);
}

/* The loss at T, in the values' own units. */
static double loss_at(const values *v, const gdrq_grid_family *f, float threshold, int norm) {
    const gdrq_grid grid = grid_at(f, threshold);
    if (grid.step == 0)
        return INFINITY;
    const double loss =
        v->counts ? counted_loss(v, &grid, norm) : gdrq_quantised_loss(v->x, v->n, &grid, norm);
    return loss * pow(grid.step, norm);
}

/* Values of at least `least` and at most `most`, 0 among them. */
static void extremes(const values *v, float *least, float *most) {
    *least = *most = 0;
    for (size_t i = 0; i < v->n; ++i) {
        *least = v->x[i] < *least ? v->x[i] : *least;
        *most = v->x[i] > *most ? v->x[i] : *most;
    }
}

float gdrq_threshold_of_minus_1(const gdrq_grid_family *family) {
    const gdrq_grid grid = grid_at(family, 1);
    return grid.min < 0 ? (float)grid.max / (float)-grid.min : 0;
}

/* The least T that clips nothing but what the range has no codes for. */
static float whole_range(const values *v, const gdrq_grid_family *f) {
    float least, most;
    extremes(v, &least, &most);
    const float below = -least * gdrq_threshold_of_minus_1(f);
    return below > most ? below : most;
}

static float search(const values *v, const gdrq_grid_family *f, int norm) {
    const float whole = whole_range(v, f);
    if (grid_at(f, whole).step == 0)
        return 0;
    float best = whole;
    double least = loss_at(v, f, whole, norm);
    double ratio = 2;
    for (int i = 1; i <= GDRQ_SEARCH_COARSE; ++i) {
        const float threshold = (float)(whole * pow(ratio, -i));
        const double loss = loss_at(v, f, threshold, norm);
        if (loss < least) {
            least = loss;
            best = threshold;
        }
    }
    for (int i = 0; i < GDRQ_SEARCH_FINE; ++i) {
        ratio = sqrt(ratio);
        const float around[2] = {(float)(best / ratio), (float)(best * ratio)};
        for (int k = 0; k < 2; ++k) {
            const double loss = loss_at(v, f, around[k], norm);
            if (loss < least) {
                least = loss;
                best = around[k];
            }
        }
    }
    return best;
}

float gdrq_search_threshold(const float *x, size_t n, const gdrq_grid_family *family, int norm) {
    return search(&(values){x, NULL, n}, family, norm);
}

float gdrq_search_counted_threshold(const float *x, const double *counts, size_t n,
                                    const gdrq_grid_family *family, int norm) {
    return search(&(values){x, counts, n}, family, norm);
}
