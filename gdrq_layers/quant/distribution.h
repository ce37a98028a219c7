/*
 * What quantising does to arrays of numbers (gdrq_distribution of gdrq.h): the loss, what is
 * clipped, which codes occur, and histograms.
 */
#ifndef GDRQ_QUANT_DISTRIBUTION_H
#define GDRQ_QUANT_DISTRIBUTION_H

#include <stdbool.h>
#include <stddef.h>

#include "gdrq.h"
#include "quant/grid.h"

/* An empty one for codes min..max, at most GDRQ_MOST_CODES of them, with max > 0. */
void gdrq_distribution_start(gdrq_distribution *d, int min, int max);

/*
 * Adds x[0..n), which the grid has made codes[0..n) of. The grid's min and max are those of the
 * distribution; its step may differ from call to call. False if the step or a number is not finite;
 * the distribution is then of no use.
 */
bool gdrq_distribution_add(gdrq_distribution *d, const float *x, const float *codes, size_t n,
                           const gdrq_grid *grid);

#endif
