/*
 * Exact 3x3 convolutions by Winograd's F(2x2, 3x3) on AVX2 (Lavin, Gray, arXiv 1509.09308): 16
 * products for four outputs instead of 36, in integers without rounding.
 *
 * With d a 4x4 patch of stored codes 0..q and g a filter in -p..p, Y = A^T [(G g G^T) . (B^T d B)]
 * A. G has halves, so that 2G is taken on both sides: all of U = (2G) g (2G)^T are integers, and
 * the result is 4Y. At position (i, j) of 16, B^T d B lies in 0..4q where i = j = 1, and in -2q..2q
 * elsewhere: with 2q added there, a byte holds it up to q = 63, and sums and differences modulo 256
 * are exact; U lies in -9p..9p where i and j are 1 or 2, in -6p..6p where one is, in -4p..4p
 * elsewhere. The 2q are taken out of the sums again by the sums of U.
 *
 * Packed weights: U as [filters / 16][position][channels / 4][16][4] bytes; the sums of each
 * filter's U as [position][filters]; the filters' sums of weights. Missing filters are zeros.
 */
#include "infer/bordered.h"
#include "infer/x86/tile_avx2.h"

enum {
    POSITIONS = 16,
    CHANNELS = 16,        /* a multiple of so many */
    TILES = 4 * PIXELS,   /* whose products, for 16 filters, fit the first-level cache */
    PATCHES = 512 * 1024, /* bytes of transformed patches that a second-level cache may hold */
};

static size_t position_size(const gdrq_int_conv *conv) {
    return (size_t)conv->in.c * FILTERS;
}

static size_t transformed_size(const gdrq_int_conv *conv) {
    return (size_t)padded_filters(conv) * POSITIONS * (size_t)conv->in.c;
}

static size_t packed_size(const gdrq_int_conv *conv) {
    return transformed_size(conv) +
           (POSITIONS + 1) * (size_t)padded_filters(conv) * sizeof(int32_t);
}

static const int32_t *sums_of_position(const gdrq_int_conv *conv, const char *packed, int p) {
    return (const int32_t *)(packed + transformed_size(conv)) + p * padded_filters(conv);
}

static const int32_t *sums_of_weights(const gdrq_int_conv *conv, const char *packed) {
    return sums_of_position(conv, packed, POSITIONS);
}

/* Channels that are transformed at a time; a multiple of CHANNELS. */
enum { RUN = 64 };

/* (2G) g (2G)^T of n channels from g on, whose positions are `stride` bytes apart. */
static void transform_weights(const int8_t *restrict g, size_t stride, int n,
                              int8_t u[restrict POSITIONS][RUN]) {
    for (int c = 0; c < n; c++) {
        int8_t rows[4][3];
        for (int x = 0; x < 3; x++) {
            const int8_t top = g[(size_t)x * stride + (size_t)c],
                         middle = g[(size_t)(3 + x) * stride + (size_t)c],
                         bottom = g[(size_t)(6 + x) * stride + (size_t)c];
            rows[0][x] = (int8_t)(2 * top);
            rows[1][x] = (int8_t)(top + middle + bottom);
            rows[2][x] = (int8_t)(top - middle + bottom);
            rows[3][x] = (int8_t)(2 * bottom);
        }
        for (int i = 0; i < 4; i++) {
            const int8_t left = rows[i][0], middle = rows[i][1], right = rows[i][2];
            u[4 * i][c] = (int8_t)(2 * left);
            u[4 * i + 1][c] = (int8_t)(left + middle + right);
            u[4 * i + 2][c] = (int8_t)(left - middle + right);
            u[4 * i + 3][c] = (int8_t)(2 * right);
        }
    }
}

