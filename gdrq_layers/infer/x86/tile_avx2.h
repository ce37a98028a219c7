/*
 * What the convolutions on AVX2 share: sums of a tile of up to 6 pixels by 16 filters, which stay
 * in registers while the weights stream by once, and what becomes of them.
 *
 * narrow: bytes. VPMADDUBSW multiplies 32 codes by 32 weights and adds them in pairs to 16 bits,
 * which hold floor(32767 / (2 * code * weight)) of such pairs before VPMADDWD widens them to 32.
 * wide: the same in 16 bits with VPMADDWD alone, for 8 bits by 8.
 *
 * Each product's operands are one broadcast of STEP bytes of a window's row and one load of the
 * weights for it: 16 filters by 4 channels (narrow) or by 2 (wide).
 */
#ifndef GDRQ_INFER_X86_TILE_AVX2_H
#define GDRQ_INFER_X86_TILE_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "infer/conv_kernel.h"

enum {
    PIXELS = 6,
    FILTERS = 16,
    STEP = 4,              /* bytes of the input that one broadcast takes */
    WEIGHTS = 4 * FILTERS, /* bytes of the weights for it */
};

static inline int min_int(int a, int b) {
    return a < b ? a : b;
}

/* With those that are missing in the last tile. */
static inline int padded_filters(const gdrq_int_conv *conv) {
    return (conv->out.c + FILTERS - 1) / FILTERS * FILTERS;
}

/* Windows of up to PIXELS pixels, and how to walk through them. */
typedef struct windows {
    const char *at[PIXELS];
    size_t pitch; /* bytes from row to row */
    int rows;
    int row_bytes; /* of a window's row; a multiple of STEP */
    int flush;     /* narrow: steps that 16 bits hold */
} windows;

typedef struct tile_sums {
    __m256i at[PIXELS][2];
} tile_sums;

#define INLINE static inline __attribute__((always_inline))

/* sums += the products of all windows. A function per number of pixels, whose accumulators are
 * then registers. */
typedef void add_function(const windows *w, const char *weights, tile_sums *sums);
add_function gdrq_add_narrow_1, gdrq_add_narrow_2, gdrq_add_narrow_3, gdrq_add_narrow_4,
    gdrq_add_narrow_5, gdrq_add_narrow_6, gdrq_add_wide_1, gdrq_add_wide_2, gdrq_add_wide_3,
    gdrq_add_wide_4, gdrq_add_wide_5, gdrq_add_wide_6;

/* By number of pixels - 1; [0] narrow, [1] wide. */
static add_function *const add_functions[2][PIXELS] = {
    {gdrq_add_narrow_1, gdrq_add_narrow_2, gdrq_add_narrow_3, gdrq_add_narrow_4, gdrq_add_narrow_5,
     gdrq_add_narrow_6},
    {gdrq_add_wide_1, gdrq_add_wide_2, gdrq_add_wide_3, gdrq_add_wide_4, gdrq_add_wide_5,
     gdrq_add_wide_6},
};

/* As gdrq_int_finish(): multiplied, then added, never fused. */
INLINE __m256 activated(const gdrq_epilogue *e, __m256i sums, const float *scale,
                        const float *bias) {
    const __m256 zero = _mm256_setzero_ps();
    const __m256 v = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(scale), _mm256_cvtepi32_ps(sums)),
                                   _mm256_loadu_ps(bias));
    const __m256 positive = _mm256_cmp_ps(v, zero, _CMP_GT_OQ);
    if (e->activation == GDRQ_INT_RELU)
        return _mm256_mul_ps(v, _mm256_and_ps(positive, _mm256_set1_ps(1)));
    if (e->activation == GDRQ_INT_LEAKY)
        return _mm256_blendv_ps(_mm256_mul_ps(_mm256_set1_ps(.1f), v), v, positive);
    return v;
}

/* Stored codes in 32 bits. MAXPS gives its second operand for a NaN, as the reference's min. */
INLINE __m256i encoded(const gdrq_grid *grid, __m256 y) {
    __m256 v = _mm256_mul_ps(y, _mm256_set1_ps(grid->inv_step));
    v = _mm256_max_ps(v, _mm256_set1_ps((float)grid->min));
    v = _mm256_min_ps(v, _mm256_set1_ps((float)grid->max));
    return _mm256_sub_epi32(_mm256_cvtps_epi32(v), _mm256_set1_epi32(grid->min));
}

/* 16 codes of one pixel in their order. */
INLINE __m128i narrowed(__m256i low, __m256i high) {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
    return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

/* A tile's place in the output. */
typedef struct place {
    int pixel, pixels, filter, filters;
} place;

/* The scales of 16 filters, zeros where there are fewer. */
typedef struct tile_scales {
    float scale[FILTERS], bias[FILTERS];
} tile_scales;

static inline tile_scales scales_at(const gdrq_epilogue *e, int filter, int filters) {
    tile_scales s = {{0}, {0}};
    memcpy(s.scale, e->scale + filter, (size_t)filters * sizeof *s.scale);
    memcpy(s.bias, e->bias + filter, (size_t)filters * sizeof *s.bias);
    return s;
}

static inline void store_codes(const gdrq_int_conv *conv, const gdrq_epilogue *e,
                               const tile_scales *s, const place *at, const tile_sums *sums,
                               uint8_t *codes) {
    for (int t = 0; t < at->pixels; t++) {
        const __m256i low = encoded(e->grid, activated(e, sums->at[t][0], s->scale, s->bias));
        const __m256i high =
            encoded(e->grid, activated(e, sums->at[t][1], s->scale + 8, s->bias + 8));
        uint8_t *const to = codes + (size_t)(at->pixel + t) * (size_t)conv->out.c + at->filter;
        uint8_t row[FILTERS];
        if (at->filters == FILTERS) {
            _mm_storeu_si128((__m128i *)to, narrowed(low, high));
            continue;
        }
        _mm_storeu_si128((__m128i *)row, narrowed(low, high));
        memcpy(to, row, (size_t)at->filters);
    }
}

/* Whatever else is wanted is the reference's business. */
static inline void finish_elsewhere(const gdrq_int_conv *conv, const gdrq_epilogue *e,
                                    const place *at, const tile_sums *sums,
                                    const gdrq_int_output *out) {
    int32_t all[PIXELS][GDRQ_TILE_FILTERS];
    for (int t = 0; t < at->pixels; t++)
        for (int half = 0; half < 2; half++)
            _mm256_storeu_si256((__m256i *)(all[t] + 8 * half), sums->at[t][half]);
    const gdrq_int_tile tile = {.first_pixel = at->pixel,
                                .pixels = at->pixels,
                                .first_filter = at->filter,
                                .filters = at->filters};
    gdrq_int_finish(e, conv->out, &tile, all[0], out);
}

static inline void finish(const gdrq_int_conv *conv, const gdrq_epilogue *e, const tile_scales *s,
                          const place *at, const tile_sums *sums, const gdrq_int_output *out) {
    if (out->values || e->activation == GDRQ_INT_OTHER)
        finish_elsewhere(conv, e, at, sums, out);
    else
        store_codes(conv, e, s, at, sums, out->codes);
}

#endif
