/*
 * Depthwise convolutions on AVX2: a filter per channel, two positions of the window per
 * multiplication.
 *
 * narrow: codes of two positions side by side by VPUNPCK*BW, VPMADDUBSW on them, in 16-bit sums
 * that hold all pairs of the window; 32 channels at a time, the last 16 or less by themselves.
 * wide: the same in 16 bits by VPMADDWD, in 32-bit sums; 16 channels at a time.
 *
 * Packed weights: [blocks of channels][pairs of positions][channels of the block][2], bytes
 * (narrow) or int16 (wide), a block's channels in the order that unpacking leaves them in; behind
 * them the filters' sums of weights. A position or filter that is missing has weights of 0.
 */
#include "infer/bordered.h"
#include "infer/x86/vector_avx2.h"

#include "infer/x86/finish.h"

enum { LARGEST = 7 /* side of a window */, VECTOR = 32 /* bytes */ };

typedef enum kind { NARROW = 1, WIDE = 2 } kind; /* bytes of a weight */

static int pairs_of(const gdrq_int_conv *conv) {
    return (conv->size * conv->size + 1) / 2;
}

/* With those that are missing in the last block. */
static int whole_filters(const gdrq_int_conv *conv) {
    return round_up(conv->out.c, FILTERS);
}

/* Channels of the block that begins at one. */
static int block_at(const gdrq_int_conv *conv, kind k, int channel) {
    return k == NARROW ? min_int(2 * FILTERS, whole_filters(conv) - channel) : FILTERS;
}

/* Bytes of the weights of so many filters. */
static size_t weights_size(const gdrq_int_conv *conv, kind k, int filters) {
    return (size_t)pairs_of(conv) * (size_t)filters * 2 * (size_t)k;
}

static size_t packed_size(const gdrq_int_conv *conv, kind k) {
    const int filters = whole_filters(conv);
    return weights_size(conv, k, filters) + (size_t)filters * sizeof(int32_t);
}

static const int32_t *sums_of_weights(const gdrq_int_conv *conv, kind k, const char *packed) {
    return (const int32_t *)(packed + weights_size(conv, k, whole_filters(conv)));
}

/* Where channel c of a block of n lies: unpacking goes by the lanes of 128 bits. */
static int unpacked(kind k, int n, int c) {
    const int lane = n / 2, part = lane / 2;
    if (k == NARROW && n == FILTERS) /* unpacked in 128 bits */
        return c;
    return c % lane / part * lane + c / lane * part + c % part;
}

static void pack_filter(const gdrq_int_conv *conv, kind k, int f, char *packed) {
    const int taps = conv->size * conv->size;
    const int width = k == NARROW ? 2 * FILTERS : FILTERS, first = f / width * width;
    const int n = block_at(conv, k, first), place = unpacked(k, n, f - first);
    char *const block = packed + weights_size(conv, k, first);
    for (int tap = 0; tap < taps; tap++) {
        const size_t at = (size_t)((tap / 2 * n + place) * 2 + tap % 2);
        const int8_t weight = conv->weights[(size_t)f * (size_t)taps + (size_t)tap];
        if (k == NARROW)
            ((int8_t *)block)[at] = weight;
        else
            ((int16_t *)block)[at] = weight;
    }
}

static void pack(const gdrq_int_conv *conv, kind k, void *packed) {
    memset(packed, 0, packed_size(conv, k));
    for (int f = 0; f < conv->out.c; f++)
        pack_filter(conv, k, f, packed);
    memcpy((int32_t *)sums_of_weights(conv, k, packed), conv->sum,
           (size_t)conv->out.c * sizeof *conv->sum);
}

/* The last pixel's last vector may reach beyond the copy. */
static size_t scratch_size(const gdrq_int_conv *conv) {
    const gdrq_bordered b = gdrq_bordered_make(conv, 1);
    return gdrq_bordered_size(&b) + VECTOR;
}

