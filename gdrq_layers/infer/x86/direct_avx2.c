/*
 * Direct convolutions on AVX2: a window's rows are contiguous in a copy of the input with its
 * border (NHWC).
 *
 * Packed weights, narrow: [filters / 16][taps][channels / 4][16][4] bytes; wide: [filters / 16]
 * [taps][channels / 2][16][2] int16; behind them, in either, the filters' sums of weights. Filters
 * and channels that are missing are zeros.
 */
#include "infer/bordered.h"
#include "infer/x86/tile_avx2.h"

/* Pixels that a thread takes at a time for the same filters. */
enum { CHUNK = 32 * PIXELS };

/* What differs between narrow and wide: bytes per code of the copied input. */
typedef struct layout {
    int code_size; /* 1 or 2 */
} layout;

static const layout narrow = {1}, wide = {2};

static int round_up(int n, int multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

/* Channels of the copy: a whole number of broadcasts. */
static int channels_of(const gdrq_int_conv *conv, const layout *l) {
    return round_up(conv->in.c, STEP / l->code_size);
}

/* Bytes of the weights of FILTERS filters. */
static size_t block_size(const gdrq_int_conv *conv, const layout *l) {
    return (size_t)(conv->size * conv->size) * (size_t)channels_of(conv, l) * (size_t)l->code_size *
           FILTERS;
}

static size_t sums_offset(const gdrq_int_conv *conv, const layout *l) {
    return (size_t)padded_filters(conv) / FILTERS * block_size(conv, l);
}

static size_t packed_size(const gdrq_int_conv *conv, const layout *l) {
    return sums_offset(conv, l) + (size_t)padded_filters(conv) * sizeof(int32_t);
}

/* n codes, at most what a step takes. */
static void pack_step(const layout *l, const int8_t *codes, int n, char *to) {
    for (int i = 0; i < n; i++)
        if (l->code_size == 1)
            ((int8_t *)to)[i] = codes[i];
        else
            ((int16_t *)to)[i] = codes[i];
}

static void pack_filter(const gdrq_int_conv *conv, const layout *l, int f, char *packed) {
    const int taps = conv->size * conv->size, per_step = STEP / l->code_size;
    const int8_t *from = conv->weights + (size_t)f * (size_t)taps * (size_t)conv->in.c;
    char *to = packed + (size_t)(f / FILTERS) * block_size(conv, l) + (size_t)(f % FILTERS) * STEP;
    for (int tap = 0; tap < taps; tap++, from += conv->in.c)
        for (int c = 0; c < channels_of(conv, l); c += per_step, to += WEIGHTS)
            pack_step(l, from + c, min_int(per_step, conv->in.c - c), to);
}

static void pack(const gdrq_int_conv *conv, const layout *l, void *packed) {
    memset(packed, 0, packed_size(conv, l));
#pragma omp parallel for schedule(static, FILTERS)
    for (int f = 0; f < conv->out.c; f++)
        pack_filter(conv, l, f, packed);
    memcpy((char *)packed + sums_offset(conv, l), conv->sum,
           (size_t)conv->out.c * sizeof *conv->sum);
}

/* ---- the copy of the input ---- */

static gdrq_bordered bordered(const gdrq_int_conv *conv, const layout *l) {
    return gdrq_bordered_make(conv->in.w + 2 * conv->pad, conv->in.h + 2 * conv->pad,
                              channels_of(conv, l), l->code_size);
}

/* A layer without a border whose pixels are whole broadcasts is read as it is. */
static bool needs_copy(const gdrq_int_conv *conv, const layout *l) {
    return l->code_size != 1 || conv->pad > 0 || channels_of(conv, l) != conv->in.c;
}

static size_t scratch_size(const gdrq_int_conv *conv, const layout *l) {
    const gdrq_bordered b = bordered(conv, l);
    return needs_copy(conv, l) ? gdrq_bordered_size(&b) : 0;
}

/* ---- all of it ---- */

typedef struct work {
    const gdrq_int_conv *conv;
    const layout *layout;
    const gdrq_epilogue *epilogue;
    const gdrq_int_output *out;
    const char *packed, *input; /* the copy, or the input itself */
    gdrq_bordered bordered;
    int flush;
} work;

static windows windows_at(const work *k, const place *at) {
    const gdrq_int_conv *conv = k->conv;
    const gdrq_bordered *b = &k->bordered;
    windows w = {.pitch = b->pitch,
                 .rows = conv->size,
                 .row_bytes = conv->size * (int)b->pixel,
                 .flush = k->flush};
    for (int t = 0; t < at->pixels; t++) {
        const int x = (at->pixel + t) % conv->out.w, y = (at->pixel + t) / conv->out.w;
        w.at[t] = k->input + (size_t)(y * conv->stride) * b->pitch +
                  (size_t)(x * conv->stride) * b->pixel;
    }
    return w;
}

/* The codes are stored ones: the zero code's share of the sum is taken out at the start. */
static void start_sums(const work *k, const place *at, tile_sums *sums) {
    const int32_t *of_weights =
        (const int32_t *)(k->packed + sums_offset(k->conv, k->layout)) + at->filter;
    for (int half = 0; half < 2; half++) {
        const __m256i start =
            _mm256_mullo_epi32(_mm256_load_si256((const __m256i *)(of_weights + 8 * half)),
                               _mm256_set1_epi32(-k->conv->zero));
        for (int t = 0; t < at->pixels; t++)
            sums->at[t][half] = start;
    }
}

static void convolve_tile(const work *k, const tile_scales *scales, const place *at) {
    const windows w = windows_at(k, at);
    tile_sums sums;
    start_sums(k, at, &sums);
    add_functions[k->layout->code_size - 1][at->pixels - 1](
        &w, k->packed + (size_t)(at->filter / FILTERS) * block_size(k->conv, k->layout), &sums);
    finish(k->conv, k->epilogue, scales, at, &sums, k->out);
}

static void convolve_chunk(const work *k, int filter, int first_pixel) {
    const int pixels = k->conv->out.w * k->conv->out.h;
    const int end = min_int(first_pixel + CHUNK, pixels);
    const int filters = min_int(FILTERS, k->conv->out.c - filter);
    const tile_scales scales = scales_at(k->epilogue, filter, filters);
    for (int pixel = first_pixel; pixel < end; pixel += PIXELS)
        convolve_tile(k, &scales,
                      &(place){.pixel = pixel,
                               .pixels = min_int(PIXELS, end - pixel),
                               .filter = filter,
                               .filters = filters});
}

/* `input` is the copy to be made, unless none is needed. */
static void run(work *k, const uint8_t *in, char *copy) {
    const gdrq_int_conv *conv = k->conv;
    const bool copies = needs_copy(conv, k->layout);
    const int pixels = conv->out.w * conv->out.h;
    k->input = copies ? copy : (const char *)in;
    k->bordered = bordered(conv, k->layout);
#pragma omp parallel
    {
        if (copies) {
#pragma omp for schedule(static)
            for (int y = 0; y < k->bordered.h; y++)
                gdrq_bordered_row(conv, &k->bordered, in, y, copy);
        }
#pragma omp for collapse(2) schedule(static)
        for (int filter = 0; filter < conv->out.c; filter += FILTERS)
            for (int pixel = 0; pixel < pixels; pixel += CHUNK)
                convolve_chunk(k, filter, pixel);
    }
}

static int steps_in_16_bits(const gdrq_conv_limits *limits) {
    return INT16_MAX / (2 * limits->code * limits->weight);
}

static bool fits_narrow(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    return conv->groups == 1 && steps_in_16_bits(limits) >= 2;
}

static bool fits_wide(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    (void)limits;
    return conv->groups == 1;
}

#define KERNEL(kind)                                                                             \
    static size_t packed_size_##kind(const gdrq_int_conv *conv) {                                \
        return packed_size(conv, &kind);                                                         \
    }                                                                                            \
    static void pack_##kind(const gdrq_int_conv *conv, void *packed) {                           \
        pack(conv, &kind, packed);                                                               \
    }                                                                                            \
    static size_t scratch_##kind(const gdrq_int_conv *conv) {                                    \
        return scratch_size(conv, &kind);                                                        \
    }                                                                                            \
    static void run_##kind(const gdrq_int_conv *conv, const gdrq_conv_limits *limits,            \
                           const void *packed, const gdrq_epilogue *epilogue, const uint8_t *in, \
                           void *scratch, const gdrq_int_output *out) {                          \
        work k = {.conv = conv,                                                                  \
                  .layout = &kind,                                                               \
                  .epilogue = epilogue,                                                          \
                  .out = out,                                                                    \
                  .packed = packed,                                                              \
                  .flush = steps_in_16_bits(limits)};                                            \
        run(&k, in, scratch);                                                                    \
    }                                                                                            \
    const gdrq_conv_kernel gdrq_conv_avx2_##kind = {.name = "avx2 " #kind,                       \
                                                    .cpu = GDRQ_CPU_AVX2,                        \
                                                    .fits = fits_##kind,                         \
                                                    .packed_size = packed_size_##kind,           \
                                                    .pack = pack_##kind,                         \
                                                    .scratch = scratch_##kind,                   \
                                                    .run = run_##kind}
KERNEL(narrow);
KERNEL(wide);
