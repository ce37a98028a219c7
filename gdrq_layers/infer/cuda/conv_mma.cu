#include "infer/cuda/mma_tile.cuh"

using namespace gdrq_conv;

namespace {

enum {
    THREADS = 128, /* warps of 32 pixels by 32 filters, two by two */
    PIXELS = 64,
    FILTERS = 64,
    SUM_PITCH = FILTERS + 8,
};

/* Sums take the place of codes when all products are done. Codes are stored four words at a time.
 */
union alignas(16) tile_memory {
    unsigned codes[2][PIXELS][CODE_PITCH];
    int sums[PIXELS][SUM_PITCH];
};

struct tile_sums {
    const int (*of)[SUM_PITCH];

    __device__ __forceinline__ void get(int row, int filter, int products[4]) const {
        GDRQ_UNROLLED (f, 4)
            products[f] = of[row][filter + f];
    }
};

/*
 * A block computes 64 pixels of 64 filters of a group; threads unroll their windows, 64 products at
 * a time, into two buffers by turns: while tensor cores multiply one chunk, the next one's codes
 * and weights are on their way. With K products in a sum, a block reads 64*K bytes of codes and
 * 64*K bytes of weights, or half as many at 4 bits, by way of the caches (each pixel's codes are
 * read again for every 64 filters, and weights for every 64 pixels; through L1 weights come twice,
 * 128*K bytes, as two warps need each), and writes a byte per code, 4 per value, a quarter of that
 * where it pools.
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
    const int warp = (int)threadIdx.x / LANES;
    warp_tile<NARROW> own(p, group, own_filter, warp % 2 * WARP_PIXELS, warp / 2 * TILES * TILE);
    carrier<BYTES, PIXELS, THREADS> codes(p, first_pixel, group, 0);
    fragment<NARROW> next[CHUNK_STEPS][TILES] = {}, weights[CHUNK_STEPS][TILES];
    codes.load(p, 1);
    codes.store(memory.codes[0]);
    own.load(p, 0, next);
    __syncthreads();
    for (int chunk = 0; chunk < chunks; ++chunk) {
        const bool more = chunk + 1 < chunks;
        GDRQ_UNROLLED (s, CHUNK_STEPS)
            GDRQ_UNROLLED (n, TILES)
                weights[s][n] = next[s][n];
        if (more) {
            codes.load(p, 1);
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
    finish_tile<NARROW, PIXELS, FILTERS, THREADS>(
        p, first_pixel, group * p.order.filters + own_filter, p.order.filters - own_filter,
        tile_sums{memory.sums});
}

template <int BYTES> gdrq_status launch(const problem &p, gdrq_error *err) {
    const dim3 grid = tiles_of(p, PIXELS, FILTERS);
    if (p.order.narrow)
        return GDRQ_LAUNCH(err, grid, THREADS, 0, (conv_mma<BYTES, true>), p);
    return GDRQ_LAUNCH(err, grid, THREADS, 0, (conv_mma<BYTES, false>), p);
}

gdrq_status run_whole(const gdrq_cuda_conv_run *run, gdrq_error *err) {
    const problem p = problem_of(run);
    return by_load_bytes(run->conv, [&](auto bytes) { return launch<bytes.value>(p, err); });
}

gdrq_status run(const gdrq_cuda_conv_run *run, gdrq_error *err) {
    int multiprocessors;
    const gdrq_status status = gdrq_device_multiprocessors(&multiprocessors, err);
    if (status != GDRQ_OK)
        return status;
    const bool splits = gdrq_cuda_mma_splits(run->conv, multiprocessors);
    return splits ? gdrq_cuda_mma_split.run(run, err) : run_whole(run, err);
}

} // namespace

bool gdrq_cuda_mma_splits(const gdrq_int_conv *conv, int multiprocessors) {
    const int tiles = ratio_up(conv->out.w * conv->out.h, PIXELS) * conv->groups *
                      ratio_up(conv->out.c / conv->groups, FILTERS);
    const int steps = conv->size * conv->size * (conv->in.c / conv->groups) / (4 * STEP_WORDS);
    return tiles < 2 * multiprocessors && steps >= 16;
}

extern "C" const gdrq_cuda_conv_kernel gdrq_cuda_mma = {"cuda mma",  75,   true, fits_all,
                                                        packed_size, pack, run},
                                       gdrq_cuda_mma_whole = {"cuda mma whole", 75,          true,
                                                              fits_all,         packed_size, pack,
                                                              run_whole};

/* All kernels are compiled for the same; of this one the code differs. */
gdrq_status gdrq_cuda_code_capability(int *capability, gdrq_error *err) {
    cudaFuncAttributes of = {};
    const gdrq_status status = GDRQ_CHECK_CUDA(cudaFuncGetAttributes(&of, conv_mma<16, true>), err);
    *capability = of.ptxVersion;
    return status;
}
