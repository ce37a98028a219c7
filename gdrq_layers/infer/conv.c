#include "infer/ops.h"

#include <assert.h>
#include <string.h>

#include "base/kernels.h"

/*
 * The output is computed in tiles. A tile's windows are unrolled, widened to 16 bits and made
 * relative to the zero code, DEPTH products at a time: what x86 can multiply and add in pairs, and
 * little enough for the first-level cache. Nothing is kept from tile to tile.
 */
enum {
    PIXELS = GDRQ_TILE_PIXELS,
    FILTERS = GDRQ_TILE_FILTERS,
    DEPTH = 512,
    BLOCK_PIXELS = 2, /* dot products of so many pixels and filters share their loads */
    BLOCK_FILTERS = 4,
    STEP = 32, /* depths are padded with zeros to multiples of the widest vector */
};

typedef int32_t tile_sums[PIXELS][FILTERS];
typedef int16_t unrolled[PIXELS][DEPTH];
typedef int16_t filter_block[BLOCK_FILTERS][DEPTH];

static int min_int(int a, int b) {
    return a < b ? a : b;
}

static int clamp(int x, int low, int high) {
    return x < low ? low : x > high ? high : x;
}

static int channels_per_group(const gdrq_int_conv *conv) {
    return conv->in.c / conv->groups;
}

static int filters_per_group(const gdrq_int_conv *conv) {
    return conv->out.c / conv->groups;
}

static int filter_size(const gdrq_int_conv *conv) {
    return conv->size * conv->size * channels_per_group(conv);
}

static bool is_depthwise(const gdrq_int_conv *conv) {
    return conv->groups == conv->in.c && conv->groups == conv->out.c && conv->groups > 1;
}

static void assert_valid(const gdrq_int_conv *conv) {
    assert(conv->size > 0 && conv->stride > 0 && conv->pad >= 0 && conv->groups > 0);
    assert(conv->in.c % conv->groups == 0 && conv->out.c % conv->groups == 0);
    assert(conv->out.w == (conv->in.w + 2 * conv->pad - conv->size) / conv->stride + 1);
    assert(conv->out.h == (conv->in.h + 2 * conv->pad - conv->size) / conv->stride + 1);
    assert(gdrq_input_pixel(conv) >= (size_t)conv->in.c);
    assert(conv->zero >= 0 && conv->zero <= UINT8_MAX);
    (void)conv;
}

static int padded(int depth) {
    return (depth + STEP - 1) / STEP * STEP;
}

/*
 * n codes of an input row of `width` codes (columns times channels) from position `first` on, which
 * may lie beyond its ends, relative to the zero code; row NULL: above or below the image.
 */
static inline __attribute__((always_inline)) void
widen_codes(const uint8_t *row, int width, int first, int n, int zero, int16_t *restrict wide) {
    const int begin = row ? clamp(-first, 0, n) : n;
    const int end = row ? clamp(width - first, begin, n) : n;
    for (int i = 0; i < begin; i++)
        wide[i] = 0;
    for (int i = begin; i < end; i++)
        wide[i] = (int16_t)(row[first + i] - zero);
    for (int i = end; i < n; i++)
        wide[i] = 0;
}

/*
 * Products depth..depth+n of the window of output (x, y): the input's codes in the order of a
 * filter's weights. They lie in runs: a row of the window or, if pixels have other channels as
 * well, one position of it.
 */
GDRQ_KERNEL void unroll_window(const gdrq_int_conv *conv, const uint8_t *in, int x, int y,
                               int group, int depth, int n, int16_t *restrict wide) {
    const int channels = channels_per_group(conv), pixel = (int)gdrq_input_pixel(conv);
    const int width = conv->in.w * pixel;
    const int runs_per_row = channels == pixel ? 1 : conv->size;
    const int length = conv->size / runs_per_row * channels;
    for (int i = 0, count; i < n; i += count) {
        const int run = (depth + i) / length, at = (depth + i) % length;
        const int row = y * conv->stride - conv->pad + run / runs_per_row;
        const int column = x * conv->stride - conv->pad + run % runs_per_row;
        const bool inside = row >= 0 && row < conv->in.h;
        count = min_int(length - at, n - i);
        widen_codes(inside ? in + (size_t)row * (size_t)width : NULL, width,
                    column * pixel + group * channels + at, count, conv->zero, wide + i);
    }
    for (int i = n; i < padded(n); i++)
        wide[i] = 0;
}

