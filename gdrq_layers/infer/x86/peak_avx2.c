#include <immintrin.h>

#include "infer/peak.h"

/* A product that the compiler takes neither out of the loop nor for the same as the one before. */
static inline __m256i product(__m256i x, __m256i w) {
    __m256i sums;
    __asm__ volatile("vpmaddubsw %2, %1, %0" : "=x"(sums) : "x"(x), "x"(w));
    return sums;
}

/* VPMADDUBSW and VPADDW on twelve independent sums, as the narrow convolution has them. */
void gdrq_peak_avx2(long rounds) {
    __m256i sums[12];
    const __m256i x = _mm256_set1_epi8(1), w = _mm256_set1_epi8(2);
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++)
        sums[i] = _mm256_setzero_si256();
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            sums[i] = _mm256_add_epi16(sums[i], product(x, w));
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++)
        __asm__ volatile("" : : "x"(sums[i]));
}
