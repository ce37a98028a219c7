#include "quant/average.h"

#include "base/kernels.h"

/* `count` values from `begin` on, at most a block. */
static void average_block(float *const *arrays, int n, size_t begin, size_t count) {
    double sums[GDRQ_BLOCK] = {0};
    for (int k = 0; k < n; ++k)
        for (size_t i = 0; i < count; ++i)
            sums[i] += arrays[k][begin + i];
    for (int k = 0; k < n; ++k)
        for (size_t i = 0; i < count; ++i)
            arrays[k][begin + i] = (float)(sums[i] / n);
}

void gdrq_average_arrays(float *const *arrays, int n, size_t count) {
#pragma omp parallel for schedule(static) if (count >= GDRQ_PARALLEL_FROM)
    for (size_t begin = 0; begin < count; begin += GDRQ_BLOCK)
        average_block(arrays, n, begin, gdrq_block_length(begin, count));
}

static void average_optimisers(gdrq_running_threshold *const *thresholds, int n) {
    double update = 0, m = 0, v = 0;
    for (int i = 0; i < n; ++i) {
        update += thresholds[i]->optimiser.update;
        m += thresholds[i]->optimiser.m;
        v += thresholds[i]->optimiser.v;
    }
    for (int i = 0; i < n; ++i)
        thresholds[i]->optimiser = (gdrq_threshold_optimiser){
            .update = (float)(update / n), .m = (float)(m / n), .v = (float)(v / n)};
}

void gdrq_average_thresholds(gdrq_running_threshold *const *thresholds, int n) {
    double sum = 0;
    int set = 0;
    uint64_t moves = 0;
    for (int i = 0; i < n; ++i) {
        gdrq_threshold_commit(thresholds[i]);
        moves = thresholds[i]->moves > moves ? thresholds[i]->moves : moves;
        if (!gdrq_threshold_is_set(thresholds[i]) || !(thresholds[i]->threshold > 0))
            continue;
        sum += thresholds[i]->threshold;
        ++set;
    }
    for (int i = 0; i < n && moves > 0; ++i) {
        thresholds[i]->threshold = set > 0 ? (float)(sum / set) : 0;
        thresholds[i]->moves = moves;
    }
    average_optimisers(thresholds, n);
}
