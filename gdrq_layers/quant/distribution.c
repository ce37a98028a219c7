#include "quant/distribution.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Bins between 0 and T, about; where there are more codes, two for each. */
enum { BINS_PER_THRESHOLD = 64 };

/* A number that only the rounding of T puts beyond it is not clipped. */
static const double tolerance = 1e-6;

void gdrq_distribution_start(gdrq_distribution *d, int min, int max) {
    assert(max > 0 && max - min < GDRQ_MOST_CODES);
    const int half = BINS_PER_THRESHOLD / 2 / max;
    memset(d, 0, sizeof *d);
    d->min = min;
    d->max = max;
    d->bins_per_code = 2 * (half > 1 ? half : 1);
    d->n_bins = d->bins_per_code * (2 * GDRQ_BIN_THRESHOLDS * max + 1);
    assert(d->n_bins <= GDRQ_MOST_BINS);
}

double gdrq_distribution_bin(const gdrq_distribution *d, int i) {
    return (double)i / d->bins_per_code - GDRQ_BIN_THRESHOLDS * d->max - .5;
}

/* What is not clipped lies within the grid, however the division rounds. */
static int bin_of(const gdrq_distribution *d, double steps, bool below, bool above) {
    const int per_code = d->bins_per_code, zero = d->n_bins / 2;
    const int first = below ? 0 : zero + d->min * per_code;
    const int last = above ? d->n_bins - 1 : zero + d->max * per_code - 1;
    const double i = floor(steps * per_code) + zero;
    return i < first ? first : i > last ? last : (int)i;
}

bool gdrq_distribution_add(gdrq_distribution *d, const float *x, const float *codes, size_t n,
                           const gdrq_grid *grid) {
    assert(grid->min == d->min && grid->max == d->max);
    const double low = grid->min * (1 + tolerance), high = grid->max * (1 + tolerance);
    if (!isfinite(grid->step))
        return false;
    for (size_t i = 0; i < n; ++i) {
        if (!isfinite(x[i]))
            return false;
        /* Without a step the grid is nothing but code 0. */
        const double steps = grid->step > 0 ? (double)x[i] / grid->step : 0;
        const double error = (double)x[i] - (double)grid->step * codes[i];
        const bool below = steps<low, above = steps> high;
        d->below += below;
        d->above += above;
        d->squares += (double)x[i] * x[i];
        d->lost += error * error;
        ++d->codes[(int)codes[i] - d->min];
        ++d->bins[bin_of(d, steps, below, above)];
    }
    d->n += n;
    return true;
}

double gdrq_distribution_loss(const gdrq_distribution *d) {
    return d->squares > 0 ? sqrt(d->lost / d->squares) : 0;
}

double gdrq_distribution_clipped(const gdrq_distribution *d) {
    return d->n ? (double)(d->below + d->above) / (double)d->n : 0;
}

int gdrq_distribution_codes_used(const gdrq_distribution *d) {
    int used = 0;
    for (int c = d->min; c <= d->max; ++c)
        used += d->codes[c - d->min] > 0;
    return used;
}

double gdrq_distribution_distance(const gdrq_distribution *d) {
    const double uniform = 1. / (d->max - d->min + 1);
    double sum = 0;
    for (int c = d->min; d->n && c <= d->max; ++c)
        sum += fabs((double)d->codes[c - d->min] / (double)d->n - uniform);
    return sum / 2;
}
