/*
 * quant/search.h on the GPU, in rounds: a round's candidates for T depend on the best of those
 * before, but not on each other, so that one sweep over the values tries them all. By one block, or
 * by several that each take a part of the values and leave their sums.
 */
#ifndef GDRQ_QUANT_CUDA_SEARCH_CUH
#define GDRQ_QUANT_CUDA_SEARCH_CUH

#include "quant/cuda/reduce.cuh"
#include "quant/grid_steps.h"
#include "quant/pointwise.h"
#include "quant/search.h"

/* The first round has the halvings, each other one the two T around the best. */
enum { GDRQ_SEARCH_HALVINGS = 1 + GDRQ_SEARCH_COARSE, GDRQ_SEARCH_ROUNDS = 1 + GDRQ_SEARCH_FINE };

/* Between rounds: the best T so far, to begin with that of the whole range, and its loss. */
struct gdrq_search_state {
    float best;
    double least;
};

struct gdrq_search_round {
    gdrq_grid grids[GDRQ_SEARCH_HALVINGS];
    float thresholds[GDRQ_SEARCH_HALVINGS];
    double losses[GDRQ_SEARCH_HALVINGS]; /* sums, which gdrq_choose() wants, and then turns into
                                            losses */
};

static __device__ __forceinline__ int gdrq_candidates_of(int round) {
    return round == 0 ? (int)GDRQ_SEARCH_HALVINGS : 2;
}

static __device__ __forceinline__ float gdrq_candidate(float best, int round, int k) {
    if (round == 0)
        return (float)((double)best * pow(2., (double)-k));
    double ratio = 2;
    for (int i = 0; i < round; ++i)
        ratio = sqrt(ratio);
    return (float)(k == 0 ? (double)best / ratio : (double)best * ratio);
}

/* `r` is shared by the threads of the block, which all call it, each for one candidate at most:
   doubles are slow. */
static __device__ __forceinline__ void
gdrq_make_candidates(float best, int round, const gdrq_grid_family &family, gdrq_search_round *r) {
    const int k = (int)threadIdx.x;
    if (k < gdrq_candidates_of(round)) {
        r->thresholds[k] = gdrq_candidate(best, round, k);
        r->grids[k] = gdrq_ranged_grid(family.bits, family.range, family.slope, r->thresholds[k]);
    }
    __syncthreads();
}

/* As gdrq_long_sum adds up, but with one counter for N sums: they take nearly all registers. */
template <int N>
static __device__ __forceinline__ void gdrq_sum_errors(const float *x, size_t begin, size_t end,
                                                       int norm, gdrq_search_round *r) {
    const float min = (float)r->grids[0].min, max = (float)r->grids[0].max;
    float parts[N] = {0};
    double sums[N] = {0};
    int terms = 0;
    for (size_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
        for (int k = 0; k < N; ++k)
            parts[k] +=
                gdrq_error_power(gdrq_rounding_error(x[i] * r->grids[k].inv_step, min, max), norm);
        if (++terms < GDRQ_SHORT_SUM)
            continue;
        terms = 0;
        for (int k = 0; k < N; ++k) {
            sums[k] += (double)parts[k];
            parts[k] = 0;
        }
    }
    for (int k = 0; k < N; ++k) {
        const double sum = gdrq_block_sum(sums[k] + (double)parts[k]);
        if (threadIdx.x == 0)
            r->losses[k] = sum;
    }
    __syncthreads();
}

/* The block's sums for all candidates; reads x[begin] to x[end - 1] once. */
static __device__ __forceinline__ void gdrq_try_candidates(const float *x, size_t begin, size_t end,
                                                           int round, int norm,
                                                           gdrq_search_round *r) {
    if (round == 0)
        gdrq_sum_errors<GDRQ_SEARCH_HALVINGS>(x, begin, end, norm, r);
    else
        gdrq_sum_errors<2>(x, begin, end, norm, r);
}

/* The first T of those that lose least. */
static __device__ __forceinline__ gdrq_search_state gdrq_choose(gdrq_search_state state, int round,
                                                                int norm, gdrq_search_round *r) {
    const int k = (int)threadIdx.x;
    if (k < gdrq_candidates_of(round)) {
        const float step = r->grids[k].step;
        r->losses[k] =
            step == 0 ? (double)INFINITY : r->losses[k] * pow((double)step, (double)norm);
    }
    __syncthreads();
    for (int i = 0; i < gdrq_candidates_of(round); ++i)
        if (r->losses[i] < state.least)
            state = {r->thresholds[i], r->losses[i]};
    __syncthreads();
    return state;
}

/* The largest of all threads' values. */
static __device__ __forceinline__ float gdrq_block_max(float value) {
    __shared__ float of_warp[GDRQ_WARP];
    for (int lanes = GDRQ_WARP / 2; lanes > 0; lanes /= 2)
        value = fmaxf(value, __shfl_xor_sync(~0u, value, lanes));
    if (threadIdx.x % GDRQ_WARP == 0)
        of_warp[threadIdx.x / GDRQ_WARP] = value;
    __syncthreads();
    for (unsigned w = 0; w < blockDim.x / GDRQ_WARP; ++w)
        value = fmaxf(value, of_warp[w]);
    __syncthreads();
    return value;
}

/* Values of at least `least` and at most `most`, 0 among them. */
struct gdrq_extremes {
    float least, most;

    __device__ gdrq_extremes() : least(0), most(0) {
    }
    __device__ void add(float value) {
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    /* Of all threads. */
    __device__ gdrq_extremes of_block() const {
        gdrq_extremes all;
        all.most = gdrq_block_max(most);
        all.least = -gdrq_block_max(-least);
        return all;
    }
};

/* The least T that clips nothing but what the range has no codes for; 0 if there is no grid. */
static __device__ __forceinline__ float gdrq_whole_range(const gdrq_extremes &of,
                                                         const gdrq_grid_family &family) {
    const gdrq_grid grid = gdrq_ranged_grid(family.bits, family.range, family.slope, 1);
    const float below = grid.min < 0 ? of.least * (float)grid.max / (float)grid.min : 0;
    const float whole = below > of.most ? below : of.most;
    return gdrq_ranged_grid(family.bits, family.range, family.slope, whole).step == 0 ? 0 : whole;
}

/* By one block, whose threads all call it and get the same. Reads x 7 times, once per round. */
static __device__ float gdrq_block_rounds(const float *x, size_t n, const gdrq_extremes &of,
                                          const gdrq_grid_family &family, int norm) {
    __shared__ gdrq_search_round r;
    gdrq_search_state state = {gdrq_whole_range(of, family), INFINITY};
    if (state.best == 0)
        return 0;
    for (int round = 0; round < GDRQ_SEARCH_ROUNDS; ++round) {
        gdrq_make_candidates(state.best, round, family, &r);
        gdrq_try_candidates(x, 0, n, round, norm, &r);
        state = gdrq_choose(state, round, norm, &r);
    }
    return state.best;
}

/* The same with the values' extremes: reads x 8 times. */
static __device__ __forceinline__ float
gdrq_block_search(const float *x, size_t n, const gdrq_grid_family &family, int norm) {
    gdrq_extremes of;
    for (size_t i = threadIdx.x; i < n; i += blockDim.x)
        of.add(x[i]);
    return gdrq_block_rounds(x, n, of.of_block(), family, norm);
}

#endif
