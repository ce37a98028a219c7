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
} gdrq_histogram;

/* Adds n values, each `weight` (>= 0) times. Those that are not finite are left out. */
void gdrq_histogram_add(gdrq_histogram *h, const float *x, size_t n, double weight);

/*
 * The T that `share` (0..1) of all |x| > 0 are not above, counted by their weights, to within a
 * bin; 0 if there are none. Behind relu half and more of a tensor are zeros, which no T clips.
 */
float gdrq_histogram_percentile(const gdrq_histogram *h, double share);

/* The T that loses least (quant/search.h). Needs memory: a negative result says that it is out. */
float gdrq_histogram_search(const gdrq_histogram *h, const gdrq_grid_family *family, int norm);

#ifdef __cplusplus
}
#endif

#endif
