/* What vector_avx2.h has, on AVX-512. */
#ifndef GDRQ_INFER_X86_VECTOR_AVX512VNNI_H
#define GDRQ_INFER_X86_VECTOR_AVX512VNNI_H

#include <immintrin.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    LANES = 16,  /* of ints and floats */
    PIXELS = 14, /* whose sums with 2*LANES filters stay in registers */
};

typedef __m512i ints;
typedef __m512 floats;
typedef __m512i bytes; /* 4*LANES codes */

INLINE ints load_ints(const int32_t *from) {
    return _mm512_loadu_si512(from);
}

INLINE void store_ints(int32_t *to, ints v) {
    _mm512_storeu_si512(to, v);
}

INLINE ints set_ints(int32_t v) {
    return _mm512_set1_epi32(v);
}

INLINE ints add_ints(ints a, ints b) {
    return _mm512_add_epi32(a, b);
}

INLINE ints subtract_ints(ints a, ints b) {
    return _mm512_sub_epi32(a, b);
}

INLINE ints xor_ints(ints a, ints b) {
    return _mm512_xor_si512(a, b);
}

INLINE ints max_ints(ints a, ints b) {
    return _mm512_max_epi32(a, b);
}

INLINE ints multiply_ints(ints a, ints b) {
    return _mm512_mullo_epi32(a, b);
}

/* a / 4, which is whole. */
INLINE ints quarter_ints(ints a) {
    return _mm512_srai_epi32(a, 2);
}

INLINE floats load_floats(const float *from) {
    return _mm512_loadu_ps(from);
}

INLINE void store_floats(float *to, floats v) {
    _mm512_storeu_ps(to, v);
}

INLINE floats set_floats(float v) {
    return _mm512_set1_ps(v);
}

INLINE floats add_floats(floats a, floats b) {
    return _mm512_add_ps(a, b);
}

INLINE floats multiply_floats(floats a, floats b) {
    return _mm512_mul_ps(a, b);
}

/* The greater and the lesser; b, if either is NaN. */
INLINE floats max_floats(floats a, floats b) {
    return _mm512_max_ps(a, b);
}

INLINE floats min_floats(floats a, floats b) {
    return _mm512_min_ps(a, b);
}

/* v > 0 ? 1 : 0 */
INLINE floats is_positive(floats v) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_GT_OQ),
                               _mm512_set1_ps(1));
}

/* v < 0 ? -1 : 0 */
INLINE ints sign_of(floats v) {
    return _mm512_srai_epi32(_mm512_castps_si512(v), 31);
}

INLINE floats floats_of(ints v) {
    return _mm512_cvtepi32_ps(v);
}

/* Half to even; NaN and what 32 bits don't hold become INT32_MIN. */
INLINE ints rounded(floats v) {
    return _mm512_cvtps_epi32(v);
}

typedef __m512i words; /* 2*LANES of int16 */

INLINE words set_words(int16_t v) {
    return _mm512_set1_epi16(v);
}

/* All lanes of a, b, c and d in this order, less `lowest`, clipped to bytes. */
INLINE bytes narrowed(ints a, ints b, ints c, ints d, words lowest) {
    const words low = _mm512_sub_epi16(_mm512_packs_epi32(a, b), lowest);
    const words high = _mm512_sub_epi16(_mm512_packs_epi32(c, d), lowest);
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        _mm512_packus_epi16(low, high));
}

INLINE void store_bytes(uint8_t *to, bytes v) {
    _mm512_storeu_si512(to, v);
}

INLINE void store_low_half(uint8_t *to, bytes v) {
    _mm256_storeu_si256((__m256i *)to, _mm512_castsi512_si256(v));
}

INLINE void store_high_half(uint8_t *to, bytes v) {
    _mm256_storeu_si256((__m256i *)to, _mm512_extracti64x4_epi64(v, 1));
}

#endif