typedef struct work {
    const gdrq_int_conv *conv;
    kind kind;
    const gdrq_epilogue *epilogue;
    const gdrq_int_output *out;
    const char *packed;
    const uint8_t *copy;
    gdrq_bordered bordered;
    lines lines;
    int pairs;
    /* Of a window's positions; the one too many is the first. */
    size_t offsets[LARGEST * LARGEST + 1];
} work;

/* 8 channels. */
INLINE void store_sums(int32_t *sums, const int32_t *start, ints v) {
    store_ints(sums, add_ints(load_ints(start), v));
}

INLINE __m256i load_codes(const uint8_t *codes) {
    return _mm256_loadu_si256((const __m256i *)codes);
}

INLINE void add_32(const int pairs, const work *k, const uint8_t *window, const char *weights,
                   const int32_t *start, int32_t *const sums[2]) {
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int p = 0; p < pairs; p++, weights += 2 * VECTOR) {
        const __m256i a = load_codes(window + k->offsets[2 * p]);
        const __m256i b = load_codes(window + k->offsets[2 * p + 1]);
        const __m256i w0 = load_ints((const int32_t *)weights);
        const __m256i w1 = load_ints((const int32_t *)(weights + VECTOR));
        low = _mm256_add_epi16(low, _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), w0));
        high = _mm256_add_epi16(high, _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), w1));
    }
    store_sums(sums[0], start, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(low)));
    store_sums(sums[0] + 8, start + 8, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(high)));
    store_sums(sums[1], start + 16, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(low, 1)));
    store_sums(sums[1] + 8, start + 24, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(high, 1)));
}

INLINE void add_16(const int pairs, const work *k, const uint8_t *window, const char *weights,
                   const int32_t *start, int32_t *sums) {
    __m256i acc = _mm256_setzero_si256();
    for (int p = 0; p < pairs; p++, weights += VECTOR) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(window + k->offsets[2 * p]));
        const __m128i b = _mm_loadu_si128((const __m128i *)(window + k->offsets[2 * p + 1]));
        const __m256i both = _mm256_set_m128i(_mm_unpackhi_epi8(a, b), _mm_unpacklo_epi8(a, b));
        acc =
            _mm256_add_epi16(acc, _mm256_maddubs_epi16(both, load_ints((const int32_t *)weights)));
    }
    store_sums(sums, start, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(acc)));
    store_sums(sums + 8, start + 8, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(acc, 1)));
}

INLINE __m256i widened(const uint8_t *codes) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)codes));
}

INLINE void add_wide(const int pairs, const work *k, const uint8_t *window, const char *weights,
                     const int32_t *start, int32_t *sums) {
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int p = 0; p < pairs; p++, weights += 2 * VECTOR) {
        const __m256i a = widened(window + k->offsets[2 * p]);
        const __m256i b = widened(window + k->offsets[2 * p + 1]);
        const __m256i w0 = load_ints((const int32_t *)weights);
        const __m256i w1 = load_ints((const int32_t *)(weights + VECTOR));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), w0));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), w1));
    }
    store_sums(sums, start, _mm256_permute2x128_si256(low, high, 0x20));
    store_sums(sums + 8, start + 8, _mm256_permute2x128_si256(low, high, 0x31));
}

/* A block of n channels at one pixel. */
INLINE void add_window(const int pairs, const work *k, int n, const uint8_t *window,
                       const char *weights, const int32_t *start, int32_t *const sums[2]) {
    if (k->kind == WIDE)
        add_wide(pairs, k, window, weights, start, sums[0]);
    else if (n == FILTERS)
        add_16(pairs, k, window, weights, start, sums[0]);
    else
        add_32(pairs, k, window, weights, start, sums);
}

