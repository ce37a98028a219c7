/*
 * How often the values of a tensor occur, over many batches: what a threshold is found from when it
 * need not be found while a training runs. A bin holds the floats whose upper 16 bits are equal
 * (sign, exponent, 7 bits of the mantissa), so it is 1/128 of its values wide wherever they lie,
 * and nothing need be known of the tensor before.
 */
#ifndef GDRQ_QUANT_HISTOGRAM_H
#define GDRQ_QUANT_HISTOGRAM_H

#include <stddef.h>

#include "quant/search.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GDRQ_HISTOGRAM_BINS = 1 << 16 };

typedef struct gdrq_histogram {
    double counts[GDRQ_HISTOGRAM_BINS]; /* sums of weights */
    double total;                       /* of all bins */
    double magnitudes, values;          /* sum of |x|, and how many: whatever their weights */
} gdrq_histogram;

/* Adds n values, each `weight` (>= 0) times. Those that are not finite are left out. */
void gdrq_histogram_add(gdrq_histogram *h, const float *x, size_t n, double weight);

/* mean|x| of all values, zeros and those below 0 as well, each once; 0 if there are none. */
double gdrq_histogram_mean(const gdrq_histogram *h);

/*
 * The T that `share` (0..1) of all |x| > 0 are not above, counted by their weights, to within a
 * bin; 0 if there are none. Zeros, half and more of a tensor behind relu, are clipped by no T, and
 * values below 0 by any in a range that has no codes for them: neither count.
 *
 * In an OFFSET range, which reaches down to slope*T only, T is that or as much more as it takes to
 * clip no more than (1 - share)/slope^2 of what is below 0, and a tenth at most: what is clipped
 * there loses slope times as much. The whole share would be too dear: YOLO-Fastest loses more by
 * the coarser steps (docs/accuracy.md).
 */
float gdrq_histogram_percentile(const gdrq_histogram *h, const gdrq_grid_family *family,
                                double share);

/* The T that loses least (quant/search.h). Needs memory: a negative result says that it is out. */
float gdrq_histogram_search(const gdrq_histogram *h, const gdrq_grid_family *family, int norm);

#ifdef __cplusplus
}
#endif

#endif
