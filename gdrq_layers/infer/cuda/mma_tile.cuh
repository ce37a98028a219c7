/*
 * What convolutions on tensor cores share: a warp's tile of 32 pixels by 32 filters, and how codes
 * come into shared memory for it, a chunk of each window at a time.
 */
#ifndef GDRQ_INFER_CUDA_MMA_TILE_CUH
#define GDRQ_INFER_CUDA_MMA_TILE_CUH

#include <type_traits>

#include "base/cuda/launch.cuh"
#include "infer/cuda/mma.cuh"
#include "infer/cuda/problem.cuh"

namespace gdrq_conv {

enum {
    WARP_PIXELS = 32,
    CHUNK_STEPS = 2, /* windows are unrolled into shared memory so many steps at a time */
    CHUNK = CHUNK_STEPS * STEP_WORDS,
    /* Words of a row in shared memory: the fragments of a warp then lie in 32 different banks. */
    CODE_PITCH = CHUNK + 4,
};

/*
 * What one of so many threads carries from the GPU's memory to shared memory for a chunk of 32 or
 * 64 pixels: codes of the same words of LOADS windows.
 */
template <int BYTES, int ITS_PIXELS, int ITS_THREADS> struct carrier {
    enum {
        LOADS = ITS_PIXELS * CHUNK / 4 / ITS_THREADS, /* of four words */
        ROWS = ITS_PIXELS / LOADS,                    /* between them */
    };

    window windows[LOADS];
    cursor at;
    int group, row, word;
    gdrq_words codes[LOADS];

    __device__ __forceinline__ carrier(const problem &p, int first_pixel, int its_group,
                                       int first_chunk)
        : at{0, 0, 0}, group(its_group), row((int)threadIdx.x % ITS_THREADS / (CHUNK / 4)),
          word((int)threadIdx.x % (CHUNK / 4) * 4) {
        GDRQ_UNROLLED (i, LOADS)
            windows[i] = window_of(p, min(first_pixel + row + i * ROWS, p.pixels - 1));
        at.advance(p, first_chunk * CHUNK + word);
    }
    /* And goes so many chunks on. */
    __device__ __forceinline__ void load(const problem &p, int chunks) {
        GDRQ_UNROLLED (i, LOADS)
            codes[i] = load_words<BYTES>(p, windows[i], at, group);
        at.advance(p, chunks * CHUNK);
    }
    __device__ __forceinline__ void store(unsigned (*to)[CODE_PITCH]) const {
        GDRQ_UNROLLED (i, LOADS)
            *(gdrq_words *)&to[row + i * ROWS][word] = codes[i];
    }
};

/* What a warp computes: 32 pixels by TILES tiles of filters. */
template <bool NARROW> struct warp_tile {
    int row, column; /* of the block's pixels and filters */
    int tile;        /* the first one, of all groups' */
    bool exists;     /* has tiles to compute */
    int sums[2][TILES][4];

    __device__ __forceinline__ warp_tile(const problem &p, int group, int own_filter, int its_row,
                                         int its_column)
        : row(its_row), column(its_column), sums{} {
        const int own_tile = (own_filter + column) / TILE;
        exists = own_tile < p.order.tiles;
        tile = group * p.order.tiles + own_tile;
    }
    __device__ __forceinline__ void load(const problem &p, int chunk,
                                         fragment<NARROW> weights[CHUNK_STEPS][TILES]) const {
        GDRQ_UNROLLED (s, CHUNK_STEPS)
            GDRQ_UNROLLED (n, TILES)
                if (exists && chunk * CHUNK_STEPS + s < p.order.steps)
                    weights[s][n].load(p, tile + n, chunk * CHUNK_STEPS + s,
                                       (int)threadIdx.x % LANES);
    }
    /* The products of one step, whose codes begin at `codes`. */
    __device__ __forceinline__ void multiply(const unsigned *codes,
                                             const fragment<NARROW> weights[TILES]) {
        const int lane = (int)threadIdx.x % LANES, group = lane / 4, member = lane % 4;
        unsigned a[2][4];
        GDRQ_UNROLLED (m, 2)
            GDRQ_UNROLLED (i, 4)
                a[m][i] =
                    codes[(row + 16 * m + group + 8 * (i % 2)) * CODE_PITCH + member + 4 * (i / 2)];
        GDRQ_UNROLLED (n, TILES) {
            unsigned b[2];
            weights[n].unpack(b);
            GDRQ_UNROLLED (m, 2)
                gdrq_mma_u8s8(sums[m][n], a[m], b);
        }
    }
    template <int PITCH> __device__ __forceinline__ void store(int (*to)[PITCH]) const {
        const int lane = (int)threadIdx.x % LANES;
        GDRQ_UNROLLED (m, 2)
            GDRQ_UNROLLED (n, TILES)
                GDRQ_UNROLLED (i, 4)
                    to[row + 16 * m + lane / 4 + 8 * (i / 2)]
                      [column + TILE * n + 2 * (lane % 4) + i % 2] = sums[m][n][i];
    }
};

/*
 * The results of a tile of the block's, whose sums.get(row, filter, products) gives the products of
 * four filters of a pixel; `filters` are those that there are from the tile's first one on.
 */
template <bool NARROW, int ITS_PIXELS, int ITS_FILTERS, int ITS_THREADS, class SUMS>
static __device__ __forceinline__ void put_tile(const problem &p, int first_pixel, int first_filter,
                                                int filters, const SUMS &sums) {
    /* Neighbouring threads write neighbouring places. */
    const bool planes = p.finish.out.values && !p.finish.out.codes && !p.finish.out.interleaved;
    for (int i = (int)threadIdx.x; i < ITS_PIXELS * ITS_FILTERS / 4; i += ITS_THREADS) {
        const int row = planes ? i % ITS_PIXELS : i / (ITS_FILTERS / 4);
        const int filter = 4 * (planes ? i / ITS_PIXELS : i % (ITS_FILTERS / 4));
        const int pixel = first_pixel + row, n = min(4, filters - filter);
        int products[4];
        sums.get(row, filter, products);
        if (pixel < p.pixels && n > 0)
            finish_products<NARROW>(p, pixel, first_filter + filter, n, products);
    }
}

/* The same, pooled. */
template <bool NARROW, int ITS_PIXELS, int ITS_FILTERS, int ITS_THREADS, class SUMS>
static __device__ __forceinline__ void pool_tile(const problem &p, int first_pixel,
                                                 int first_filter, int filters, const SUMS &sums) {
    for (int i = (int)threadIdx.x; i < ITS_PIXELS / 4 * ITS_FILTERS / 4; i += ITS_THREADS) {
        const int row = i / (ITS_FILTERS / 4) * 4, filter = 4 * (i % (ITS_FILTERS / 4));
        const int n = min(4, filters - filter);
        if (first_pixel + row >= p.pixels || n <= 0)
            continue;
        unsigned codes = 0;
        GDRQ_UNROLLED (k, 4) {
            int products[4];
            sums.get(row + k, filter, products);
            codes = gdrq_larger_codes(
                codes, codes_of_products<NARROW>(p, first_filter + filter, n, products));
        }
        put_pooled(p, first_pixel + row, first_filter + filter, n, codes);
    }
}

template <bool NARROW, int ITS_PIXELS, int ITS_FILTERS, int ITS_THREADS, class SUMS>
static __device__ __forceinline__ void
finish_tile(const problem &p, int first_pixel, int first_filter, int filters, const SUMS &sums) {
    if (p.pooled_w > 0)
        pool_tile<NARROW, ITS_PIXELS, ITS_FILTERS, ITS_THREADS>(p, first_pixel, first_filter,
                                                                filters, sums);
    else
        put_tile<NARROW, ITS_PIXELS, ITS_FILTERS, ITS_THREADS>(p, first_pixel, first_filter,
                                                               filters, sums);
}

/* launch() with the bytes of one load of codes as a constant. */
template <class Launch>
static inline gdrq_status by_load_bytes(const gdrq_int_conv *conv, Launch launch) {
    switch (load_bytes(conv)) {
    case 16:
        return launch(std::integral_constant<int, 16>());
    case 4:
        return launch(std::integral_constant<int, 4>());
    default:
        return launch(std::integral_constant<int, 1>());
    }
}

} // namespace gdrq_conv

#endif
