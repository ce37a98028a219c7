#include "quant/running_threshold.h"

#include <math.h>

#include "quant/threshold_moves.h"

bool gdrq_threshold_is_set(const gdrq_running_threshold *t) {
    return gdrq_inline_threshold_is_set(t);
}

gdrq_grid gdrq_threshold_grid(const gdrq_running_threshold *t) {
    return gdrq_inline_threshold_grid(t);
}

bool gdrq_threshold_follows(const gdrq_running_threshold *t) {
    return gdrq_inline_threshold_follows(t);
}

static size_t take_samples(const float *x, size_t n, float *samples) {
    const size_t stride = gdrq_sample_stride(n);
    size_t count = 0;
    for (size_t i = 0; i < n; i += stride)
        samples[count++] = x[i];
    return count;
}

double gdrq_threshold_value(const gdrq_running_threshold *t, const float *x, size_t n, double sum) {
    if (t->how == GDRQ_THRESHOLD_SCALE || !isfinite(sum))
        return t->k * (sum / (double)n);
    float samples[GDRQ_THRESHOLD_SAMPLES];
    const size_t count = take_samples(x, n, samples);
    return gdrq_search_threshold(samples, count, &(gdrq_grid_family){t->bits, t->range, t->slope},
                                 t->norm);
}

void gdrq_threshold_observe(gdrq_running_threshold *t, double value, size_t n) {
    gdrq_inline_threshold_observe(t, value, n);
}

void gdrq_threshold_start(gdrq_running_threshold *t, double value) {
    gdrq_inline_threshold_start(t, value);
}

void gdrq_threshold_commit(gdrq_running_threshold *t) {
    gdrq_inline_threshold_commit(t);
}
