/*
 * Direct convolutions, in the vectors and sums that the file before it has included. A window's
 * rows are contiguous (NHWC) in a copy of the input with its border, or in the input itself.
 *
 * Packed weights: [blocks of filters][size][steps of a window's row][filters][STEP bytes], as bytes
 * or as int16 (layout); behind them the filters' sums of weights. Filters that are missing, and
 * what a row's last step has too much, are zeros.
 */
#ifndef GDRQ_INFER_X86_DIRECT_H
#define GDRQ_INFER_X86_DIRECT_H

#include "infer/bordered.h"
#include "infer/x86/finish.h"

typedef struct layout {
    int code_size; /* bytes of a code and of a weight: 1 or 2 */
    const multiply_table *multiply;
    /* Measured cycles of 2x2 outputs of a block of filters: per weight, and besides. */
    double cycles_per_weight, cycles;
} layout;

static double cost(const gdrq_int_conv *conv, const layout *l) {
    return blocks_of(conv) *
           (l->cycles_per_weight * conv->size * conv->size * conv->in.c + l->cycles);
}

/* Of a window's row, in whole steps. */
static int row_bytes(const gdrq_int_conv *conv, const layout *l) {
    return round_up(conv->size * conv->in.c * l->code_size, STEP);
}

/* Bytes of the weights of so many filters. */
static size_t weights_size(const gdrq_int_conv *conv, const layout *l, int filters) {
    return (size_t)conv->size * (size_t)row_bytes(conv, l) * (size_t)filters;
}

