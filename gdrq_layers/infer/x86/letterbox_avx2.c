/* Two pixels of a resized row at a time, one in each half of a register. */
#include <immintrin.h>
#include <string.h>

#include "infer/letterbox.h"

enum {
    CHANNELS = 3,
    LOADED = 8, /* bytes: two neighbours and two bytes more */
    SUM_BITS = 2 * GDRQ_LETTERBOX_BITS,
};

static inline __m256i both(__m128i first, __m128i second) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
}

static inline __m256i load_neighbours(const uint8_t *row, const gdrq_column *two) {
    return both(_mm_loadl_epi64((const __m128i *)(row + two[0].first)),
                _mm_loadl_epi64((const __m128i *)(row + two[1].first)));
}

/* The pair of weights, left and right, for all channels. */
static inline __m128i load_weights(const gdrq_column *column) {
    int pair;
    memcpy(&pair, &column->left, sizeof pair);
    return _mm_set1_epi32(pair);
}

/* Four bytes, the last of which is not of the pixel. */
static inline void store_pixel(__m128i pixel, uint8_t *out) {
    const int bytes = _mm_cvtsi128_si32(pixel);
    memcpy(out, &bytes, sizeof bytes);
}

/* Columns whose loads end within the row. Their offsets ascend. */
static int safe_columns(const gdrq_resize_row *row) {
    int n = row->n;
    while (n > 0 && row->columns[n - 1].first + LOADED > row->bytes)
        n--;
    return n;
}

int gdrq_resize_row_avx2(const gdrq_resize_row *row, uint8_t *out) {
    /* Both neighbours of a channel, widened to 16 bits, side by side, in the order of RGB. */
    const __m256i rgb = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i bgr = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(2, -1, 5, -1, 1, -1, 4, -1, 0, -1, 3, -1, -1, -1, -1, -1));
    const __m256i order = row->order == GDRQ_RGB ? rgb : bgr;
    const __m256i lowest_bytes = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 4, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    const __m256i weight = _mm256_set1_epi32(row->weight);
    const __m256i round = _mm256_set1_epi32(1 << (SUM_BITS - 1));
    const int n = safe_columns(row);
    int x = 0;
    for (; x + 2 <= n && x + 2 < row->n; x += 2) {
        const gdrq_column *const two = row->columns + x;
        const __m256i weights = both(load_weights(two), load_weights(two + 1));
        const __m256i above =
            _mm256_madd_epi16(_mm256_shuffle_epi8(load_neighbours(row->top, two), order), weights);
        const __m256i below = _mm256_madd_epi16(
            _mm256_shuffle_epi8(load_neighbours(row->bottom, two), order), weights);
        /* (1 - w) * above + w * below, with one product. */
        const __m256i sum =
            _mm256_add_epi32(_mm256_slli_epi32(above, GDRQ_LETTERBOX_BITS),
                             _mm256_mullo_epi32(weight, _mm256_sub_epi32(below, above)));
        const __m256i codes = _mm256_shuffle_epi8(
            _mm256_srli_epi32(_mm256_add_epi32(sum, round), SUM_BITS), lowest_bytes);
        store_pixel(_mm256_castsi256_si128(codes), out + (size_t)x * CHANNELS);
        store_pixel(_mm256_extracti128_si256(codes, 1), out + (size_t)(x + 1) * CHANNELS);
    }
    return x;
}
