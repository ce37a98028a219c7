/*
 * Products of codes that CUDA C++ has no functions for.
 *
 * The tensor cores' product of 8-bit integers, D = A * B + C: A has 16 rows and 32 columns, B 32
 * rows and 8 columns, D and C 16 rows and 8 columns of int32. It is a warp's, whose lanes hold the
 * matrices in fragments (PTX ISA, "Matrix Fragments for mma.m16n8k32"). With group = lane / 4 and
 * member = lane % 4:
 *
 *   a[i], byte k   row group + 8 * (i % 2),        column 4 * member + 16 * (i / 2) + k
 *   b[i], byte k   row 4 * member + 16 * i + k,    column group
 *   c[i], d[i]     row group + 8 * (i / 2),        column 2 * member + i % 2
 *
 * Byte 0 is the lowest. Below compute capability 8.0 four products of smaller matrices take its
 * place, and below 7.5 there is none.
 */
#ifndef GDRQ_INFER_CUDA_MMA_CUH
#define GDRQ_INFER_CUDA_MMA_CUH

#include <cuda_runtime.h>

/* A unsigned, B signed: codes of activations times codes of weights. d = c at first. */
#ifdef __CUDACC__
static __device__ __forceinline__ void gdrq_mma_u8s8(int d[4], const unsigned a[4],
                                                     const unsigned b[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 750
    /* sm_75 multiplies smaller tiles: rows 0..7 and 8..15, columns 0..15 and 16..31 apart. */
    for (int i = 0; i < 4; ++i)
        asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 "
                     "{%0, %1}, {%2}, {%3}, {%0, %1};"
                     : "+r"(d[2 * (i % 2)]), "+r"(d[2 * (i % 2) + 1])
                     : "r"(a[i]), "r"(b[i / 2]));
#else
    (void)d, (void)a, (void)b;
    __trap(); /* kernels that need it are not chosen there */
#endif
}
#else
static inline void gdrq_mma_u8s8(int d[4], const unsigned a[4], const unsigned b[2]) {
    uint64_t a_of[2][32], b_of[32];
    memcpy(a_of[0], emulation::exchange(~0u, a[0] | (uint64_t)a[1] << 32, "mma a"), sizeof a_of[0]);
    memcpy(a_of[1], emulation::exchange(~0u, a[2] | (uint64_t)a[3] << 32, "mma a"), sizeof a_of[1]);
    memcpy(b_of, emulation::exchange(~0u, b[0] | (uint64_t)b[1] << 32, "mma b"), sizeof b_of);
    const int group = (int)emulation::lane() / 4, member = (int)emulation::lane() % 4;
    for (int i = 0; i < 4; ++i) {
        const int row = group + 8 * (i / 2), column = 2 * member + i % 2;
        for (int k = 0; k < 32; ++k) {
            const int owner = k % 16 / 4, byte = k % 4;
            const uint64_t of_a = a_of[k / 16][row % 8 * 4 + owner];
            const uint64_t of_b = b_of[column * 4 + owner];
            d[i] += (uint8_t)(of_a >> (32 * (row / 8) + 8 * byte)) *
                    (int8_t)(of_b >> (32 * (k / 16) + 8 * byte));
        }
    }
}
#endif

/* c + the four products of the bytes of a, unsigned, and b, signed: an instruction from compute
   capability 6.1 on. */
#if defined(__CUDACC__) && (!defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 610)
static __device__ __forceinline__ int gdrq_dp4a_u8s8(unsigned a, unsigned b, int c) {
    int d;
    asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}
#else
static __device__ __forceinline__ int gdrq_dp4a_u8s8(unsigned a, unsigned b, int c) {
    for (int k = 0; k < 4; ++k)
        c += (uint8_t)(a >> 8 * k) * (int8_t)(b >> 8 * k);
    return c;
}
#endif

#endif
