/* Loops without a counter, for devices. */
#ifndef GDRQ_BASE_CUDA_UNROLLED_CUH
#define GDRQ_BASE_CUDA_UNROLLED_CUH

/* A loop over constantly many i, whose arrays shall be registers. */
#ifdef __CUDACC__
#define GDRQ_UNROLLED(i, n) _Pragma("unroll") for (int i = 0; i < (n); ++i)
#else
#define GDRQ_UNROLLED(i, n) for (int i = 0; i < (n); ++i)
#endif

#endif
