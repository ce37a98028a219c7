/* How passes over whole tensors are divided: into so many blocks that the GPU is busy, each of
   which takes elements in strides. */
#ifndef GDRQ_QUANT_CUDA_BLOCKS_CUH
#define GDRQ_QUANT_CUDA_BLOCKS_CUH

#include "quant/cuda/activations.h"
#include "quant/cuda/reduce.cuh"

static inline unsigned gdrq_blocks_for(size_t n) {
    const size_t elements = 8 * (size_t)GDRQ_THREADS, blocks = (n + elements - 1) / elements;
    return blocks > GDRQ_CUDA_SUMS ? (unsigned)GDRQ_CUDA_SUMS : blocks < 1 ? 1 : (unsigned)blocks;
}

static __device__ __forceinline__ size_t gdrq_first_index() {
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ __forceinline__ size_t gdrq_index_stride() {
    return (size_t)gridDim.x * blockDim.x;
}

/* The same for arrays of the host's layers, which have fewer than 2^31 values: indices of 32 bits
   divide faster. */
static __device__ __forceinline__ unsigned gdrq_short_index() {
    return blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ __forceinline__ unsigned gdrq_short_stride() {
    return gridDim.x * blockDim.x;
}

#endif
