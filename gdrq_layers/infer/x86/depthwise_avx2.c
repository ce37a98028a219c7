/*
 * Depthwise convolutions on AVX2: a filter per channel, 16 of them at a time, two positions of the
 * window per multiplication.
 *
 * narrow: VPMADDUBSW on codes of two positions side by side, in 16-bit sums that hold all pairs of
 * the window. wide: VPMADDWD on the same in 16 bits, in 32-bit sums.
 *
 * Packed weights: [channels / 16][pairs of positions][16][2], bytes (narrow) or int16 (wide, the
 * channels in the order 0..3, 8..11, 4..7, 12..15 of _mm256_unpack*); behind them the filters' sums
 * of weights. A position or filter that is missing has weights of 0.
 */
#include "infer/bordered.h"
#include "infer/x86/vector_avx2.h"

#include "infer/x86/tile.h"

/* Pixels that a thread takes at a time. */
enum { CHUNK = 16 * PIXELS, LARGEST = 7 /* side of a window */ };

typedef enum kind { NARROW = 1, WIDE = 2 } kind; /* bytes of a weight */

/* With those that are missing in the last block. */
static int whole_filters(const gdrq_int_conv *conv) {
    return round_up(conv->out.c, FILTERS);
}

static int pairs_of(const gdrq_int_conv *conv) {
    return (conv->size * conv->size + 1) / 2;
}

/* Bytes of the weights of FILTERS filters. */
static size_t block_size(const gdrq_int_conv *conv, kind k) {
    return (size_t)pairs_of(conv) * FILTERS * 2 * (size_t)k;
}

static size_t sums_offset(const gdrq_int_conv *conv, kind k) {
    return (size_t)whole_filters(conv) / FILTERS * block_size(conv, k);
}

static size_t packed_size(const gdrq_int_conv *conv, kind k) {
    return sums_offset(conv, k) + (size_t)whole_filters(conv) * sizeof(int32_t);
}

/* Where filter f of a block lies among the 16. */
static int place_of(int f, kind k) {
    static const int unpacked[FILTERS] = {0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15};
    return k == NARROW ? f : unpacked[f];
}

static void pack(const gdrq_int_conv *conv, kind k, void *packed) {
    const int taps = conv->size * conv->size;
    memset(packed, 0, packed_size(conv, k));
    for (int f = 0; f < conv->out.c; f++)
        for (int tap = 0; tap < taps; tap++) {
            const size_t at = (size_t)(f / FILTERS) * block_size(conv, k) / (size_t)k +
                              (size_t)(tap / 2 * FILTERS + place_of(f % FILTERS, k)) * 2 +
                              (size_t)(tap % 2);
            const int8_t weight = conv->weights[(size_t)f * (size_t)taps + (size_t)tap];
            if (k == NARROW)
                ((int8_t *)packed)[at] = weight;
            else
                ((int16_t *)packed)[at] = weight;
        }
    memcpy((char *)packed + sums_offset(conv, k), conv->sum,
           (size_t)conv->out.c * sizeof *conv->sum);
}

/* Whole vectors of channels, so that none is read beyond the copy. */
static gdrq_bordered bordered(const gdrq_int_conv *conv) {
    return gdrq_bordered_make(conv->in.w + 2 * conv->pad, conv->in.h + 2 * conv->pad,
                              whole_filters(conv), 1);
}

static size_t scratch_size(const gdrq_int_conv *conv) {
    const gdrq_bordered b = bordered(conv);
    return gdrq_bordered_size(&b);
}

typedef struct work {
    const gdrq_int_conv *conv;
    kind kind;
    const gdrq_epilogue *epilogue;
    const gdrq_int_output *out;
    const char *packed;
    const uint8_t *copy;
    gdrq_bordered bordered;
    size_t
        offsets[LARGEST * LARGEST + 1]; /* of a window's positions; the one too many is the first */
} work;

/* 16 codes of a position, in 16 bits each. */
INLINE __m256i codes_at(const uint8_t *codes) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)codes));
}

INLINE void add_to(int32_t *sums, ints v) {
    store_ints(sums, add_ints(load_ints(sums), v));
}

INLINE void add_narrow(const work *k, const uint8_t *window, const char *weights, int pairs,
                       int32_t *sums) {
    __m256i acc = _mm256_setzero_si256();
    for (int p = 0; p < pairs; p++) {
        const __m256i a = codes_at(window + k->offsets[2 * p]);
        const __m256i b = codes_at(window + k->offsets[2 * p + 1]);
        const __m256i both = _mm256_or_si256(a, _mm256_slli_epi16(b, 8));
        const __m256i w = _mm256_loadu_si256((const __m256i *)(weights + (size_t)p * 32));
        acc = _mm256_add_epi16(acc, _mm256_maddubs_epi16(both, w));
    }
    add_to(sums, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(acc)));
    add_to(sums + LANES, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(acc, 1)));
}

