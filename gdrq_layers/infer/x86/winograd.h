/*
 * Exact 3x3 convolutions by Winograd's F(2x2, 3x3) (Lavin, Gray, arXiv 1509.09308), in the vectors
 * and sums that the file before this has included: 16 products for four outputs instead of 36, in
 * integers without rounding.
 *
 * With d a 4x4 patch of stored codes 0..q and g a filter in -p..p, Y = A^T [(G g G^T) . (B^T d B)]
 * A. G has halves, so that 2G is taken on both sides: all of U = (2G) g (2G)^T are integers, and
 * the result is 4Y. At position (i, j) of 16, V = B^T d B lies in 0..4q where i = j = 1, and in
 * -2q..2q elsewhere: with 2q added there, a byte holds it up to q = 63, and sums and differences
 * modulo 256 are exact; U lies in -9p..9p where i and j are 1 or 2, in -6p..6p where one is, in
 * -4p..4p elsewhere. The 2q are taken out of the sums again by the sums of U.
 *
 * The image is done in blocks of tiles of 2x2 outputs: their patches are transformed, multiplied
 * with a block of filters after the other, position by position, and the products transformed.
 *
 * Before it, the file that includes this defines MULTIPLY_TABLE; CYCLES_OF_PRODUCT, _BLOCK and
 * _CHANNEL (cost()); HAS_VECTORS_OF_64, if so; and the functions panel_of(), a_pair_fits() (two
 * products in a narrow sum) and narrow_steps().
 *
 * winograd_weights.h packs weights.
 */
#ifndef GDRQ_INFER_X86_WINOGRAD_H
#define GDRQ_INFER_X86_WINOGRAD_H

#include "infer/x86/finish.h"
#include "infer/x86/winograd_weights.h"

enum {
    CHANNELS = 16, /* a multiple of so many */
    TOGETHER = 64, /* tiles of an image that is one block; no block has more */
};

/* ---- geometry ---- */

/* Where part i of n begins, when so many are divided. */
static int share_of(int all, int i, int n) {
    return (int)((int64_t)all * i / n);
}

/* A thread's memory, by places in it. */
typedef struct room {
    size_t patches;  /* V as [position][channels / panel][tile][panel] bytes */
    size_t products; /* [position][tile][FILTERS] int32 */
    size_t outputs;  /* [row 0 or 1 of the tiles][2*tile + column][FILTERS] int32 */
    size_t patch;    /* [4][4][channels] codes */
    size_t size;
} room;

typedef struct grid {
    int columns, tiles, blocks; /* of the image */
    int most;                   /* tiles of a block */
    int panel;                  /* channels of a patch that lie together */
    bool together;              /* one block, of which each thread does some filters */
    room room;
} grid;

/* Where a tile is among the others. */
typedef struct corner {
    int column, row;
} corner;

static corner corner_of(const grid *g, int tile) {
    return (corner){.column = tile % g->columns, .row = tile / g->columns};
}

INLINE corner next_corner(const grid *g, corner c) {
    return c.column + 1 < g->columns ? (corner){c.column + 1, c.row} : (corner){0, c.row + 1};
}

static size_t take(size_t *place, size_t n) {
    const size_t at = *place;
    *place += (n + 63) / 64 * 64;
    return at;
}

static room room_of(const gdrq_int_conv *conv, int tiles) {
    const size_t n = (size_t)tiles, channels = (size_t)conv->in.c, sums = FILTERS * sizeof(int32_t);
    room r = {.size = 0};
    r.patches = take(&r.size, POSITIONS * n * channels);
    r.products = take(&r.size, POSITIONS * n * sums);
    r.outputs = take(&r.size, 4 * n * sums);
    r.patch = take(&r.size, 16 * channels);
    return r;
}

/*
 * All weights stream through for each block: as many tiles as leave half of a core's own cache to
 * them, by patches and products. Measured on Zen 5 with 1 MiB, 256 channels and 169 tiles: 1.09
 * times as fast as with blocks of 22.
 */
