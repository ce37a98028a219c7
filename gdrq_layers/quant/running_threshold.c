#include "quant/running_threshold.h"

#include <math.h>

bool gdrq_threshold_is_set(const gdrq_running_threshold *t) {
    return t->fixed || t->moves > 0;
}

gdrq_grid gdrq_threshold_grid(const gdrq_running_threshold *t) {
    return gdrq_activation_grid(t->bits, t->range, t->slope, t->threshold);
}

void gdrq_threshold_observe(gdrq_running_threshold *t, double sum, size_t n) {
    if (t->fixed || !isfinite(sum))
        return;
    t->pending_sum += sum;
    t->pending_count += (double)n;
}

void gdrq_threshold_start(gdrq_running_threshold *t, double sum, size_t n) {
    if (!gdrq_threshold_is_set(t))
        t->threshold = (float)(t->k * (sum / (double)n));
}

void gdrq_threshold_commit(gdrq_running_threshold *t) {
    if (t->pending_count == 0)
        return;
    const double value = t->k * (t->pending_sum / t->pending_count);
    const double mean_rate = 1.0 / ((double)t->moves + 1.0);
    const double rate = mean_rate > t->momentum ? mean_rate : t->momentum;
    t->threshold = (float)(t->threshold + rate * (value - t->threshold));
    if (t->moves == 0)
        t->threshold = (float)value;
    ++t->moves;
    t->pending_sum = t->pending_count = 0;
}
