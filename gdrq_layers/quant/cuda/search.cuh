/* quant/search.h by one block, whose threads all call it and get the same. */
#ifndef GDRQ_QUANT_CUDA_SEARCH_CUH
#define GDRQ_QUANT_CUDA_SEARCH_CUH

#include "quant/cuda/reduce.cuh"
#include "quant/grid_steps.h"
#include "quant/pointwise.h"
#include "quant/search.h"

static __device__ __forceinline__ double gdrq_block_loss(const float *x, size_t n,
                                                         const gdrq_grid_family &family,
                                                         float threshold, int norm) {
    const gdrq_grid grid = gdrq_ranged_grid(family.bits, family.range, family.slope, threshold);
    if (grid.step == 0)
        return INFINITY;
    gdrq_long_sum sum;
    for (size_t i = threadIdx.x; i < n; i += blockDim.x)
        sum.add(gdrq_error_power(
            gdrq_rounding_error(x[i] * grid.inv_step, (float)grid.min, (float)grid.max), norm));
    return gdrq_block_sum(sum.total()) * pow((double)grid.step, (double)norm);
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

/* The least T that clips nothing but what the range has no codes for. */
static __device__ __forceinline__ float gdrq_block_whole_range(const float *x, size_t n,
                                                               const gdrq_grid_family &family) {
    const gdrq_grid grid = gdrq_ranged_grid(family.bits, family.range, family.slope, 1);
    float least = 0, most = 0;
    for (size_t i = threadIdx.x; i < n; i += blockDim.x) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    most = gdrq_block_max(most);
    least = -gdrq_block_max(-least);
    const float below = grid.min < 0 ? least * (float)grid.max / (float)grid.min : 0;
    return below > most ? below : most;
}

/* Reads x 30 times. */
static __device__ float gdrq_block_search(const float *x, size_t n, const gdrq_grid_family &family,
                                          int norm) {
    const float whole = gdrq_block_whole_range(x, n, family);
    if (gdrq_ranged_grid(family.bits, family.range, family.slope, whole).step == 0)
        return 0;
    float best = whole;
    double least = gdrq_block_loss(x, n, family, whole, norm), ratio = 2;
    for (int i = 1; i <= GDRQ_SEARCH_COARSE + 2 * GDRQ_SEARCH_FINE; ++i) {
        const int fine = i - GDRQ_SEARCH_COARSE - 1;
        __shared__ float around[2];
        if (threadIdx.x == 0 && fine < 0)
            around[0] = (float)((double)whole * pow(2., (double)-i));
        if (fine >= 0 && fine % 2 == 0) {
            ratio = sqrt(ratio);
            if (threadIdx.x == 0) {
                around[0] = (float)((double)best / ratio);
                around[1] = (float)((double)best * ratio);
            }
        }
        __syncthreads();
        const float threshold = around[fine >= 0 ? fine % 2 : 0];
        const double loss = gdrq_block_loss(x, n, family, threshold, norm);
        if (loss < least) {
            least = loss;
            best = threshold;
        }
        __syncthreads();
    }
    return best;
}

#endif