static int tiles_of_block(const gdrq_int_conv *conv) {
    const size_t tile = POSITIONS * ((size_t)conv->in.c + FILTERS * sizeof(int32_t));
    const size_t tiles = gdrq_cpu_cache() / 2 / tile;
    return tiles < PIXELS ? PIXELS : tiles > TOGETHER ? TOGETHER : (int)tiles;
}

/* An image of few tiles is one block, whose patches every thread makes for itself: sharing them
 * between cores costs more. */
static grid grid_of(const gdrq_int_conv *conv) {
    const int threads = omp_get_max_threads();
    grid g = {.columns = (conv->out.w + 1) / 2, .panel = panel_of(conv->in.c)};
    g.tiles = g.columns * ((conv->out.h + 1) / 2);
    const int most = tiles_of_block(conv);
    g.together = g.tiles <= TOGETHER && conv->out.c >= threads * FILTERS;
    g.blocks = g.together ? 1 : round_up((g.tiles + most - 1) / most, threads);
    g.most = (g.tiles + g.blocks - 1) / g.blocks;
    g.room = room_of(conv, g.most);
    return g;
}

static size_t scratch_size(const gdrq_int_conv *conv) {
    return grid_of(conv).room.size * (size_t)omp_get_max_threads();
}

/* What one run works on. */
typedef struct work {
    const gdrq_int_conv *conv;
    const gdrq_epilogue *epilogue;
    const gdrq_int_output *out;
    const char *packed;
    const uint8_t *in;
    grid grid;
    int offset; /* 2q */
} work;

/* A block of tiles in a thread's memory. */
typedef struct block {
    int begin, tiles;
    uint8_t *patches, *patch;
    int32_t *products, *outputs;
} block;

/* ---- input ---- */

/*
 * B^T d B of as many channels as a vector has, and 2q where it may be negative; rows are `pitch`
 * bytes apart, pixels and positions `pixel` and `position`. A macro, for vectors of any width.
 */
#define TRANSFORM(name, vector, load, store, set1, add, sub)                            \
    INLINE void name(const uint8_t *restrict d, size_t pitch, size_t pixel, int offset, \
                     uint8_t *restrict to, size_t position) {                           \
        const vector shift = set1((char)offset);                                        \
        vector t[4][4];                                                                 \
        UNROLL                                                                          \
        for (int j = 0; j < 4; j++, d += pixel) {                                       \
            const vector top = load((const void *)d);                                   \
            const vector upper = load((const void *)(d + pitch));                       \
            const vector lower = load((const void *)(d + 2 * pitch));                   \
            const vector bottom = load((const void *)(d + 3 * pitch));                  \
            t[0][j] = sub(top, lower);                                                  \
            t[1][j] = add(upper, lower);                                                \
            t[2][j] = sub(lower, upper);                                                \
            t[3][j] = sub(upper, bottom);                                               \
        }                                                                               \
        UNROLL                                                                          \
        for (int i = 0; i < 4; i++) {                                                   \
            const vector sum = add(t[i][1], t[i][2]);                                   \
            store((void *)to, add(sub(t[i][0], t[i][2]), shift));                       \
            store((void *)(to += position), i == 1 ? sum : add(sum, shift));            \
            store((void *)(to += position), add(sub(t[i][2], t[i][1]), shift));         \
            store((void *)(to += position), add(sub(t[i][1], t[i][3]), shift));         \
            to += position;                                                             \
        }                                                                               \
    }
TRANSFORM(transform_16, __m128i, _mm_loadu_si128, _mm_storeu_si128, _mm_set1_epi8, _mm_add_epi8,
          _mm_sub_epi8)
TRANSFORM(transform_32, __m256i, _mm256_loadu_si256, _mm256_storeu_si256, _mm256_set1_epi8,
          _mm256_add_epi8, _mm256_sub_epi8)
#if defined(HAS_VECTORS_OF_64)
TRANSFORM(transform_64, __m512i, _mm512_loadu_si512, _mm512_storeu_si512, _mm512_set1_epi8,
          _mm512_add_epi8, _mm512_sub_epi8)
#else
INLINE void transform_64(const uint8_t *d, size_t pitch, size_t pixel, int offset, uint8_t *to,
                         size_t position) {
    transform_32(d, pitch, pixel, offset, to, position);
    transform_32(d + 32, pitch, pixel, offset, to + 32, position);
}
#endif

