/*
 * The vectors that the convolutions of this folder are written in, on AVX2. Another instruction
 * set has the same names in a header of its own; tile.h builds on either.
 */
#ifndef GDRQ_INFER_X86_VECTOR_AVX2_H
#define GDRQ_INFER_X86_VECTOR_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    LANES = 8,  /* of ints and floats */
    PIXELS = 6, /* whose sums with 2*LANES filters stay in registers */
};

typedef __m256i ints;
typedef __m256 floats;
typedef __m256i bytes; /* 4*LANES codes */

INLINE ints load_ints(const int32_t *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}

INLINE void store_ints(int32_t *to, ints v) {
    _mm256_storeu_si256((__m256i *)to, v);
}

INLINE ints set_ints(int32_t v) {
    return _mm256_set1_epi32(v);
}

INLINE ints add_ints(ints a, ints b) {
    return _mm256_add_epi32(a, b);
}

INLINE ints subtract_ints(ints a, ints b) {
    return _mm256_sub_epi32(a, b);
}

INLINE ints xor_ints(ints a, ints b) {
    return _mm256_xor_si256(a, b);
}

INLINE ints max_ints(ints a, ints b) {
    return _mm256_max_epi32(a, b);
}

INLINE ints multiply_ints(ints a, ints b) {
    return _mm256_mullo_epi32(a, b);
}

/* a / 4, which is whole. */
INLINE ints quarter_ints(ints a) {
    return _mm256_srai_epi32(a, 2);
}

INLINE floats load_floats(const float *from) {
    return _mm256_loadu_ps(from);
}

INLINE void store_floats(float *to, floats v) {
    _mm256_storeu_ps(to, v);
}

INLINE floats set_floats(float v) {
    return _mm256_set1_ps(v);
}

INLINE floats add_floats(floats a, floats b) {
    return _mm256_add_ps(a, b);
}

INLINE floats multiply_floats(floats a, floats b) {
    return _mm256_mul_ps(a, b);
}

/* The greater and the lesser; b, if either is NaN. */
INLINE floats max_floats(floats a, floats b) {
    return _mm256_max_ps(a, b);
}

INLINE floats min_floats(floats a, floats b) {
    return _mm256_min_ps(a, b);
}

/* v > 0 ? 1 : 0 */
INLINE floats is_positive(floats v) {
    const floats positive = _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_GT_OQ);
    return _mm256_and_ps(positive, _mm256_set1_ps(1));
}

/* v < 0 ? -1 : 0 */
INLINE ints sign_of(floats v) {
    return _mm256_srai_epi32(_mm256_castps_si256(v), 31);
}

INLINE floats floats_of(ints v) {
    return _mm256_cvtepi32_ps(v);
}

/* Half to even; NaN and what 32 bits don't hold become INT32_MIN. */
INLINE ints rounded(floats v) {
    return _mm256_cvtps_epi32(v);
}

typedef __m256i words; /* 2*LANES of int16 */

INLINE words set_words(int16_t v) {
    return _mm256_set1_epi16(v);
}

/* All lanes of a, b, c and d in this order, less `lowest`, clipped to bytes. */
INLINE bytes narrowed(ints a, ints b, ints c, ints d, words lowest) {
    const words low = _mm256_sub_epi16(_mm256_packs_epi32(a, b), lowest);
    const words high = _mm256_sub_epi16(_mm256_packs_epi32(c, d), lowest);
    return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high),
                                       _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

INLINE void store_bytes(uint8_t *to, bytes v) {
    _mm256_storeu_si256((__m256i *)to, v);
}

INLINE void store_low_half(uint8_t *to, bytes v) {
    _mm_storeu_si128((__m128i *)to, _mm256_castsi256_si128(v));
}

INLINE void store_high_half(uint8_t *to, bytes v) {
    _mm_storeu_si128((__m128i *)to, _mm256_extracti128_si256(v, 1));
}

#endif
