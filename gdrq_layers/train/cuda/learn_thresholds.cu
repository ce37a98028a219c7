#include "train/cuda/layer_kernels.h"

#include "base/cuda/launch.cuh"
#include "quant/cuda/blocks.cuh"
#include "quant/pointwise.h"
#include "quant/threshold_moves.h"

/* One step of the optimiser, by half of T at most: T stays above 0 whatever the gradient is. */
static __device__ void learn(const gdrq_cuda_update &a, float *threshold,
                             gdrq_threshold_optimiser *o) {
    const float before = *threshold, u = o->update + a.shrink * before;
    float after;
    if (a.adam) {
        o->m = a.beta1 * o->m + (1 - a.beta1) * u;
        o->v = a.beta2 * o->v + (1 - a.beta2) * (u * u);
        after = before + a.rate * (o->m / a.correction1) / (sqrtf(o->v / a.correction2) + a.eps);
        o->update = 0;
    } else {
        after = before + a.rate * u;
        o->update = a.momentum * u;
    }
    *threshold = gdrq_clip(after, .5f * before, 1.5f * before);
}

/* One thread a group: reads 16 bytes and writes 16, T and its optimiser. */
static __global__ void learn_groups(gdrq_cuda_update u, int groups, float *thresholds,
                                    gdrq_threshold_optimiser *optimisers) {
    const int g = (int)gdrq_first_index();
    if (g < groups)
        learn(u, &thresholds[g], &optimisers[g]);
}

/* One thread. Reads and writes the tensor's T, below 100 bytes. */
static __global__ void learn_input(gdrq_cuda_update u, gdrq_running_threshold *t) {
    gdrq_inline_threshold_commit(t);
    learn(u, &t->threshold, &t->optimiser);
}

static unsigned blocks_of(int groups) {
    return (unsigned)((groups + GDRQ_THREADS - 1) / GDRQ_THREADS);
}

extern "C" gdrq_status gdrq_cuda_learn_thresholds(const gdrq_cuda_update *u, int groups,
                                                  float *thresholds,
                                                  gdrq_threshold_optimiser *optimisers,
                                                  gdrq_error *err) {
    return GDRQ_LAUNCH(err, blocks_of(groups), GDRQ_THREADS, 0, learn_groups, *u, groups,
                       thresholds, optimisers);
}

extern "C" gdrq_status gdrq_cuda_learn_input_threshold(const gdrq_cuda_update *u,
                                                       gdrq_running_threshold *t, gdrq_error *err) {
    return GDRQ_LAUNCH(err, 1, 1, 0, learn_input, *u, t);
}