/* The 4x4 pixels at (x, y), some of which lie outside the image. */
static void gather_patch(const gdrq_int_conv *conv, const uint8_t *in, int x, int y, uint8_t *to) {
    const size_t channels = (size_t)conv->in.c, pixel = gdrq_input_pixel(conv);
    for (int i = 0; i < 16; i++, to += channels) {
        const int column = x + i % 4, row = y + i / 4;
        if (column < 0 || column >= conv->in.w || row < 0 || row >= conv->in.h)
            memset(to, conv->zero, channels);
        else
            memcpy(to, in + ((size_t)row * (size_t)conv->in.w + (size_t)column) * pixel, channels);
    }
}

/* n channels of a patch, all of a panel. */
INLINE void transform_panel(const uint8_t *d, size_t pitch, size_t pixel, int n, int offset,
                            uint8_t *to, size_t position) {
    int c = 0;
    for (; c + 64 <= n; c += 64)
        transform_64(d + c, pitch, pixel, offset, to + c, position);
    for (; c + 32 <= n; c += 32)
        transform_32(d + c, pitch, pixel, offset, to + c, position);
    if (c < n)
        transform_16(d + c, pitch, pixel, offset, to + c, position);
}

/* Tile number t of a block. */
static void transform_patch(const work *k, const block *b, int t, corner at) {
    const gdrq_int_conv *conv = k->conv;
    const int x = 2 * at.column - conv->pad, y = 2 * at.row - conv->pad, panel = k->grid.panel;
    const size_t position = (size_t)k->grid.most * (size_t)conv->in.c;
    size_t pixel = gdrq_input_pixel(conv), pitch = (size_t)conv->in.w * pixel;
    uint8_t *to = b->patches + (size_t)t * (size_t)panel;
    const uint8_t *d;
    if (x >= 0 && y >= 0 && x + 4 <= conv->in.w && y + 4 <= conv->in.h) {
        d = k->in + (size_t)y * pitch + (size_t)x * pixel;
    } else {
        gather_patch(conv, k->in, x, y, b->patch);
        d = b->patch;
        pixel = (size_t)conv->in.c;
        pitch = 4 * pixel;
    }
    for (int c = 0; c < conv->in.c; c += panel, to += (size_t)k->grid.most * (size_t)panel)
        transform_panel(d + c, pitch, pixel, panel, k->offset, to, position);
}

static void transform_patches(const work *k, const block *b) {
    corner at = corner_of(&k->grid, b->begin);
    for (int t = 0; t < b->tiles; t++, at = next_corner(&k->grid, at))
        transform_patch(k, b, t, at);
}

/* ---- products ---- */

/* Sums of products at position p of all patches with a block of filters. */
static void multiply(const work *k, const block *b, int p, int filter, int vectors) {
    const grid *g = &k->grid;
    const size_t channels = (size_t)k->conv->in.c, panel = (size_t)g->panel;
    const char *patches = (const char *)b->patches + (size_t)p * (size_t)g->most * channels;
    const char *weights = (const char *)weights_at(k->conv, k->packed, filter, p);
    const int groups = (b->tiles + PIXELS - 1) / PIXELS;
    const int32_t *start = starts_of_position(k->conv, k->packed, p) + filter;
    windows w = {.pixel = panel,
                 .row = (size_t)g->most * panel,
                 .rows = k->conv->in.c / g->panel,
                 .row_bytes = g->panel,
                 .flush = steps_of_block(k->conv, k->packed, filter)[p]};
    for (int i = 0; i < groups; i++) {
        const int t = share_of(b->tiles, i, groups), n = share_of(b->tiles, i + 1, groups) - t;
        w.first = patches + (size_t)t * panel;
        MULTIPLY_TABLE[vectors - 1][n - 1](
            &w, weights, start, b->products + ((size_t)p * (size_t)g->most + (size_t)t) * FILTERS);
    }
}

/* ---- output ---- */

/* A^T M A / 4 of LANES filters of one tile: y[row][column]. Column by column of M, for registers.
 */
