/*
 * Scale-Clip and rounding on arrays (GDRQ, arXiv 1908.01477): clip(x; T) = min(max(x, -T), T) with
 * T = k * mean|x|, then codes = round half to even of x/step. Codes come out as integer-valued
 * floats. A NaN stays NaN, so that the loss shows it.
 *
 * Threaded over a fixed split of the array: results don't depend on the number of threads.
 */
#ifndef GDRQ_QUANT_QUANTISE_H
#define GDRQ_QUANT_QUANTISE_H

#include <stdbool.h>
#include <stddef.h>

#include "quant/grid.h"
#include "quant/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sum of |x[i]| over n elements. */
double gdrq_sum_abs(const float *x, size_t n);

/*
 * codes[i] = x[i] on the grid, clipped and, with `round`, rounded; without it the reshape stage's
 * clipped x/step. Returns the sum of |x[i]| from the same pass. codes may be x.
 */
double gdrq_quantise(const float *x, size_t n, const gdrq_grid *grid, bool round, float *codes);

/* How weights are quantised. */
typedef struct gdrq_weight_rule {
    int bits;
    gdrq_threshold threshold;
    float k;              /* of SCALE: T = k * mean|w| */
    int norm;             /* of SEARCH: p of the quantised loss */
    const float *learned; /* of LEARNED: T of each group; 0: searched, as without a gradient T=0
                             would stay */
    float *found; /* receives T of each group, from which the same steps follow; may be NULL */
} gdrq_weight_rule;

/*
 * Weights in groups of group_size consecutive elements, each with a T of its own: steps[g] and the
 * codes of all groups.
 */
void gdrq_quantise_weights(const float *weights, int groups, size_t group_size,
                           const gdrq_weight_rule *rule, bool round, float *codes, float *steps);

/* The reshape stage's projection: clips the stored weights of each group to [-T, T], T = k *
 * mean|w|.
 */
void gdrq_project_weights(float *weights, int groups, size_t group_size, float k);

#ifdef __cplusplus
}
#endif

#endif