/* Products depth..depth+n of `filters` filters, at most a block; those that it lacks are zeros. */
GDRQ_KERNEL void widen_weights(const int8_t *weights, int size, int filters, int depth, int n,
                               filter_block wide) {
    for (int f = 0; f < BLOCK_FILTERS; f++) {
        const int count = f < filters ? n : 0;
        const int8_t *const from = weights + (size_t)f * (size_t)size + depth;
        for (int i = 0; i < count; i++)
            wide[f][i] = from[i];
        for (int i = count; i < padded(n); i++)
            wide[f][i] = 0;
    }
}

/* sums += the dot products of two windows and a block of filters; steps * STEP products each. */
static inline __attribute__((always_inline)) void
add_dots(const int16_t *restrict a, const int16_t *restrict b, const filter_block w, int steps,
         int32_t *restrict sums_a, int32_t *restrict sums_b) {
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    for (int i = 0; i < steps * STEP; i++) {
        a0 += a[i] * w[0][i];
        a1 += a[i] * w[1][i];
        a2 += a[i] * w[2][i];
        a3 += a[i] * w[3][i];
        b0 += b[i] * w[0][i];
        b1 += b[i] * w[1][i];
        b2 += b[i] * w[2][i];
        b3 += b[i] * w[3][i];
    }
    sums_a[0] += a0;
    sums_a[1] += a1;
    sums_a[2] += a2;
    sums_a[3] += a3;
    sums_b[0] += b0;
    sums_b[1] += b1;
    sums_b[2] += b2;
    sums_b[3] += b3;
}

/* sums[p][filter..] for all pixels. A last, single one makes a pair with a row that nobody reads.
 */
GDRQ_KERNEL void add_block(const unrolled windows, int pixels, const filter_block weights,
                           int steps, int filter, tile_sums sums) {
    int p = 0;
    for (; p + BLOCK_PIXELS <= pixels; p += BLOCK_PIXELS)
        add_dots(windows[p], windows[p + 1], weights, steps, sums[p] + filter,
                 sums[p + 1] + filter);
    int32_t unused[BLOCK_FILTERS] = {0};
    if (p < pixels)
        add_dots(windows[p], windows[p], weights, steps, sums[p] + filter, unused);
}

/* All filters of the tile are of one group. */
static void add_windows(const gdrq_int_conv *conv, const gdrq_int_tile *tile, const uint8_t *in,
                        tile_sums sums) {
    const int size = filter_size(conv), group = tile->first_filter / filters_per_group(conv);
    unrolled windows;
    filter_block weights;
    for (int depth = 0; depth < size; depth += DEPTH) {
        const int n = min_int(DEPTH, size - depth);
        for (int p = 0; p < tile->pixels; p++) {
            const int pixel = tile->first_pixel + p;
            unroll_window(conv, in, pixel % conv->out.w, pixel / conv->out.w, group, depth, n,
                          windows[p]);
        }
        for (int f = 0; f < tile->filters; f += BLOCK_FILTERS) {
            widen_weights(conv->weights + (size_t)(tile->first_filter + f) * (size_t)size, size,
                          min_int(BLOCK_FILTERS, tile->filters - f), depth, n, weights);
            add_block(windows, tile->pixels, weights, padded(n) / STEP, f, sums);
        }
    }
}

/* sums[i] += weights[i] * (codes[i] relative to the zero code) */
GDRQ_KERNEL void add_products(const uint8_t *restrict codes, const int16_t *restrict weights, int n,
                              int zero, int32_t *restrict sums) {
    for (int i = 0; i < n; i++)
        sums[i] += weights[i] * (codes[i] - zero);
}