INLINE void transform_products(const int32_t *m, size_t position, ints y[2][2]) {
    UNROLL
    for (int j = 0; j < 4; j++, m += position) {
        const ints first = load_ints(m), second = load_ints(m + 4 * position);
        const ints third = load_ints(m + 8 * position), last = load_ints(m + 12 * position);
        const ints of_row[2] = {add_ints(add_ints(second, third), first),
                                subtract_ints(subtract_ints(second, third), last)};
        UNROLL
        for (int r = 0; r < 2; r++) {
            if (j < 3)
                y[r][0] = j ? add_ints(y[r][0], of_row[r]) : of_row[r];
            if (j > 0)
                y[r][1] = j > 1 ? subtract_ints(y[r][1], of_row[r]) : of_row[r];
        }
    }
    for (int i = 0; i < 4; i++)
        y[i / 2][i % 2] = quarter_ints(y[i / 2][i % 2]);
}

/* Of two vectors of filters: [half][row][column] of the tile whose products begin at m. */
INLINE void values_of_tile(const gdrq_int_activation_kind a, const work *k, const factors *f,
                           const int32_t *m, floats v[2][2][2]) {
    UNROLL
    for (int half = 0; half < 2; half++) {
        ints sums[2][2];
        transform_products(m + half * LANES, (size_t)k->grid.most * FILTERS, sums);
        UNROLL
        for (int i = 0; i < 4; i++)
            v[half][i / 2][i % 2] = value_of(a, f, half, sums[i / 2][i % 2]);
    }
}

/* What exists of a tile's outputs, and where its first value and code are. */
typedef struct extent {
    int rows, columns;
    size_t index, code;
} extent;

/* Codes are `stride` from pixel to pixel. */
INLINE extent extent_of(const gdrq_int_conv *conv, corner at, int filter, size_t stride) {
    const int x = 2 * at.column, y = 2 * at.row;
    const size_t pixel = (size_t)y * (size_t)conv->out.w + (size_t)x;
    return (extent){.rows = min_int(2, conv->out.h - y),
                    .columns = min_int(2, conv->out.w - x),
                    .index = pixel * (size_t)conv->out.c + (size_t)filter,
                    .code = pixel * stride + (size_t)filter};
}

/* Adds the shortcut to a tile's values and stores them, as far as either is wanted. */
INLINE void pass_values(const work *k, floats v[2][2][2], const extent *e) {
    const gdrq_int_shortcut *s = k->epilogue->shortcut;
    float *const to = k->out->interleaved;
    const size_t stride = (size_t)k->conv->out.c, line = (size_t)k->conv->out.w * stride;
    UNROLL
    for (int i = 0; i < 8; i++) {
        const int half = i % 2, column = i / 2 % 2, row = i / 4;
        const size_t at =
            e->index + (size_t)row * line + (size_t)column * stride + (size_t)(half * LANES);
        if (row >= e->rows || column >= e->columns)
            continue;
        if (s)
            v[half][row][column] = with_shortcut(s, v[half][row][column], s->other + at);
        if (to)
            store_floats(to + at, v[half][row][column]);
    }
}

/*
 * Two vectors of filters, whose outputs go from the products of all tiles of a block to memory in
 * registers. `alone`: as codes, and nothing else.
 */
INLINE void finish_in_registers(const gdrq_int_activation_kind a, const bool alone, const work *k,
                                const block *b, int filter, const tile_scales *scales) {
    const int filters = filters_of_block(k->conv, filter);
    const size_t stride = gdrq_output_pixel(k->out, k->conv->out);
    const size_t line = (size_t)k->conv->out.w * stride;
    const bool codes = alone || k->out->codes;
    const coder c = coder_of(codes ? k->epilogue->grid : &(gdrq_grid){0});
    const factors f = factors_of(scales);
    corner at = corner_of(&k->grid, b->begin);
    for (int t = 0; t < b->tiles; t++, at = next_corner(&k->grid, at)) {
        const extent e = extent_of(k->conv, at, filter, stride);
        floats v[2][2][2];
        values_of_tile(a, k, &f, b->products + t * FILTERS, v);
        if (!alone)
            pass_values(k, v, &e);
        if (!codes)
            continue;
        uint8_t *const to = k->out->codes + e.code;
        store_pixels(coded_pair(&c, v[0][0], v[1][0]), 2, e.columns, filters, to, stride);
        if (e.rows == 2)
            store_pixels(coded_pair(&c, v[0][1], v[1][1]), 2, e.columns, filters, to + line,
                         stride);
    }
}

