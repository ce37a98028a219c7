#include "base/cuda/launch.cuh"
#include "infer/cuda/mma.cuh"
#include "infer/cuda/problem.cuh"

using namespace gdrq_conv;

namespace {

enum {
    THREADS = 128, /* warps of 32 pixels by 32 filters, two by two */
    PIXELS = 64,
    FILTERS = 64,
    WARP_PIXELS = 32,
    CHUNK_STEPS = 2, /* windows are unrolled into shared memory so many steps at a time */
    CHUNK = CHUNK_STEPS * STEP_WORDS,
    /* Words of a row in shared memory: the fragments of a warp then lie in 32 different banks. */
    CODE_PITCH = CHUNK + 4,
    SUM_PITCH = FILTERS + 8,
    LOADS = PIXELS * CHUNK / 4 / THREADS, /* of four words, by a thread for a chunk */
    ROWS = PIXELS / LOADS,                /* between them */
};

/* Sums take the place of codes when all products are done. Codes are stored four words at a time.
 */
union alignas(16) tile_memory {
    unsigned codes[2][PIXELS][CODE_PITCH];
    int sums[PIXELS][SUM_PITCH];
};

/* What a thread carries from the GPU's memory to shared memory for a chunk: codes of the same words
   of LOADS windows. */
template <int BYTES> struct carrier {
    window windows[LOADS];
    cursor at;
    int group, row, word;
    gdrq_words codes[LOADS];

    __device__ __forceinline__ carrier(const problem &p, int first_pixel, int its_group)
        : at{0, 0, 0}, group(its_group), row((int)threadIdx.x / (CHUNK / 4)),
          word((int)threadIdx.x % (CHUNK / 4) * 4) {
        const int last = p.conv.out.w * p.conv.out.h - 1;
        GDRQ_UNROLLED (i, LOADS)
            windows[i] = window_of(p, min(first_pixel + row + i * ROWS, last));
        at.advance(p, word);
    }
    /* And goes on to the next chunk. */
    __device__ __forceinline__ void load(const problem &p) {
        GDRQ_UNROLLED (i, LOADS)
            codes[i] = load_words<BYTES>(p, windows[i], at, group);
        at.advance(p, CHUNK);
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

    __device__ __forceinline__ warp_tile(const problem &p, int group, int own_filter)
        : row((int)threadIdx.x / LANES % 2 * WARP_PIXELS),
          column((int)threadIdx.x / LANES / 2 * TILES * TILE), sums{} {
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
    __device__ __forceinline__ void store(int (*to)[SUM_PITCH]) const {
        const int lane = (int)threadIdx.x % LANES;
        GDRQ_UNROLLED (m, 2)
            GDRQ_UNROLLED (n, TILES)
                GDRQ_UNROLLED (i, 4)
                    to[row + 16 * m + lane / 4 + 8 * (i / 2)]
                      [column + TILE * n + 2 * (lane % 4) + i % 2] = sums[m][n][i];
    }
};

template <bool NARROW>
__device__ __forceinline__ void finish_tile(const problem &p, int first_pixel, int first_filter,
                                            int filters, const int (*sums)[SUM_PITCH]) {
    const int pixels = p.conv.out.w * p.conv.out.h;
    /* Neighbouring threads write neighbouring places. */
    const bool planes = p.finish.out.values && !p.finish.out.codes && !p.finish.out.interleaved;
    for (int i = (int)threadIdx.x; i < PIXELS * FILTERS / 4; i += THREADS) {
        const int row = planes ? i % PIXELS : i / (FILTERS / 4);
        const int filter = 4 * (planes ? i / PIXELS : i % (FILTERS / 4));
        const int pixel = first_pixel + row, n = min(4, filters - filter);
        if (pixel < pixels && n > 0)
            finish_products<NARROW>(p, pixel, first_filter + filter, n, &sums[row][filter]);
    }
}

/*
 * A block computes 64 pixels of 64 filters of a group; threads unroll their windows, 64 products at
 * a time, into two buffers by turns: while tensor cores multiply one chunk, the next one's codes
 * and weights are on their way. With K products in a sum, a block reads 64*K bytes of codes and
 * 64*K bytes of weights, or half as many at 4 bits, by way of the caches (each pixel's codes are
 * read again for every 64 filters, and weights for every 64 pixels; through L1 weights come twice,
 * 128*K bytes, as two warps need each), and writes a byte per code, 4 per value.
 *
 * Per warp and 32 products of 32 x 32 outputs: 8 mma.m16n8k32 (1/128 of an instruction per output),
 * 8 loads of shared memory (4 bytes a lane, no conflicts), 4 of weights (4 or 8 bytes a lane), 12
 * operations that unpack 4-bit weights, 1 load of 16 bytes of codes and 1 store, of whose rows each
 * two share 4 banks.
 */
template <int BYTES, bool NARROW> __global__ void __launch_bounds__(THREADS) conv_mma(problem p) {
    __shared__ tile_memory memory;
    const int blocks = (p.order.filters + FILTERS - 1) / FILTERS;
    const int group = (int)blockIdx.y / blocks, own_filter = (int)blockIdx.y % blocks * FILTERS;
    const int first_pixel = (int)blockIdx.x * PIXELS;
    const int chunks = (p.order.steps + CHUNK_STEPS - 1) / CHUNK_STEPS;
    warp_tile<NARROW> own(p, group, own_filter);
    carrier<BYTES> codes(p, first_pixel, group);
    fragment<NARROW> next[CHUNK_STEPS][TILES] = {}, weights[CHUNK_STEPS][TILES];
    codes.load(p);
    codes.store(memory.codes[0]);
    own.load(p, 0, next);
    __syncthreads();
    for (int chunk = 0; chunk < chunks; ++chunk) {
        const bool more = chunk + 1 < chunks;
        GDRQ_UNROLLED (s, CHUNK_STEPS)
            GDRQ_UNROLLED (n, TILES)
                weights[s][n] = next[s][n];
        if (more) {
            codes.load(p);
            own.load(p, chunk + 1, next);
        }
        __syncwarp(); /* lanes whose codes lie outside went another way */
        GDRQ_UNROLLED (s, CHUNK_STEPS)
            if (own.exists && chunk * CHUNK_STEPS + s < p.order.steps)
                own.multiply(&memory.codes[chunk % 2][0][s * STEP_WORDS], weights[s]);
        if (more)
            codes.store(memory.codes[(chunk + 1) % 2]);
        __syncthreads();
    }
    own.store(memory.sums);
    __syncthreads();
    finish_tile<NARROW>(p, first_pixel, group * p.order.filters + own_filter,
                        p.order.filters - own_filter, memory.sums);
}

template <int BYTES> gdrq_status launch(const problem &p, gdrq_error *err) {
    const dim3 grid((unsigned)ratio_up(p.conv.out.w * p.conv.out.h, PIXELS),
                    (unsigned)(p.conv.groups * ratio_up(p.order.filters, FILTERS)));
    if (p.order.narrow)
        return GDRQ_LAUNCH(err, grid, THREADS, 0, (conv_mma<BYTES, true>), p);
    return GDRQ_LAUNCH(err, grid, THREADS, 0, (conv_mma<BYTES, false>), p);
}

gdrq_status run(const gdrq_cuda_conv_run *run, gdrq_error *err) {
    const problem p = problem_of(run);
    switch (load_bytes(run->conv)) {
    case 16:
        return launch<16>(p, err);
    case 4:
        return launch<4>(p, err);
    default:
        return launch<1>(p, err);
    }
}

bool fits(const gdrq_int_conv *, const gdrq_conv_limits *) {
    return true;
}

} // namespace

extern "C" const gdrq_cuda_conv_kernel gdrq_cuda_mma = {"cuda mma",  75,   fits,
                                                        packed_size, pack, run};

/* All kernels are compiled for the same; of this one the code differs. */
gdrq_status gdrq_cuda_code_capability(int *capability, gdrq_error *err) {
    cudaFuncAttributes of = {};
    const gdrq_status status = GDRQ_CHECK_CUDA(cudaFuncGetAttributes(&of, conv_mma<16, true>), err);
    *capability = of.ptxVersion;
    return status;
}
