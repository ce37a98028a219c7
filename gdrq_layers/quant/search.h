/*
 * The clipping threshold that loses least: T that minimises the quantised loss
 *
 *   |x - Q(x)|_p / |x|_p          (GDRQ, arXiv 1908.01477)
 *
 * where Q clips at T and rounds. A small T clips much, a large one has coarse steps.
 */
#ifndef GDRQ_QUANT_SEARCH_H
#define GDRQ_QUANT_SEARCH_H

#include <stddef.h>

#include "quant/grid.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GDRQ_MAX_NORM = 4 };

/* Halvings of T in the coarse part of the search, so many that a single outlier, 10,000 times as
   large as the others, does not hide them; then of the ratio of one T to the next. */
enum { GDRQ_SEARCH_COARSE = 16, GDRQ_SEARCH_FINE = 6 };

/* The grids of one tensor, which differ in T. Those of weights are SIGNED. */
typedef struct gdrq_grid_family {
    int bits;
    gdrq_range range; /* never AUTO */
    float slope;      /* of an OFFSET range */
} gdrq_grid_family;

/*
 * The T that a value of -1 needs: 1 in a SIGNED range, about 1/slope in an OFFSET one, whose codes
 * reach down to slope*T only; 0 where there are no codes below 0, which clip it in any case.
 */
float gdrq_threshold_of_minus_1(const gdrq_grid_family *family);

/* Sum of |x - Q(x)|^norm in units of grid->step^norm; norm 1..GDRQ_MAX_NORM. */
double gdrq_quantised_loss(const float *x, size_t n, const gdrq_grid *grid, int norm);

/*
 * The best T for n values, to about 1 % where the loss has one valley: from the least T that clips
 * nothing downwards by halves, then in ever finer steps around the best. 0 if all values are.
 * Results don't depend on the number of threads.
 */
float gdrq_search_threshold(const float *x, size_t n, const gdrq_grid_family *family, int norm);

/* The same for values that occur counts[i] times each. */
float gdrq_search_counted_threshold(const float *x, const double *counts, size_t n,
                                    const gdrq_grid_family *family, int norm);

#ifdef __cplusplus
}
#endif

#endif
