/* Four neighbouring words, which devices load and store at once, and loops without a counter. */
#ifndef GDRQ_INFER_CUDA_VECTORS_CUH
#define GDRQ_INFER_CUDA_VECTORS_CUH

/* A loop over constantly many i, whose arrays shall be registers. */
#ifdef __CUDACC__
#define GDRQ_UNROLLED(i, n) _Pragma("unroll") for (int i = 0; i < (n); ++i)
#else
#define GDRQ_UNROLLED(i, n) for (int i = 0; i < (n); ++i)
#endif

struct alignas(16) gdrq_words {
    unsigned at[4];
};

struct alignas(16) gdrq_floats {
    float at[4];
};

#endif