/* Of a tile's 2x2 sums, as far as they exist. */
INLINE ints pooled_sum(const ints y[2][2], const extent *e, ints sign) {
    const ints right = e->columns == 2 ? y[0][1] : y[0][0];
    const ints below = e->rows == 2 ? y[1][0] : y[0][0];
    const ints sums[4] = {y[0][0], right, below,
                          e->rows == 1      ? right
                          : e->columns == 1 ? below
                                            : y[1][1]};
    return largest_sum(sums, sign);
}

/* A sum per tile, pooled, into the place of outputs, tile by tile. */
static void pool_block(const work *k, const block *b, int filter, int vectors,
                       const tile_scales *scales) {
    const size_t position = (size_t)k->grid.most * FILTERS;
    const place all = {.pixel = b->begin,
                       .pixels = b->tiles,
                       .filter = filter,
                       .filters = filters_of_block(k->conv, filter)};
    corner at = corner_of(&k->grid, b->begin);
    for (int t = 0; t < b->tiles; t++, at = next_corner(&k->grid, at)) {
        const extent e = extent_of(k->conv, at, filter, 0);
        for (int i = 0; i < vectors * LANES; i += LANES) {
            ints y[2][2];
            transform_products(b->products + t * FILTERS + i, position, y);
            store_ints(b->outputs + t * FILTERS + i,
                       pooled_sum(y, &e, sign_of(load_floats(scales->scale + i))));
        }
    }
    finish_pooled(k->conv, k->epilogue, scales, &all, b->outputs, k->out);
}

/* Tiles t..t+n-1 of a block, which are neighbours in one row; what lies outside is left out. */
static void finish_tiles(const work *k, const block *b, int t, int n, int filter,
                         const tile_scales *scales) {
    const gdrq_int_conv *conv = k->conv;
    const corner tile = corner_of(&k->grid, b->begin + t);
    const int x = 2 * tile.column, y = 2 * tile.row;
    for (int r = 0; r < 2 && y + r < conv->out.h; r++) {
        const place at = {.pixel = (y + r) * conv->out.w + x,
                          .pixels = min_int(2 * n, conv->out.w - x),
                          .filter = filter,
                          .filters = filters_of_block(conv, filter)};
        const size_t first = (size_t)r * 2 * (size_t)k->grid.most + 2 * (size_t)t;
        finish(conv, k->epilogue, scales, &at, b->outputs + first * FILTERS, k->out);
    }
}

/* Whatever is wanted, by way of all outputs of a block in memory. */
static void finish_by_rows(const work *k, const block *b, int filter, const tile_scales *scales) {
    const size_t position = (size_t)k->grid.most * FILTERS;
    const int lanes = vectors_of(filters_of_block(k->conv, filter)) * LANES;
    for (int t = 0; t < b->tiles; t++)
        for (int i = 0; i < lanes; i += LANES) {
            ints y[2][2];
            transform_products(b->products + (size_t)t * FILTERS + i, position, y);
            for (int p = 0; p < 4; p++)
                store_ints(b->outputs + (size_t)(p / 2) * 2 * position +
                               (size_t)(2 * t + p % 2) * FILTERS + i,
                           y[p / 2][p % 2]);
        }
    for (int t = 0, n; t < b->tiles; t += n) {
        n = min_int(b->tiles - t, k->grid.columns - (b->begin + t) % k->grid.columns);
        finish_tiles(k, b, t, n, filter, scales);
    }
}