static void pack_filter(const gdrq_int_conv *conv, int f, char *packed) {
    const size_t channels = (size_t)conv->in.c;
    char *const block = packed + (size_t)(f / FILTERS) * POSITIONS * position_size(conv);
    for (int first = 0; first < conv->in.c; first += RUN) {
        int8_t u[POSITIONS][RUN];
        const int n = min_int(RUN, conv->in.c - first);
        transform_weights(conv->weights + (size_t)f * 9 * channels + (size_t)first, channels, n, u);
        for (int p = 0; p < POSITIONS; p++) {
            char *const to = block + (size_t)p * position_size(conv) +
                             (size_t)(first / 4) * WEIGHTS + (size_t)(f % FILTERS) * 4;
            int sum = 0;
            for (int c = 0; c < n; c += 4)
                memcpy(to + (size_t)(c / 4) * WEIGHTS, &u[p][c], 4);
            for (int c = 0; c < n; c++)
                sum += u[p][c];
            ((int32_t *)sums_of_position(conv, packed, p))[f] += sum;
        }
    }
}

static void pack(const gdrq_int_conv *conv, void *packed) {
    memset(packed, 0, packed_size(conv));
#pragma omp parallel for schedule(static, FILTERS)
    for (int f = 0; f < conv->out.c; f++)
        pack_filter(conv, f, packed);
    memcpy((int32_t *)sums_of_weights(conv, packed), conv->sum,
           (size_t)conv->out.c * sizeof *conv->sum);
}

/* ---- geometry ---- */

typedef struct grid {
    int columns, rows;      /* of tiles of 2x2 outputs */
    int tiles, per_block;   /* patches that are transformed at a time */
    gdrq_bordered bordered; /* the copied input, as wide and high as whole tiles */
} grid;

static grid grid_of(const gdrq_int_conv *conv) {
    grid g = {.columns = (conv->out.w + 1) / 2, .rows = (conv->out.h + 1) / 2};
    g.tiles = g.columns * g.rows;
    g.bordered = gdrq_bordered_make(2 * g.columns + 2, 2 * g.rows + 2, conv->in.c, 1);
    const int most =
        PATCHES / (POSITIONS * conv->in.c) > TILES ? PATCHES / (POSITIONS * conv->in.c) : TILES;
    const int blocks = (g.tiles + most - 1) / most;
    g.per_block = (g.tiles + blocks - 1) / blocks;
    return g;
}

static size_t copy_size(const grid *g) {
    return (gdrq_bordered_size(&g->bordered) + 63) / 64 * 64;
}

static size_t scratch_size(const gdrq_int_conv *conv) {
    const grid g = grid_of(conv);
    return copy_size(&g) + (size_t)POSITIONS * (size_t)g.per_block * (size_t)conv->in.c;
}

/* What one run works on. */
typedef struct work {
    const gdrq_int_conv *conv;
    const gdrq_epilogue *epilogue;
    const gdrq_int_output *out;
    const char *packed;
    grid grid;
    uint8_t *copy, *patches;
    int offset;   /* 2q */
    int flush[3]; /* steps that 16 bits hold, by how many of i and j are 1 or 2 */
} work;

/* ---- input ---- */

/*
 * B^T d B of 32 channels at d, and 2q where it may be negative; rows are `pitch` bytes apart,
 * pixels and positions `pixel` and `position`. A macro, for registers of 16 and of 32 channels.
 */