INLINE void add_wide(const work *k, const uint8_t *window, const char *weights, int pairs,
                     int32_t *sums) {
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int p = 0; p < pairs; p++) {
        const __m256i a = codes_at(window + k->offsets[2 * p]);
        const __m256i b = codes_at(window + k->offsets[2 * p + 1]);
        const __m256i w0 = _mm256_loadu_si256((const __m256i *)(weights + (size_t)p * 64));
        const __m256i w1 = _mm256_loadu_si256((const __m256i *)(weights + (size_t)p * 64 + 32));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), w0));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), w1));
    }
    add_to(sums, _mm256_permute2x128_si256(low, high, 0x20));
    add_to(sums + LANES, _mm256_permute2x128_si256(low, high, 0x31));
}

/* Of the pixels that the tile has, filters at->filter and on. */
static void convolve_tile(const work *k, const place *at, const tile_scales *scales) {
    const gdrq_int_conv *conv = k->conv;
    const char *weights = k->packed + (size_t)(at->filter / FILTERS) * block_size(conv, k->kind);
    const int32_t *of_weights =
        (const int32_t *)(k->packed + sums_offset(conv, k->kind)) + at->filter;
    const __m256i zero = _mm256_set1_epi32(-conv->zero);
    const int pairs = pairs_of(conv);
    int32_t sums[PIXELS * FILTERS];
    for (int t = 0; t < at->pixels; t++) {
        const int x = (at->pixel + t) % conv->out.w, y = (at->pixel + t) / conv->out.w;
        const uint8_t *window = k->copy + (size_t)(y * conv->stride) * k->bordered.pitch +
                                (size_t)(x * conv->stride) * k->bordered.pixel + at->filter;
        int32_t *const of_pixel = sums + t * FILTERS;
        for (int i = 0; i < FILTERS; i += LANES)
            store_ints(of_pixel + i, multiply_ints(zero, load_ints(of_weights + i)));
        if (k->kind == NARROW)
            add_narrow(k, window, weights, pairs, of_pixel);
        else
            add_wide(k, window, weights, pairs, of_pixel);
    }
    finish(conv, k->epilogue, scales, at, sums, k->out);
}

/* Neighbouring filters of the same pixels follow each other: their codes share cache lines. */
static void convolve_chunk(const work *k, int first) {
    const gdrq_int_conv *conv = k->conv;
    const int end = min_int(first + CHUNK, conv->out.w * conv->out.h);
    for (int filter = 0; filter < conv->out.c; filter += FILTERS) {
        const int filters = min_int(FILTERS, conv->out.c - filter);
        const tile_scales scales = scales_at(k->epilogue, filter, filters);
        for (int pixel = first; pixel < end; pixel += PIXELS)
            convolve_tile(k,
                          &(place){.pixel = pixel,
                                   .pixels = min_int(PIXELS, end - pixel),
                                   .filter = filter,
                                   .filters = filters},
                          &scales);
    }
}

static void run(work *k, const uint8_t *in, uint8_t *copy) {
    const gdrq_int_conv *conv = k->conv;
    k->copy = copy;
    k->bordered = bordered(conv);
    const int pixels = conv->out.w * conv->out.h, taps = conv->size * conv->size;
    for (int i = 0; i < taps; i++)
        k->offsets[i] = (size_t)(i / conv->size) * k->bordered.pitch +
                        (size_t)(i % conv->size) * k->bordered.pixel;
    k->offsets[taps] = 0;
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (int y = 0; y < k->bordered.h; y++)
            gdrq_bordered_row(conv, &k->bordered, in, y, copy);
#pragma omp for schedule(static)
        for (int pixel = 0; pixel < pixels; pixel += CHUNK)
            convolve_chunk(k, pixel);
    }
}

static bool fits_wide(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    (void)limits;
    return conv->groups > 1 && conv->groups == conv->in.c && conv->groups == conv->out.c &&
           conv->size <= LARGEST;
}

static bool fits_narrow(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    return fits_wide(conv, limits) &&
           2 * limits->code * limits->weight * pairs_of(conv) <= INT16_MAX;
}

#define KERNEL(name_, kind_)                                                                      \
    static size_t packed_size_##name_(const gdrq_int_conv *conv) {                                \
        return packed_size(conv, kind_);                                                          \
    }                                                                                             \
    static void pack_##name_(const gdrq_int_conv *conv, void *packed) {                           \
        pack(conv, kind_, packed);                                                                \
    }                                                                                             \
    static void run_##name_(const gdrq_int_conv *conv, const gdrq_conv_limits *limits,            \
                            const void *packed, const gdrq_epilogue *epilogue, const uint8_t *in, \
                            void *scratch, const gdrq_int_output *out) {                          \
        (void)limits;                                                                             \
        work k = {                                                                                \
            .conv = conv, .kind = kind_, .epilogue = epilogue, .out = out, .packed = packed};     \
        run(&k, in, scratch);                                                                     \
    }                                                                                             \
    const gdrq_conv_kernel gdrq_depthwise_avx2_##name_ = {.name = "avx2 dw " #name_,              \
                                                          .cpu = GDRQ_CPU_AVX2,                   \
                                                          .fits = fits_##name_,                   \
                                                          .packed_size = packed_size_##name_,     \
                                                          .pack = pack_##name_,                   \
                                                          .scratch = scratch_size,                \
                                                          .run = run_##name_}
KERNEL(narrow, NARROW);
KERNEL(wide, WIDE);