/* Position (column, row) of the windows, with the filters' weights there. */
static void add_position(const gdrq_int_conv *conv, const gdrq_int_tile *tile, const uint8_t *in,
                         int column, int row, tile_sums sums) {
    const int area = conv->size * conv->size;
    int16_t weights[FILTERS];
    for (int f = 0; f < tile->filters; f++)
        weights[f] = conv->weights[(size_t)(tile->first_filter + f) * (size_t)area +
                                   (size_t)(row * conv->size + column)];
    for (int p = 0; p < tile->pixels; p++) {
        const int pixel = tile->first_pixel + p;
        const int x = pixel % conv->out.w * conv->stride - conv->pad + column;
        const int y = pixel / conv->out.w * conv->stride - conv->pad + row;
        if (x < 0 || x >= conv->in.w || y < 0 || y >= conv->in.h)
            continue;
        const size_t at = (size_t)y * (size_t)conv->in.w + (size_t)x;
        add_products(in + at * gdrq_input_pixel(conv) + tile->first_filter, weights, tile->filters,
                     conv->zero, sums[p]);
    }
}

static void add_depthwise(const gdrq_int_conv *conv, const gdrq_int_tile *tile, const uint8_t *in,
                          tile_sums sums) {
    for (int row = 0; row < conv->size; row++)
        for (int column = 0; column < conv->size; column++)
            add_position(conv, tile, in, column, row, sums);
}

/* Where a tile's sums go: as they are, or through an epilogue. */
typedef struct destination {
    int32_t *sums;
    const gdrq_epilogue *epilogue;
    const gdrq_int_output *out;
} destination;

static void convolve_tile(const gdrq_int_conv *conv, const gdrq_int_tile *tile, const uint8_t *in,
                          const destination *to) {
    tile_sums sums = {0};
    (is_depthwise(conv) ? add_depthwise : add_windows)(conv, tile, in, sums);
    if (!to->sums) {
        gdrq_int_finish(to->epilogue, conv->out, tile, &sums[0][0], to->out);
        return;
    }
    for (int p = 0; p < tile->pixels; p++)
        memcpy(to->sums + (size_t)(tile->first_pixel + p) * (size_t)conv->out.c +
                   tile->first_filter,
               sums[p], (size_t)tile->filters * sizeof sums[p][0]);
}

static void convolve(const gdrq_int_conv *conv, const uint8_t *in, const destination *to) {
    assert_valid(conv);
    const int pixels = conv->out.w * conv->out.h;
    /* Filters that may share a tile: those of a group or, if each has a channel, all. */
    const int together = is_depthwise(conv) ? conv->out.c : filters_per_group(conv);
    const int parts = (together + FILTERS - 1) / FILTERS;
    const int all_parts = conv->out.c / together * parts;
    /* Neighbouring tiles have the filters in common, which are then in the cache. */
#pragma omp parallel for collapse(2) schedule(static)
    for (int part = 0; part < all_parts; part++)
        for (int pixel = 0; pixel < pixels; pixel += PIXELS) {
            const int begin = part % parts * FILTERS;
            const gdrq_int_tile tile = {.first_pixel = pixel,
                                        .pixels = min_int(PIXELS, pixels - pixel),
                                        .first_filter = part / parts * together + begin,
                                        .filters = min_int(FILTERS, together - begin)};
            convolve_tile(conv, &tile, in, to);
        }
}

void gdrq_int_conv_sums(const gdrq_int_conv *conv, const uint8_t *in, int32_t *sums) {
    convolve(conv, in, &(destination){.sums = sums});
}

size_t gdrq_int_conv_scratch(const gdrq_int_conv *conv) {
    (void)conv;
    return 0;
}

void gdrq_int_conv_run(const gdrq_int_conv *conv, const gdrq_epilogue *epilogue, const uint8_t *in,
                       void *scratch, const gdrq_int_output *out) {
    (void)scratch;
    convolve(conv, in, &(destination){.epilogue = epilogue, .out = out});
}