/* A tile's pixels of the n channels from `channel` on; the usual sizes of windows as constants. */
static void convolve_tile(const work *k, const tile *t, int channel, int n, const int32_t *start,
                          const tile_scales scales[2]) {
    const gdrq_int_conv *conv = k->conv;
    const char *weights = k->packed + weights_size(conv, k->kind, channel);
    const size_t step = (size_t)conv->stride * k->bordered.pixel;
    const uint8_t *window = k->copy + (size_t)(t->line * conv->stride) * k->bordered.pitch +
                            (size_t)t->x * step + channel;
    int32_t sums[2][PIXELS * FILTERS];
    for (int p = 0; p < t->pixels; p++, window += step) {
        int32_t *const of_pixel[2] = {&sums[0][p * FILTERS], &sums[1][p * FILTERS]};
        if (k->pairs == 5)
            add_window(5, k, n, window, weights, start, of_pixel);
        else if (k->pairs == 13)
            add_window(13, k, n, window, weights, start, of_pixel);
        else
            add_window(k->pairs, k, n, window, weights, start, of_pixel);
    }
    for (int i = 0; i < n / FILTERS && channel + i * FILTERS < conv->out.c; i++) {
        const int filter = channel + i * FILTERS;
        const place at = {.pixel = t->line * k->lines.pixels + t->x,
                          .pixels = t->pixels,
                          .filter = filter,
                          .filters = filters_of_block(conv, filter)};
        finish(conv, k->epilogue, &scales[i], &at, sums[i], k->out);
    }
}

/* All tiles of a line; a block's next tile finds what it needs in the cache. */
static void convolve_line(const work *k, int line) {
    const gdrq_int_conv *conv = k->conv;
    const int32_t *of_weights = sums_of_weights(conv, k->kind, k->packed);
    for (int channel = 0, n; channel < conv->out.c; channel += n) {
        int32_t start[2 * FILTERS];
        tile_scales scales[2];
        n = block_at(conv, k->kind, channel);
        for (int i = 0; i < n; i += LANES)
            store_ints(start + i,
                       multiply_ints(set_ints(-conv->zero), load_ints(of_weights + channel + i)));
        for (int i = 0; i < n; i += FILTERS)
            if (channel + i < conv->out.c)
                scales[i / FILTERS] =
                    scales_at(k->epilogue, channel + i, filters_of_block(conv, channel + i));
        tile t = tile_at(&k->lines, line * k->lines.tiles);
        for (int i = 0; i < k->lines.tiles; i++, t = next_tile(&k->lines, t))
            convolve_tile(k, &t, channel, n, start, scales);
    }
}

static void run(work *k, const uint8_t *in, uint8_t *copy) {
    const gdrq_int_conv *conv = k->conv;
    const int taps = conv->size * conv->size;
    k->copy = copy;
    k->bordered = gdrq_bordered_make(conv, 1);
    k->lines = lines_of(conv);
    k->pairs = pairs_of(conv);
    for (int i = 0; i < taps; i++)
        k->offsets[i] = (size_t)(i / conv->size) * k->bordered.pitch +
                        (size_t)(i % conv->size) * k->bordered.pixel;
    k->offsets[taps] = 0;
    /* What lanes without a channel read behind the last pixel. */
    memset(copy + gdrq_bordered_size(&k->bordered), 0, VECTOR);
#pragma omp parallel
    {
#pragma omp for schedule(dynamic, 8)
        for (int y = 0; y < k->bordered.h; y++)
            gdrq_bordered_row(conv, &k->bordered, in, y, copy);
#pragma omp for schedule(dynamic)
        for (int line = 0; line < k->lines.n; line++)
            convolve_line(k, line);
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

/* The only ones beside the portable one that fit: what matters is their order. */
static double cost_narrow(const gdrq_int_conv *conv) {
    return conv->out.c;
}

static double cost_wide(const gdrq_int_conv *conv) {
    return 2. * conv->out.c;
}

#define KERNEL(name_, kind_)                                                                      \
    static size_t packed_size_##name_(const gdrq_int_conv *conv) {                                \
        return packed_size(conv, kind_);                                                          \
    }                                                                                             \
    static void pack_##name_(const gdrq_int_conv *conv, const gdrq_conv_limits *limits,           \
                             void *packed) {                                                      \
        (void)limits;                                                                             \
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
                                                          .cost = cost_##name_,                   \
                                                          .packed_size = packed_size_##name_,     \
                                                          .pack = pack_##name_,                   \
                                                          .scratch = scratch_size,                \
                                                          .run = run_##name_}
KERNEL(narrow, NARROW);
KERNEL(wide, WIDE);
