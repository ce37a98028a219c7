/* Four neighbouring words, which devices load and store at once; codes in words. */
#ifndef GDRQ_INFER_CUDA_VECTORS_CUH
#define GDRQ_INFER_CUDA_VECTORS_CUH

#include "base/cuda/unrolled.cuh"

struct alignas(16) gdrq_words {
    unsigned at[4];
};

struct alignas(16) gdrq_floats {
    float at[4];
};

/* The larger of each two of four codes. */
#ifdef __CUDACC__
static __device__ __forceinline__ unsigned gdrq_larger_codes(unsigned a, unsigned b) {
    return __vmaxu4(a, b);
}
#else
static inline unsigned gdrq_larger_codes(unsigned a, unsigned b) {
    unsigned larger = 0;
    for (int shift = 0; shift < 32; shift += 8) {
        const unsigned of_a = a >> shift & 0xff, of_b = b >> shift & 0xff;
        larger |= (of_a > of_b ? of_a : of_b) << shift;
    }
    return larger;
}
#endif

#endif