static size_t sums_offset(const gdrq_int_conv *conv, const layout *l) {
    return weights_size(conv, l, padded_filters(conv));
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
    const int codes = conv->size * conv->in.c, per_step = STEP / l->code_size;
    const int first = f / FILTERS * FILTERS;
    const size_t step = (size_t)(STEP * LANES * vectors_of(filters_of_block(conv, first)));
    const int8_t *from = conv->weights + (size_t)f * (size_t)conv->size * (size_t)codes;
    char *to = packed + weights_size(conv, l, first) + (size_t)(f - first) * STEP;
    for (int row = 0; row < conv->size; row++, from += codes)
        for (int i = 0; i < codes; i += per_step, to += step)
            pack_step(l, from + i, min_int(per_step, codes - i), to);
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

/* An input without a border, whose windows' rows are whole steps without a gap, is read as it is.
 */
static bool needs_copy(const gdrq_int_conv *conv, const layout *l) {
    const bool gaps = conv->size > 1 && gdrq_input_pixel(conv) != (size_t)conv->in.c;
    return l->code_size != 1 || conv->pad > 0 || gaps ||
           row_bytes(conv, l) != conv->size * conv->in.c;
}

/* What is read, the copy or the input. */
static gdrq_bordered bordered_of(const gdrq_int_conv *conv, const layout *l) {
    gdrq_bordered b = gdrq_bordered_make(conv, l->code_size);
    if (!needs_copy(conv, l)) {
        b.pixel = gdrq_input_pixel(conv);
        b.pitch = (size_t)b.w * b.pixel;
    }
    return b;
}

/* The last window's last step may reach beyond the copy. */
static size_t scratch_size(const gdrq_int_conv *conv, const layout *l) {
    const gdrq_bordered b = gdrq_bordered_make(conv, l->code_size);
    return needs_copy(conv, l) ? gdrq_bordered_size(&b) + STEP : 0;
}

/* ---- all of it ---- */

enum {
    TILES = 4,      /* of one vector of filters and one line, which are finished together */
    CHUNK = 16,     /* tiles that a thread takes at a time for the same filters, */
    LEAST_CHUNK = 4 /* or no less than these where an image has few */
};

typedef struct work {
    const gdrq_int_conv *conv;
    const layout *layout;
    const gdrq_epilogue *epilogue;
    const gdrq_int_output *out;
    const char *packed, *input; /* the copy, or the input itself */
    gdrq_bordered bordered;
    lines lines;
    int row_bytes; /* of a window */
    int flush;
    int chunk; /* CHUNK or less */
} work;

static int tiles_of(const work *k) {
    return k->lines.n * k->lines.tiles;
}

/* The sums of so many outputs from (x, y) on. */
static void multiply_pixels(const work *k, int x, int y, int pixels, int vectors,
                            const char *weights, const int32_t *start, int32_t *sums) {
    const size_t stride = (size_t)k->conv->stride, pixel = stride * k->bordered.pixel;
    const windows w = {
        .first = k->input + (size_t)y * stride * k->bordered.pitch + (size_t)x * pixel,
        .pixel = pixel,
        .row = k->bordered.pitch,
        .rows = k->conv->size,
        .row_bytes = k->row_bytes,
        .flush = k->flush,
    };
    (*k->layout->multiply)[vectors - 1][pixels - 1](&w, weights, start, sums);
}

/* n tiles of one line from t on, which moves behind them. */
static void convolve_tiles(const work *k, tile *t, int n, int filter, const char *weights,
                           const int32_t *start, const tile_scales *scales) {
    const int filters = filters_of_block(k->conv, filter);
    place at = {.pixel = t->line * k->lines.pixels + t->x, .filter = filter, .filters = filters};
    _Alignas(64) int32_t sums[TILES * PIXELS * FILTERS];
    for (int i = 0; i < n; i++) {
        multiply_pixels(k, t->x, t->line, t->pixels, vectors_of(filters), weights, start,
                        sums + at.pixels * FILTERS);
        at.pixels += t->pixels;
        *t = next_tile(&k->lines, *t);
    }
    finish(k->conv, k->epilogue, scales, &at, sums, k->out);
}

/* The same of tiles of pairs of pixels in a pair of rows. */
static void pool_tiles(const work *k, tile *t, int n, int filter, const char *weights,
                       const int32_t *start, const tile_scales *scales) {
    const gdrq_int_conv *conv = k->conv;
    const int filters = filters_of_block(conv, filter), x = 2 * t->x, y = 2 * t->line;
    const int rows = min_int(2, conv->out.h - y), vectors = vectors_of(filters);
    place at = {.pixel = t->line * k->lines.pixels + t->x, .filter = filter, .filters = filters};
    _Alignas(64) int32_t sums[2][TILES * PIXELS * FILTERS];
    int pixels = 0;
    for (int i = 0; i < n; i++) {
        const int of_tile = min_int(2 * t->pixels, conv->out.w - 2 * t->x);
        for (int row = 0; row < rows; row++)
            multiply_pixels(k, x + pixels, y + row, of_tile, vectors, weights, start,
                            sums[row] + pixels * FILTERS);
        pixels += of_tile;
        at.pixels += t->pixels;
        *t = next_tile(&k->lines, *t);
    }
    pool_sums(scales, vectors, sums[0], sums[rows - 1], pixels, sums[0]);
    finish_pooled(conv, k->epilogue, scales, &at, sums[0], k->out);
}

/* The codes are stored ones: the zero code's share of the sum is taken out at the start. */
static void convolve_chunk(const work *k, int filter, int chunk) {
    const int first_tile = chunk * k->chunk, end = min_int(first_tile + k->chunk, tiles_of(k));
    const int filters = filters_of_block(k->conv, filter);
    const tile_scales scales = scales_at(k->epilogue, filter, filters);
    const int32_t *of_weights =
        (const int32_t *)(k->packed + sums_offset(k->conv, k->layout)) + filter;
    int32_t start[FILTERS];
    for (int half = 0; half < vectors_of(filters); half++)
        store_ints(start + half * LANES,
                   multiply_ints(load_ints(of_weights + half * LANES), set_ints(-k->conv->zero)));
    const char *weights = k->packed + weights_size(k->conv, k->layout, filter);
    tile t = tile_at(&k->lines, first_tile);
    const int most = vectors_of(filters) == 1 ? TILES : 1;
    for (int i = first_tile, n; i < end; i += n) {
        n = min_int(min_int(most, end - i), k->lines.tiles - t.number);
        (k->out->pooled ? pool_tiles : convolve_tiles)(k, &t, n, filter, weights, start, &scales);
    }
}

/* Weights that stay in the cache beside the codes, which are read once. */
static void reuse_weights(const work *k, int chunks) {
    const int filters = k->conv->out.c, together = filters_together(k->conv, chunks);
    const int parts = (filters + together - 1) / together;
#pragma omp for schedule(dynamic) nowait
    for (int i = 0; i < parts * chunks; i++) {
        const int first = i % parts * together;
        for (int f = first; f < min_int(first + together, filters); f += FILTERS)
            convolve_chunk(k, f, i / parts);
    }
}

/* Weights that are read once, block by block. */
static void reuse_codes(const work *k, int chunks) {
    const int blocks = (k->conv->out.c + FILTERS - 1) / FILTERS;
#pragma omp for schedule(dynamic) nowait
    for (int i = 0; i < blocks * chunks; i++)
        convolve_chunk(k, i / chunks * FILTERS, i % chunks);
}

static void convolve_chunks(const work *k) {
    const int chunks = (tiles_of(k) + k->chunk - 1) / k->chunk;
    const bool weights_stay = sums_offset(k->conv, k->layout) <= gdrq_cpu_cache() / 4;
    (weights_stay ? reuse_weights : reuse_codes)(k, chunks);
}

/* As many as there may be while all threads have enough parts to do. */
static int chunk_of(const work *k) {
    const int64_t parts = (int64_t)((k->conv->out.c + LINE - 1) / LINE) * tiles_of(k);
    int chunk = CHUNK;
    while (chunk > LEAST_CHUNK && parts < chunk * PARTS * omp_get_max_threads())
        chunk /= 2;
    return chunk;
}

/* `copy` is where the copy is made, if one is needed. */
static void run(work *k, const uint8_t *in, char *copy) {
    const bool copies = needs_copy(k->conv, k->layout);
    k->input = copies ? copy : (const char *)in;
    k->bordered = bordered_of(k->conv, k->layout);
    if (copies) /* what the last step reads beyond it: weights of 0 times something */
        memset(copy + gdrq_bordered_size(&k->bordered), 0, STEP);
    k->lines = k->out->pooled ? lines_of_pairs(k->conv) : lines_of(k->conv);
    k->row_bytes = row_bytes(k->conv, k->layout);
    k->chunk = chunk_of(k);
#pragma omp parallel
    {
        if (copies) {
#pragma omp for schedule(dynamic, 8)
            for (int y = 0; y < k->bordered.h; y++)
                gdrq_bordered_row(k->conv, &k->bordered, in, y, copy);
        }
        convolve_chunks(k);
    }
}

/* Defines a kernel with the layout `kind` and fits_kind(). */
#define DIRECT_KERNEL(kernel, label, level, kind, flush_)                                        \
    static size_t packed_size_##kind(const gdrq_int_conv *conv) {                                \
        return packed_size(conv, &kind);                                                         \
    }                                                                                            \
    static void pack_##kind(const gdrq_int_conv *conv, const gdrq_conv_limits *limits,           \
                            void *packed) {                                                      \
        (void)limits;                                                                            \
        pack(conv, &kind, packed);                                                               \
    }                                                                                            \
    static double cost_##kind(const gdrq_int_conv *conv) {                                       \
        return cost(conv, &kind);                                                                \
    }                                                                                            \
    static size_t scratch_##kind(const gdrq_int_conv *conv) {                                    \
        return scratch_size(conv, &kind);                                                        \
    }                                                                                            \
    static void run_##kind(const gdrq_int_conv *conv, const gdrq_conv_limits *limits,            \
                           const void *packed, const gdrq_epilogue *epilogue, const uint8_t *in, \
                           void *scratch, const gdrq_int_output *out) {                          \
        (void)limits;                                                                            \
        work k = {.conv = conv,                                                                  \
                  .layout = &kind,                                                               \
                  .epilogue = epilogue,                                                          \
                  .out = out,                                                                    \
                  .packed = packed,                                                              \
                  .flush = flush_};                                                              \
        run(&k, in, scratch);                                                                    \
    }                                                                                            \
    const gdrq_conv_kernel kernel = {.name = label,                                              \
                                     .cpu = level,                                               \
                                     .pools = true,                                              \
                                     .fits = fits_##kind,                                        \
                                     .cost = cost_##kind,                                        \
                                     .packed_size = packed_size_##kind,                          \
                                     .pack = pack_##kind,                                        \
                                     .scratch = scratch_##kind,                                  \
                                     .run = run_##kind};

#endif