#define TRANSFORM(name, vector, load, store, set1, add, sub)                                  \
    INLINE void name(const uint8_t *d, size_t pitch, size_t pixel, int offset, uint8_t *to,   \
                     size_t position) {                                                       \
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
TRANSFORM(transform_32, __m256i, _mm256_loadu_si256, _mm256_storeu_si256, _mm256_set1_epi8,
          _mm256_add_epi8, _mm256_sub_epi8)
TRANSFORM(transform_16, __m128i, _mm_loadu_si128, _mm_storeu_si128, _mm_set1_epi8, _mm_add_epi8,
          _mm_sub_epi8)

/* The patch of a tile, which becomes patch number `at` of its block: [position][at][channel]. */
static void transform_patch(const work *k, int tile, int at) {
    const size_t channels = (size_t)k->conv->in.c;
    const size_t position = (size_t)k->grid.per_block * channels;
    const uint8_t *d = k->copy + (size_t)(2 * (tile / k->grid.columns)) * k->grid.bordered.pitch +
                       (size_t)(2 * (tile % k->grid.columns)) * channels;
    uint8_t *to = k->patches + (size_t)at * channels;
    size_t c = 0;
    for (; c + 32 <= channels; c += 32)
        transform_32(d + c, k->grid.bordered.pitch, channels, k->offset, to + c, position);
    if (c < channels)
        transform_16(d + c, k->grid.bordered.pitch, channels, k->offset, to + c, position);
}

/* ---- products and output ---- */

typedef struct products {
    int32_t at[POSITIONS][TILES][FILTERS];
} products;

static bool is_middle(int i) {
    return i == 1 || i == 2;
}

/* Sums of products at position p of n patches from number `first` on, with 16 filters. */
static void multiply(const work *k, int p, int filter, int first, int n, products *m) {
    const size_t channels = (size_t)k->conv->in.c;
    const char *patches = (const char *)k->patches +
                          ((size_t)p * (size_t)k->grid.per_block + (size_t)first) * channels;
    const char *weights =
        k->packed + ((size_t)(filter / FILTERS) * POSITIONS + (size_t)p) * position_size(k->conv);
    const int32_t *of_u = sums_of_position(k->conv, k->packed, p) + filter;
    const __m256i offset = _mm256_set1_epi32(p == 5 ? 0 : -k->offset);
    windows w = {.rows = 1,
                 .row_bytes = (int)channels,
                 .flush = k->flush[is_middle(p / 4) + is_middle(p % 4)]};
    for (int t = 0; t < n; t += PIXELS) {
        const int count = n - t < PIXELS ? n - t : PIXELS;
        tile_sums sums;
        for (int i = 0; i < count; i++) {
            w.at[i] = patches + (size_t)(t + i) * channels;
            for (int half = 0; half < 2; half++)
                sums.at[i][half] = _mm256_mullo_epi32(
                    offset, _mm256_loadu_si256((const __m256i *)(of_u + 8 * half)));
        }
        add_functions[0][count - 1](&w, weights, &sums);
        for (int i = 0; i < count; i++)
            for (int half = 0; half < 2; half++)
                _mm256_store_si256((__m256i *)(m->at[p][t + i] + 8 * half), sums.at[i][half]);
    }
}

/* A^T M A / 4 + start of 8 filters: the four sums of a tile. */
INLINE void transform_products(const products *m, int t, int first, __m256i start,
                               __m256i y[2][2]) {
    __m256i a[2][4];
    for (int j = 0; j < 4; j++) {
        __m256i column[4];
        for (int i = 0; i < 4; i++)
            column[i] = _mm256_load_si256((const __m256i *)(m->at[4 * i + j][t] + first));
        a[0][j] = _mm256_add_epi32(_mm256_add_epi32(column[0], column[1]), column[2]);
        a[1][j] = _mm256_sub_epi32(_mm256_sub_epi32(column[1], column[2]), column[3]);
    }
    for (int r = 0; r < 2; r++) {
        const __m256i left = _mm256_add_epi32(_mm256_add_epi32(a[r][0], a[r][1]), a[r][2]);
        const __m256i right = _mm256_sub_epi32(_mm256_sub_epi32(a[r][1], a[r][2]), a[r][3]);
        y[r][0] = _mm256_add_epi32(_mm256_srai_epi32(left, 2), start);
        y[r][1] = _mm256_add_epi32(_mm256_srai_epi32(right, 2), start);
    }
}

/* Tile number `tile` of the image from products t; outputs beyond the image are left out. */
static void finish_tile(const work *k, const products *m, int t, int tile, int filter,
                        const __m256i start[2], const tile_scales *scales) {
    const gdrq_int_conv *conv = k->conv;
    const int x = 2 * (tile % k->grid.columns), y = 2 * (tile / k->grid.columns);
    __m256i sums[2][2][2]; /* [half][row][column] */
    transform_products(m, t, 0, start[0], sums[0]);
    transform_products(m, t, 8, start[1], sums[1]);
    for (int r = 0; r < 2 && y + r < conv->out.h; r++) {
        const tile_sums of_row = {
            .at = {{sums[0][r][0], sums[1][r][0]}, {sums[0][r][1], sums[1][r][1]}}};
        finish(conv, k->epilogue, scales,
               &(place){.pixel = (y + r) * conv->out.w + x,
                        .pixels = min_int(2, conv->out.w - x),
                        .filter = filter,
                        .filters = min_int(FILTERS, conv->out.c - filter)},
               &of_row, k->out);
    }
}

/* n patches from number `first` on of the block that begins at tile `begin`. */
static void convolve_patches(const work *k, int filter, int begin, int first, int n) {
    _Alignas(64) products m;
    __m256i start[2];
    const tile_scales scales =
        scales_at(k->epilogue, filter, min_int(FILTERS, k->conv->out.c - filter));
    for (int half = 0; half < 2; half++)
        start[half] = _mm256_mullo_epi32(
            _mm256_loadu_si256(
                (const __m256i *)(sums_of_weights(k->conv, k->packed) + filter + 8 * half)),
            _mm256_set1_epi32(-k->conv->zero));
    for (int p = 0; p < POSITIONS; p++)
        multiply(k, p, filter, first, n, &m);
    for (int t = 0; t < n; t++)
        finish_tile(k, &m, t, begin + first + t, filter, start, &scales);
}

static work start_work(const gdrq_int_conv *conv, const gdrq_conv_limits *limits,
                       const void *packed, void *scratch) {
    work k = {.conv = conv,
              .packed = packed,
              .grid = grid_of(conv),
              .copy = scratch,
              .offset = 2 * limits->code};
    static const int largest[3] = {4, 6, 9}; /* |U| in parts of the weights' largest */
    for (int i = 0; i < 3; i++)
        k.flush[i] = INT16_MAX / (2 * 4 * limits->code * largest[i] * limits->weight);
    k.patches = k.copy + copy_size(&k.grid);
    return k;
}

static void run(const gdrq_int_conv *conv, const gdrq_conv_limits *limits, const void *packed,
                const gdrq_epilogue *epilogue, const uint8_t *in, void *scratch,
                const gdrq_int_output *out) {
    work k = start_work(conv, limits, packed, scratch);
    k.epilogue = epilogue;
    k.out = out;
    const int tiles = k.grid.tiles, per_block = k.grid.per_block;
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (int y = 0; y < k.grid.bordered.h; y++)
            gdrq_bordered_row(conv, &k.grid.bordered, in, y, k.copy);
        for (int begin = 0; begin < tiles; begin += per_block) {
            const int n = min_int(per_block, tiles - begin);
#pragma omp for schedule(static)
            for (int i = 0; i < n; i++)
                transform_patch(&k, begin + i, i);
#pragma omp for collapse(2) schedule(static)
            for (int filter = 0; filter < conv->out.c; filter += FILTERS)
                for (int i = 0; i < n; i += TILES)
                    convolve_patches(&k, filter, begin, i, min_int(TILES, n - i));
        }
    }
}

/* Below so many channels, transforming costs more than the products that it saves. */
enum { LEAST_CHANNELS = 64, LEAST_FILTERS = 32, LEAST_STEPS = 2 };

static bool fits(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    return conv->size == 3 && conv->stride == 1 && conv->groups == 1 &&
           conv->in.c % CHANNELS == 0 && conv->in.c >= LEAST_CHANNELS &&
           conv->out.c >= LEAST_FILTERS && 4 * limits->code <= UINT8_MAX &&
           9 * limits->weight <= INT8_MAX &&
           36. * limits->code * limits->weight * conv->in.c <= INT32_MAX &&
           INT16_MAX / (2 * 4 * limits->code * 9 * limits->weight) >= LEAST_STEPS;
}

const gdrq_conv_kernel gdrq_conv_avx2_winograd = {.name = "avx2 winograd",
                                                  .cpu = GDRQ_CPU_AVX2,
                                                  .fits = fits,
                                                  .packed_size = packed_size,
                                                  .pack = pack,
                                                  .scratch = scratch_size,
                                                  .run = run};
