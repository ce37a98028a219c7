#include "quant/histogram.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { DROPPED_BITS = 16, SIGN_BIN = GDRQ_HISTOGRAM_BINS / 2 };

void gdrq_histogram_add(gdrq_histogram *h, const float *x, size_t n, double weight) {
    for (size_t i = 0; i < n; ++i) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        if (!isfinite(x[i]))
            continue;
        h->counts[bits >> DROPPED_BITS] += weight;
        h->total += weight;
        h->magnitudes += fabs((double)x[i]);
        ++h->values;
    }
}

double gdrq_histogram_mean(const gdrq_histogram *h) {
    return h->values > 0 ? h->magnitudes / h->values : 0;
}

/* The middle of a bin; 0 for the bins of zero and of what is next to nothing. */
static float value_of_bin(int bin) {
    if (bin % SIGN_BIN == 0)
        return 0;
    const uint32_t bits = (uint32_t)bin << DROPPED_BITS | 1u << (DROPPED_BITS - 1);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

typedef enum signs { ABOVE = 1, BELOW = 2, BOTH = ABOVE | BELOW } signs;

/* Of values of these signs. Bins of one sign are in the order of |x|, the first being that of 0. */
static double count_of_bin(const gdrq_histogram *h, int bin, signs of) {
    return (of & ABOVE ? h->counts[bin] : 0) + (of & BELOW ? h->counts[bin + SIGN_BIN] : 0);
}

/* The |x| that `share` of those that are not 0 are not above; 0 if there are none. */
static float percentile(const gdrq_histogram *h, signs of, double share) {
    /* Both sums are rounded alike, so that the highest values reach a share of 1. */
    double all = 0, counted = 0;
    for (int bin = 1; bin < SIGN_BIN; ++bin)
        all += count_of_bin(h, bin, of);
    for (int bin = 1; bin < SIGN_BIN; ++bin) {
        counted += count_of_bin(h, bin, of);
        if (counted > 0 && counted >= share * all)
            return value_of_bin(bin);
    }
    return 0;
}

/* Of what is below 0 in an offset range, at most. */
static const double most_clipped_below = .1;

float gdrq_histogram_percentile(const gdrq_histogram *h, const gdrq_grid_family *family,
                                double share) {
    const float of_minus_1 = gdrq_threshold_of_minus_1(family);
    const float threshold = percentile(h, of_minus_1 > 0 ? BOTH : ABOVE, share);
    if (family->range != GDRQ_RANGE_OFFSET)
        return threshold;
    const double clipped = (1 - share) / ((double)family->slope * family->slope);
    const float below = percentile(h, BELOW, 1 - fmin(clipped, most_clipped_below));
    return fmaxf(threshold, below * of_minus_1);
}

float gdrq_histogram_search(const gdrq_histogram *h, const gdrq_grid_family *family, int norm) {
    size_t n = 0, filled = 0;
    for (int bin = 0; bin < GDRQ_HISTOGRAM_BINS; ++bin)
        filled += h->counts[bin] > 0;
    float *x = gdrq_alloc(filled, sizeof *x);
    double *counts = gdrq_alloc(filled, sizeof *counts);
    float threshold = -1;
    if (x && counts) {
        for (int bin = 0; bin < GDRQ_HISTOGRAM_BINS; ++bin)
            if (h->counts[bin] > 0) {
                x[n] = value_of_bin(bin);
                counts[n++] = h->counts[bin];
            }
        threshold = gdrq_search_counted_threshold(x, counts, n, family, norm);
    }
    free(x);
    free(counts);
    return threshold;
}
