#include "infer/x86/products_avx2.h"

/* Two codes by two weights, of 16 bits each. */
INLINE ints add_products(ints sums, ints codes, ints weights) {
    return add_ints(sums, _mm256_madd_epi16(codes, weights));
}

#include "infer/x86/products.h"

/* sums = before + n steps of all pixels; where they are the first ones, `before` is the same for
 * all pixels. */
INLINE void add_narrow(const int m, const int v, const bool first, const pixels *x, size_t offset,
                       int n, const char *weights, const int32_t *before, int32_t *sums) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i acc[PIXELS][2];
    UNROLL
    for (int t = 0; t < m; t++)
        acc[t][0] = acc[t][1] = _mm256_setzero_si256();
    do {
        __m256i of_half[2];
        for (int half = 0; half < v; half++) {
            of_half[half] = load_ints((const int32_t *)(weights + half * 32));
            _mm_prefetch(weights + half * 32 + AHEAD, _MM_HINT_T0);
        }
        UNROLL
        for (int t = 0; t < m; t++) {
            const __m256i codes = _mm256_set1_epi32(step_at(x, t, offset));
            for (int half = 0; half < v; half++)
                acc[t][half] =
                    _mm256_add_epi16(acc[t][half], _mm256_maddubs_epi16(codes, of_half[half]));
        }
        offset += STEP;
        weights += v * 32;
    } while (--n > 0);
    UNROLL
    for (int t = 0; t < m; t++)
        for (int half = 0; half < v; half++)
            store_ints(sums + t * FILTERS + half * LANES,
                       add_ints(load_ints(before + (first ? 0 : t * FILTERS) + half * LANES),
                                _mm256_madd_epi16(acc[t][half], ones)));
}

INLINE void multiply_narrow(const int m, const int v, const windows *w, const char *weights,
                            const int32_t *start, int32_t *sums) {
    const pixels x = pixels_at(w);
    const int steps = w->row_bytes / STEP;
    for (int row = 0; row < w->rows; row++)
        for (int i = 0, n; i < steps; i += n) {
            const size_t offset = (size_t)row * w->row + (size_t)i * STEP;
            n = min_int(steps - i, w->flush);
            if (offset == 0)
                add_narrow(m, v, true, &x, offset, n, weights, start, sums);
            else
                add_narrow(m, v, false, &x, offset, n, weights, sums, sums);
            weights += (size_t)n * STEP * LANES * (size_t)v;
        }
}

#define multiply_wide multiply_at_once
#define BOTH(m) MULTIPLY(narrow, m) MULTIPLY(wide, m)
BOTH(1)
BOTH(2)
BOTH(3)
BOTH(4)
BOTH(5)
BOTH(6)

#define TABLE(kind, v) \
    { kind##_1_##v, kind##_2_##v, kind##_3_##v, kind##_4_##v, kind##_5_##v, kind##_6_##v }
multiply_table gdrq_multiply_avx2_narrow = {TABLE(narrow, 1), TABLE(narrow, 2)};
multiply_table gdrq_multiply_avx2_wide = {TABLE(wide, 1), TABLE(wide, 2)};
