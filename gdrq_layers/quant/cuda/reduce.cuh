/* Sums over the threads of a block. Blocks are whole warps in x. */
#ifndef GDRQ_QUANT_CUDA_REDUCE_CUH
#define GDRQ_QUANT_CUDA_REDUCE_CUH

#include <cuda_runtime.h>
#include <math.h>

#include "base/everywhere.h"

enum { GDRQ_WARP = 32, GDRQ_THREADS = 256, GDRQ_SHORT_SUM = 64 };

/* All threads of the block call it, and each gets the sum; its order does not depend on timing. */
template <class T> static __device__ T gdrq_block_sum(T value) {
    __shared__ T of_warp[GDRQ_WARP];
    for (int lanes = GDRQ_WARP / 2; lanes > 0; lanes /= 2)
        value += __shfl_xor_sync(~0u, value, lanes);
    if (threadIdx.x % GDRQ_WARP == 0)
        of_warp[threadIdx.x / GDRQ_WARP] = value;
    __syncthreads();
    T total = 0;
    for (unsigned w = 0; w < blockDim.x / GDRQ_WARP; ++w)
        total += of_warp[w];
    __syncthreads();
    return total;
}

/* Adds floats: in a float as long as that is precise enough, 64 terms (an error below 2^-18), and
   those sums in a double, of which most GPUs do few per clock. */
struct gdrq_long_sum {
    double sum;
    float part;
    int terms;

    __device__ gdrq_long_sum() : sum(0), part(0), terms(0) {
    }
    __device__ void add(float value) {
        part += value;
        if (++terms == GDRQ_SHORT_SUM) {
            sum += (double)part;
            part = 0;
            terms = 0;
        }
    }
    __device__ double total() const {
        return sum + (double)part;
    }
};

/* Adds floats nearly as precisely as a double would (2^-45), in two floats: what each addition
   rounds away is added up by itself. For sums whose difference counts; 7 operations a term, 10 a
   square. */
struct gdrq_pair_sum {
    float high, low;

    __device__ gdrq_pair_sum() : high(0), low(0) {
    }
    __device__ void add(float value) {
        const float sum = high + value, added = sum - high;
        low += (high - (sum - added)) + (value - added);
        high = sum;
    }
    __device__ void add_square(float value) {
        const float square = value * value;
        add(square);
        low += fmaf(value, value, -square);
    }
    __device__ double total() const {
        return (double)high + (double)low;
    }
};

/* Of |x[i]|, begin <= i < end, over the block. */
static __device__ __forceinline__ double gdrq_block_sum_abs(const float *x, size_t begin,
                                                            size_t end) {
    gdrq_long_sum sum;
    for (size_t i = begin + threadIdx.x; i < end; i += blockDim.x)
        sum.add(fabsf(x[i]));
    return gdrq_block_sum(sum.total());
}

/* Of n sums that blocks before have left, in their order. */
static __device__ __forceinline__ double gdrq_block_add_up(const double *sums, int n) {
    double sum = 0;
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x)
        sum += sums[i];
    return gdrq_block_sum(sum);
}

#endif
