/*
 * Stands before the compiler's header of this name where kernels of an instruction set are built
 * for a machine without it: SIMDe's functions of plain C under the same names.
 */
#ifndef EMULATED_IMMINTRIN_H
#define EMULATED_IMMINTRIN_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

/* What SIMDe 0.7.4 lacks. */
static inline __m512i _mm512_srai_epi32(__m512i v, unsigned int n) {
    simde__m512i_private numbers = simde__m512i_to_private(v);
    for (int i = 0; i < 16; i++)
        numbers.i32[i] >>= n;
    return simde__m512i_from_private(numbers);
}

static inline __m512 _mm512_cvtepi32_ps(__m512i v) {
    simde__m512_private values;
    const simde__m512i_private numbers = simde__m512i_to_private(v);
    for (int i = 0; i < 2; i++)
        values.m256[i] = _mm256_cvtepi32_ps(numbers.m256i[i]);
    return simde__m512_from_private(values);
}

static inline __m512i _mm512_cvtps_epi32(__m512 v) {
    simde__m512i_private numbers;
    const simde__m512_private values = simde__m512_to_private(v);
    for (int i = 0; i < 2; i++)
        numbers.m256i[i] = _mm256_cvtps_epi32(values.m256[i]);
    return simde__m512i_from_private(numbers);
}

#endif
