#include "inspect/value_bars.h"

/* Numbers in a bar, on average, below which it would be noise. */
static const double fewest = 10;

int value_bars_bins(const gdrq_distribution *d, double least) {
    const int most = d->bins_per_code;
    const double numbers = (double)d->n / (most * (d->max - d->min));
    int bins = 1;
    while ((bins < least * most || numbers * bins < fewest) && bins < most)
        bins = most % (2 * bins) == 0 ? 2 * bins : most;
    return bins;
}

/* Bins at each end that lie beyond 3T. */
static int far_bins(const gdrq_distribution *d) {
    return d->bins_per_code / 2;
}

/* The last bin of the bar that begins with bin `first`; no end of the grid divides a bar. */
static int bar_end(const gdrq_distribution *d, int first, int bins) {
    const int far = far_bins(d), last = first - first % bins + bins - 1;
    if (first < far)
        return far - 1;
    if (first >= d->n_bins - far)
        return d->n_bins - 1;
    for (int i = first; i < last; i++) {
        const double end = gdrq_distribution_bin(d, i + 1);
        if (end == d->min || end == d->max || i + 1 == d->n_bins - far)
            return i;
    }
    return last;
}

bool value_bars_next(const gdrq_distribution *d, int bins, value_bar *b) {
    const int first = b->to > b->from ? b->last + 1 : 0;
    if (d->n == 0 || first == d->n_bins)
        return false;
    *b = (value_bar){.first = first, .last = bar_end(d, first, bins)};
    for (int i = b->first; i <= b->last; i++)
        b->share += (double)d->bins[i] / (double)d->n;
    b->from = gdrq_distribution_bin(d, b->first);
    b->to = gdrq_distribution_bin(d, b->last + 1);
    b->clipped = b->to <= d->min || b->from >= d->max;
    b->far = b->first < far_bins(d) || b->last >= d->n_bins - far_bins(d);
    return true;
}

double value_bar_height(const value_bar *b) {
    return b->far ? b->share : b->share / (b->to - b->from);
}
