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
 * _CHANNEL (cost()); HAS_VECTORS_OF_64, if so; and the functions tiles_of_block(), panel_of(),
 * a_pair_fits() (two products in a narrow sum) and narrow_steps().
 *
 * winograd_weights.h packs weights.
 */
#ifndef GDRQ_INFER_X86_WINOGRAD_H
#define GDRQ_INFER_X86_WINOGRAD_H

#include <omp.h>

#include "infer/x86/finish.h"
#include "infer/x86/winograd_weights.h"

enum {
    MIDDLE = 5,    /* the position i = j = 1 */
    CHANNELS = 16, /* a multiple of so many */
    TOGETHER = 64, /* tiles of an image that is one block */
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
 * Patches, products and a panel of weights should stay in the caches near the core: few tiles to a
 * block, but enough of them that streaming the weights through for each block costs little. An
 * image of few tiles is one block, whose patches every thread makes for itself: sharing them
 * between cores costs more.
 */
static grid grid_of(const gdrq_int_conv *conv) {
    const int threads = omp_get_max_threads();
    grid g = {.columns = (conv->out.w + 1) / 2, .panel = panel_of(conv->in.c)};
    g.tiles = g.columns * ((conv->out.h + 1) / 2);
    const int most = tiles_of_block(conv->in.c);
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
#define TRANSFORM(name, vector, load, store, set1, add, sub)                                  \
    INLINE void name(const uint8_t *restrict d, size_t pitch, size_t pixel, int offset,       \
                     uint8_t *restrict to, size_t position) {                                 \
        static const int minuend[4] = {0, 1, 2, 1}, other[4] = {2, 2, 1, 3};                  \
        const vector shift = set1((char)offset);                                              \
        for (int i = 0; i < 4; i++) {                                                         \
            vector t[4];                                                                      \
            for (int j = 0; j < 4; j++) {                                                     \
                const vector a =                                                              \
                    load((const void *)(d + (size_t)minuend[i] * pitch + (size_t)j * pixel)); \
                const vector b =                                                              \
                    load((const void *)(d + (size_t)other[i] * pitch + (size_t)j * pixel));   \
                t[j] = i == 1 ? add(a, b) : sub(a, b);                                        \
            }                                                                                 \
            const vector sum = add(t[1], t[2]);                                               \
            uint8_t *const row = to + 4 * (size_t)i * position;                               \
            store((void *)row, add(sub(t[0], t[2]), shift));                                  \
            store((void *)(row + position), i == 1 ? sum : add(sum, shift));                  \
            store((void *)(row + 2 * position), add(sub(t[2], t[1]), shift));                 \
            store((void *)(row + 3 * position), add(sub(t[1], t[3]), shift));                 \
        }                                                                                     \
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
    const size_t channels = (size_t)conv->in.c;
    for (int i = 0; i < 16; i++, to += channels) {
        const int column = x + i % 4, row = y + i / 4;
        if (column < 0 || column >= conv->in.w || row < 0 || row >= conv->in.h)
            memset(to, conv->zero, channels);
        else
            memcpy(to, in + ((size_t)row * (size_t)conv->in.w + (size_t)column) * channels,
                   channels);
    }
}

/* Tile number t of a block. */
static void transform_patch(const work *k, const block *b, int t) {
    const gdrq_int_conv *conv = k->conv;
    const int tile = b->begin + t, panel = k->grid.panel;
    const int x = 2 * (tile % k->grid.columns) - conv->pad;
    const int y = 2 * (tile / k->grid.columns) - conv->pad;
    const size_t pixel = (size_t)conv->in.c, position = (size_t)k->grid.most * pixel;
    size_t pitch = (size_t)conv->in.w * pixel;
    const uint8_t *d;
    if (x >= 0 && y >= 0 && x + 4 <= conv->in.w && y + 4 <= conv->in.h) {
        d = k->in + (size_t)y * pitch + (size_t)x * pixel;
    } else {
        gather_patch(conv, k->in, x, y, b->patch);
        d = b->patch;
        pitch = 4 * pixel;
    }
    for (int c = 0, n; c < conv->in.c; c += n) {
        uint8_t *const to = b->patches + (size_t)(c / panel * panel) * (size_t)k->grid.most +
                            (size_t)(t * panel + c % panel);
        const int left = panel - c % panel;
        n = left >= 64 ? 64 : left >= 32 ? 32 : 16;
        if (n == 64)
            transform_64(d + c, pitch, pixel, k->offset, to, position);
        else if (n == 32)
            transform_32(d + c, pitch, pixel, k->offset, to, position);
        else
            transform_16(d + c, pitch, pixel, k->offset, to, position);
    }
}

/* ---- products ---- */

/*
 * What sums at position p begin with: the offset's share taken out and, in the middle, whose
 * products all four outputs have with a plus, four times the zero code's share.
 */
static void start_position(const work *k, int p, int filter, int vectors, int32_t *start) {
    const int32_t *of_u = sums_of_position(k->conv, k->packed, p) + filter;
    const int32_t *of_weights = sums_of_weights(k->conv, k->packed) + filter;
    const ints factor = set_ints(p == MIDDLE ? -4 * k->conv->zero : -k->offset);
    for (int i = 0; i < vectors * LANES; i += LANES)
        store_ints(start + i,
                   multiply_ints(factor, load_ints((p == MIDDLE ? of_weights : of_u) + i)));
}

/* Sums of products at position p of all patches with a block of filters. */
static void multiply(const work *k, const block *b, int p, int filter, int vectors) {
    const grid *g = &k->grid;
    const size_t channels = (size_t)k->conv->in.c, panel = (size_t)g->panel;
    const char *patches = (const char *)b->patches + (size_t)p * (size_t)g->most * channels;
    const char *weights = (const char *)weights_at(k->conv, k->packed, filter, p);
    const int groups = (b->tiles + PIXELS - 1) / PIXELS;
    int32_t start[FILTERS];
    windows w = {.pixel = panel,
                 .row = (size_t)g->most * panel,
                 .rows = k->conv->in.c / g->panel,
                 .row_bytes = g->panel,
                 .flush = steps_of_block(k->conv, k->packed, filter)[p]};
    start_position(k, p, filter, vectors, start);
    for (int i = 0; i < groups; i++) {
        const int t = share_of(b->tiles, i, groups), n = share_of(b->tiles, i + 1, groups) - t;
        w.first = patches + (size_t)t * panel;
        MULTIPLY_TABLE[vectors - 1][n - 1](
            &w, weights, start, b->products + ((size_t)p * (size_t)g->most + (size_t)t) * FILTERS);
    }
}

/* ---- output ---- */

/* A^T M A / 4 of LANES filters of one tile, from products and to outputs at t and 2*t. */
INLINE void transform_products(const int32_t *restrict m, size_t position, int32_t *restrict y,
                               size_t row) {
    ints a[2][4];
    for (int j = 0; j < 4; j++) {
        ints column[4];
        for (int i = 0; i < 4; i++)
            column[i] = load_ints(m + (size_t)(4 * i + j) * position);
        a[0][j] = add_ints(add_ints(column[0], column[1]), column[2]);
        a[1][j] = subtract_ints(subtract_ints(column[1], column[2]), column[3]);
    }
    for (int r = 0; r < 2; r++) {
        store_ints(y + (size_t)r * row,
                   quarter_ints(add_ints(add_ints(a[r][0], a[r][1]), a[r][2])));
        store_ints(y + (size_t)r * row + FILTERS,
                   quarter_ints(subtract_ints(subtract_ints(a[r][1], a[r][2]), a[r][3])));
    }
}

/* Tiles t..t+n-1 of a block, which are neighbours in one row; what lies outside is left out. */
static void finish_tiles(const work *k, const block *b, int t, int n, int filter,
                         const tile_scales *scales) {
    const gdrq_int_conv *conv = k->conv;
    const int tile = b->begin + t;
    const int x = 2 * (tile % k->grid.columns), y = 2 * (tile / k->grid.columns);
    for (int r = 0; r < 2 && y + r < conv->out.h; r++) {
        const place at = {.pixel = (y + r) * conv->out.w + x,
                          .pixels = min_int(2 * n, conv->out.w - x),
                          .filter = filter,
                          .filters = filters_of_block(conv, filter)};
        const size_t first = (size_t)r * 2 * (size_t)k->grid.most + 2 * (size_t)t;
        finish(conv, k->epilogue, scales, &at, b->outputs + first * FILTERS, k->out);
    }
}

static void finish_block(const work *k, const block *b, int filter, int vectors) {
    const size_t position = (size_t)k->grid.most * FILTERS;
    const tile_scales scales = scales_at(k->epilogue, filter, filters_of_block(k->conv, filter));
    for (int t = 0; t < b->tiles; t++)
        for (int i = 0; i < vectors * LANES; i += LANES)
            transform_products(b->products + (size_t)t * FILTERS + i, position,
                               b->outputs + 2 * (size_t)t * FILTERS + i, 2 * position);
    for (int t = 0, n; t < b->tiles; t += n) {
        n = min_int(b->tiles - t, k->grid.columns - (b->begin + t) % k->grid.columns);
        finish_tiles(k, b, t, n, filter, &scales);
    }
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
    for (int t = 0; t < b.tiles; t++)
        transform_patch(k, &b, t);
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
#pragma omp parallel
    {
        uint8_t *const memory =
            (uint8_t *)scratch + k.grid.room.size * (size_t)omp_get_thread_num();
        if (k.grid.together) {
            const block b = transformed_block(&k, memory, 0);
#pragma omp for schedule(dynamic)
            for (int filter = 0; filter < conv->out.c; filter += FILTERS)
                convolve(&k, &b, filter);
        } else {
#pragma omp for schedule(dynamic)
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
                                     .fits = fits,               \
                                     .cost = cost,               \
                                     .packed_size = packed_size, \
                                     .pack = pack,               \
                                     .scratch = scratch_size,    \
                                     .run = run};

#endif
