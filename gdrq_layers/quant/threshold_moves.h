/* How the T of running_threshold.h moves, as functions that CUDA kernels can call, too: on a GPU it
   moves on the device. */
#ifndef GDRQ_QUANT_THRESHOLD_MOVES_H
#define GDRQ_QUANT_THRESHOLD_MOVES_H

#include <math.h>

#include "quant/grid_steps.h"
#include "quant/running_threshold.h"

/* A search on this many values of a tensor is off by less than the batches differ. */
enum { GDRQ_THRESHOLD_SAMPLES = 8192 };

/* From one sample to the next of n values: to the end of the tensor, in an odd stride, which meets
   all columns and channels, whose numbers are mostly powers of 2. */
GDRQ_EVERYWHERE size_t gdrq_sample_stride(size_t n) {
    return n <= GDRQ_THRESHOLD_SAMPLES
               ? 1
               : (n + GDRQ_THRESHOLD_SAMPLES - 1) / GDRQ_THRESHOLD_SAMPLES | 1;
}

GDRQ_EVERYWHERE bool gdrq_inline_threshold_is_set(const gdrq_running_threshold *t) {
    return t->fixed || t->moves > 0;
}

GDRQ_EVERYWHERE bool gdrq_inline_threshold_follows(const gdrq_running_threshold *t) {
    return !t->fixed && (t->how != GDRQ_THRESHOLD_LEARNED || t->moves == 0 || t->threshold == 0);
}

GDRQ_EVERYWHERE gdrq_grid gdrq_inline_threshold_grid(const gdrq_running_threshold *t) {
    return gdrq_ranged_grid(t->bits, t->range, t->slope, t->threshold);
}

GDRQ_EVERYWHERE void gdrq_inline_threshold_observe(gdrq_running_threshold *t, double value,
                                                   size_t n) {
    if (t->fixed || !isfinite(value))
        return;
    t->pending_sum += value * (double)n;
    t->pending_count += (double)n;
}

GDRQ_EVERYWHERE void gdrq_inline_threshold_start(gdrq_running_threshold *t, double value) {
    if (!gdrq_inline_threshold_is_set(t))
        t->threshold = (float)value;
}

GDRQ_EVERYWHERE void gdrq_inline_threshold_commit(gdrq_running_threshold *t) {
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

#endif
