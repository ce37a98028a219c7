/* Small functions that the CPU and CUDA kernels share, so that both compute the same. */
#ifndef GDRQ_BASE_EVERYWHERE_H
#define GDRQ_BASE_EVERYWHERE_H

#ifdef __CUDACC__
#define GDRQ_EVERYWHERE static __host__ __device__ __forceinline__
#else
#define GDRQ_EVERYWHERE static inline __attribute__((always_inline))
#endif

#endif
