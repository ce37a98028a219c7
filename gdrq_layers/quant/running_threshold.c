#include "quant/running_threshold.h"

#include <math.h>

/* A search on this many values of a tensor is off by less than the batches differ. */
enum { SAMPLES = 8192 };

bool gdrq_threshold_is_set(const gdrq_running_threshold *t) {
    return t->fixed || t->moves > 0;
}

gdrq_grid gdrq_threshold_grid(const gdrq_running_threshold *t) {
    return gdrq_activation_grid(t->bits, t->range, t->slope, t->threshold);
}

bool gdrq_threshold_follows(const gdrq_running_threshold *t) {
    return !t->fixed && (t->how != GDRQ_THRESHOLD_LEARNED || t->moves == 0 || t->threshold == 0);
}

/* To the end of the tensor, in an odd stride: it meets all columns and channels, whose numbers are
   mostly powers of 2. */
static size_t take_samples(const float *x, size_t n, float *samples) {
    const size_t stride = n <= SAMPLES ? 1 : (n + SAMPLES - 1) / SAMPLES | 1;
    size_t count = 0;
    for (size_t i = 0; i < n; i += stride)
        samples[count++] = x[i];
    return count;
}

double gdrq_threshold_value(const gdrq_running_threshold *t, const float *x, size_t n, double sum) {
    if (t->how == GDRQ_THRESHOLD_SCALE || !isfinite(sum))
        return t->k * (sum / (double)n);
    float samples[SAMPLES];
    const size_t count = take_samples(x, n, samples);
    return gdrq_search_threshold(samples, count, &(gdrq_grid_family){t->bits, t->range, t->slope},
                                 t->norm);
}

void gdrq_threshold_observe(gdrq_running_threshold *t, double value, size_t n) {
    if (t->fixed || !isfinite(value))
        return;
    t->pending_sum += value * (double)n;
    t->pending_count += (double)n;
}

void gdrq_threshold_start(gdrq_running_threshold *t, double value) {
    if (!gdrq_threshold_is_set(t))
        t->threshold = (float)value;
}

void gdrq_threshold_commit(gdrq_running_threshold *t) {
    if (t->pending_count == 0)
        return;
    const double value = t->pending_sum / t->pending_count;
    const double mean_rate = 1.0 / ((double)t->moves + 1.0);
    const double rate = mean_rate > t->momentum ? mean_rate : t->momentum;
    const bool starts = t->moves == 0 || t->threshold == 0;
    t->threshold = (float)(starts ? value : t->threshold + rate * (value - t->threshold));
    ++t->moves;
    t->pending_sum = t->pending_count = 0;
}
