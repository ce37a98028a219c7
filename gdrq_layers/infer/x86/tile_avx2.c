#include "infer/x86/tile_avx2.h"

INLINE __m256i broadcast(const char *codes) {
    int32_t word;
    memcpy(&word, codes, sizeof word);
    return _mm256_set1_epi32(word);
}

/* n steps of all pixels, added up in 16 bits and then to the sums. */
INLINE void add_narrow(const int m, const windows *w, size_t offset, int n, const char *weights,
                       tile_sums *sums) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i acc[PIXELS][2];
    for (int t = 0; t < m; t++)
        acc[t][0] = acc[t][1] = _mm256_setzero_si256();
    for (int i = 0; i < n; i++) {
        const __m256i w0 = _mm256_load_si256((const __m256i *)(weights + (size_t)i * WEIGHTS));
        const __m256i w1 = _mm256_load_si256((const __m256i *)(weights + (size_t)i * WEIGHTS + 32));
        for (int t = 0; t < m; t++) {
            const __m256i x = broadcast(w->at[t] + offset + (size_t)i * STEP);
            acc[t][0] = _mm256_add_epi16(acc[t][0], _mm256_maddubs_epi16(x, w0));
            acc[t][1] = _mm256_add_epi16(acc[t][1], _mm256_maddubs_epi16(x, w1));
        }
    }
    for (int t = 0; t < m; t++)
        for (int half = 0; half < 2; half++)
            sums->at[t][half] =
                _mm256_add_epi32(sums->at[t][half], _mm256_madd_epi16(acc[t][half], ones));
}

INLINE void add_wide(const int m, const windows *w, size_t offset, int n, const char *weights,
                     tile_sums *sums) {
    __m256i acc[PIXELS][2];
    for (int t = 0; t < m; t++)
        for (int half = 0; half < 2; half++)
            acc[t][half] = sums->at[t][half];
    for (int i = 0; i < n; i++) {
        const __m256i w0 = _mm256_load_si256((const __m256i *)(weights + (size_t)i * WEIGHTS));
        const __m256i w1 = _mm256_load_si256((const __m256i *)(weights + (size_t)i * WEIGHTS + 32));
        for (int t = 0; t < m; t++) {
            const __m256i x = broadcast(w->at[t] + offset + (size_t)i * STEP);
            acc[t][0] = _mm256_add_epi32(acc[t][0], _mm256_madd_epi16(x, w0));
            acc[t][1] = _mm256_add_epi32(acc[t][1], _mm256_madd_epi16(x, w1));
        }
    }
    for (int t = 0; t < m; t++)
        for (int half = 0; half < 2; half++)
            sums->at[t][half] = acc[t][half];
}

INLINE void add_rows(const int m, const bool is_narrow, const windows *w, const char *weights,
                     tile_sums *sums) {
    const int steps = w->row_bytes / STEP;
    for (int row = 0; row < w->rows; row++)
        for (int i = 0, n; i < steps; i += n) {
            const size_t offset = (size_t)row * w->pitch + (size_t)i * STEP;
            n = is_narrow && steps - i > w->flush ? w->flush : steps - i;
            if (is_narrow)
                add_narrow(m, w, offset, n, weights, sums);
            else
                add_wide(m, w, offset, n, weights, sums);
            weights += (size_t)n * WEIGHTS;
        }
}

#define ADD(m)                                                                         \
    void gdrq_add_narrow_##m(const windows *w, const char *weights, tile_sums *sums) { \
        add_rows(m, true, w, weights, sums);                                           \
    }                                                                                  \
    void gdrq_add_wide_##m(const windows *w, const char *weights, tile_sums *sums) {   \
        add_rows(m, false, w, weights, sums);                                          \
    }
ADD(1)
ADD(2)
ADD(3)
ADD(4)
ADD(5)
ADD(6)
