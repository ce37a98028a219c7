/*
 * What the convolutions of this folder share, on the vectors that the file before it has included:
 * sums of a tile of up to PIXELS pixels by FILTERS filters, which stay in registers while the
 * weights stream by once (products_*.c), and what becomes of them (finish.h).
 *
 * Weights come in blocks of FILTERS filters, two vectors; the last block, if it has LANES filters
 * or less, in one. A step is what one broadcast of STEP bytes of codes is multiplied with: of every
 * filter of a block so many bytes of weights, filter by filter.
 *
 * Work goes to whichever thread is free: cores of a laptop or a board are not of one speed, and
 * others use them, too. Results don't depend on it.
 */
#ifndef GDRQ_INFER_X86_TILE_H
#define GDRQ_INFER_X86_TILE_H

#include <omp.h>
#include <string.h>

#include "infer/conv_kernel.h"

enum {
    FILTERS = 2 * LANES,
    STEP = 4,
    LINE = 64, /* filters whose codes share a cache line, which one core is to write */
    PARTS = 4, /* per thread, at least, that work is divided into for balance */
};

/* A loop of few rounds: unrolled before the compiler decides what stays in registers. */
#define UNROLL _Pragma("GCC unroll 16")

static inline int min_int(int a, int b) {
    return a < b ? a : b;
}

static inline int round_up(int n, int multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

/* With those that are missing in the last block. */
static inline int padded_filters(const gdrq_int_conv *conv) {
    return round_up(conv->out.c, LANES);
}

static inline int filters_of_block(const gdrq_int_conv *conv, int first_filter) {
    return min_int(FILTERS, conv->out.c - first_filter);
}

/* Filters that one thread does together, where so many parts of the pixels are others': a line, if
 * enough parts are left for all threads. */
static inline int filters_together(const gdrq_int_conv *conv, int pixel_parts) {
    const int64_t parts = (int64_t)((conv->out.c + LINE - 1) / LINE) * pixel_parts;
    return parts >= PARTS * omp_get_max_threads() ? LINE : FILTERS;
}

/* Of a block of so many filters. */
static inline int vectors_of(int filters) {
    return filters > LANES ? 2 : 1;
}

/* Blocks of filters, a last one of one vector being half of one. */
static inline double blocks_of(const gdrq_int_conv *conv) {
    return (double)padded_filters(conv) / FILTERS;
}

/* Windows of neighbouring pixels, and how to walk through one. */
typedef struct windows {
    const char *first;
    size_t pixel; /* bytes from one pixel's window to the next one's */
    size_t row;   /* bytes from row to row of a window */
    int rows;
    int row_bytes; /* a multiple of STEP */
    int flush;     /* narrow sums: steps that 16 bits hold */
} windows;

/*
 * sums[pixel][FILTERS] = start[FILTERS] + the products of each window; of a block of one vector,
 * the first LANES only. A function per number of pixels, whose accumulators are then registers.
 */
typedef void multiply_function(const windows *w, const char *weights, const int32_t *start,
                               int32_t *sums);
/* By vectors - 1 and pixels - 1. */
typedef multiply_function *const multiply_table[2][PIXELS];

/* ---- tiles of an output ---- */

/*
 * Outputs in lines of pixels whose windows are equally far apart, and in tiles of those, which are
 * of one size or, the first ones of a line, one pixel larger.
 */
typedef struct lines {
    int n, pixels, tiles; /* pixels and tiles of a line */
    int size, larger;     /* of tiles, and how many of a line have one pixel more */
} lines;

static inline lines lines_of_so_many(int n, int pixels, int of_tile) {
    lines l = {.n = n, .pixels = pixels, .tiles = (pixels + of_tile - 1) / of_tile};
    l.size = l.pixels / l.tiles;
    l.larger = l.pixels % l.tiles;
    return l;
}

/* The pixels of a 1x1 convolution are one line. */
static inline lines lines_of(const gdrq_int_conv *conv) {
    const bool one = conv->size == 1 && conv->stride == 1 && conv->pad == 0;
    return lines_of_so_many(one ? 1 : conv->out.h, one ? conv->out.w * conv->out.h : conv->out.w,
                            PIXELS);
}

/* Where 2x2 outputs are pooled: pairs of rows, and pixels two by two. */
static inline lines lines_of_pairs(const gdrq_int_conv *conv) {
    return lines_of_so_many((conv->out.h + 1) / 2, (conv->out.w + 1) / 2, PIXELS / 2);
}

/* A tile: so many pixels from x on. */
typedef struct tile {
    int line, number, x, pixels;
} tile;

/* Tile i of all. */
static inline tile tile_at(const lines *l, int i) {
    const int number = i % l->tiles;
    return (tile){.line = i / l->tiles,
                  .number = number,
                  .x = number * l->size + min_int(number, l->larger),
                  .pixels = l->size + (number < l->larger)};
}

static inline tile next_tile(const lines *l, tile t) {
    if (++t.number == l->tiles)
        return (tile){.line = t.line + 1, .pixels = l->size + (l->larger > 0)};
    t.x += t.pixels;
    t.pixels = l->size + (t.number < l->larger);
    return t;
}

#endif