/* What networks usually have before their codes as a constant. */
static void finish_block(const work *k, const block *b, int filter, int vectors) {
    const gdrq_epilogue *e = k->epilogue;
    const tile_scales scales = scales_at(e, filter, filters_of_block(k->conv, filter));
    const bool whole = vectors == 2, codes = codes_alone(e, k->out);
    if (k->out->pooled)
        pool_block(k, b, filter, vectors, &scales);
    else if (whole && codes && activation_of_codes(e) == GDRQ_INT_LEAKY)
        finish_in_registers(GDRQ_INT_LEAKY, true, k, b, filter, &scales);
    else if (whole && codes && activation_of_codes(e) == GDRQ_INT_LINEAR)
        finish_in_registers(GDRQ_INT_LINEAR, true, k, b, filter, &scales);
    else if (whole && in_whole_vectors(k->conv, e, k->out))
        finish_in_registers(e->activation.kind, false, k, b, filter, &scales);
    else
        finish_by_rows(k, b, filter, &scales);
}

static void convolve(const work *k, const block *b, int filter) {
    const int vectors = vectors_of(filters_of_block(k->conv, filter));
    for (int p = 0; p < POSITIONS; p++)
        multiply(k, b, p, filter, vectors);
    finish_block(k, b, filter, vectors);
}

/* ---- all of it ---- */

static block transformed_block(const work *k, uint8_t *memory, int i) {
    const grid *g = &k->grid;
    const int begin = share_of(g->tiles, i, g->blocks), end = share_of(g->tiles, i + 1, g->blocks);
    block b = {.begin = begin, .tiles = end - begin};
    b.patches = memory + g->room.patches;
    b.patch = memory + g->room.patch;
    b.products = (int32_t *)(memory + g->room.products);
    b.outputs = (int32_t *)(memory + g->room.outputs);
    transform_patches(k, &b);
    return b;
}

static void run(const gdrq_int_conv *conv, const gdrq_conv_limits *limits, const void *packed,
                const gdrq_epilogue *epilogue, const uint8_t *in, void *scratch,
                const gdrq_int_output *out) {
    const work k = {.conv = conv,
                    .epilogue = epilogue,
                    .out = out,
                    .packed = packed,
                    .in = in,
                    .grid = grid_of(conv),
                    .offset = 2 * limits->code};
    const int together = filters_together(conv, 1);
#pragma omp parallel
    {
        uint8_t *const memory =
            (uint8_t *)scratch + k.grid.room.size * (size_t)omp_get_thread_num();
        if (k.grid.together) {
            const block b = transformed_block(&k, memory, 0);
#pragma omp for schedule(dynamic) nowait
            for (int first = 0; first < conv->out.c; first += together)
                for (int i = first; i < min_int(first + together, conv->out.c); i += FILTERS)
                    convolve(&k, &b, i);
        } else {
#pragma omp for schedule(dynamic) nowait
            for (int i = 0; i < k.grid.blocks; i++) {
                const block b = transformed_block(&k, memory, i);
                for (int filter = 0; filter < conv->out.c; filter += FILTERS)
                    convolve(&k, &b, filter);
            }
        }
    }
}

/* Measured cycles of a tile: per channel and block of filters, per block, and per channel. */
static double cost(const gdrq_int_conv *conv) {
    const double channels = conv->in.c;
    return blocks_of(conv) * (CYCLES_OF_PRODUCT * channels + CYCLES_OF_BLOCK) +
           CYCLES_OF_CHANNEL * channels;
}

/* Whether all that is kept in bytes and in 32 bits fits there. */
static bool fits(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    return conv->size == 3 && conv->stride == 1 && conv->groups == 1 &&
           conv->in.c % CHANNELS == 0 && 4 * limits->code <= UINT8_MAX &&
           9 * limits->weight <= INT8_MAX && a_pair_fits(limits) &&
           72. * limits->code * limits->weight * conv->in.c <= INT32_MAX;
}

#define WINOGRAD_KERNEL(kernel, label, level)                    \
    const gdrq_conv_kernel kernel = {.name = label,              \
                                     .cpu = level,               \
                                     .pools = true,              \
                                     .fits = fits,               \
                                     .cost = cost,               \
                                     .packed_size = packed_size, \
                                     .pack = pack,               \
                                     .scratch = scratch_size,    \
                                     .run = run};

#endif
