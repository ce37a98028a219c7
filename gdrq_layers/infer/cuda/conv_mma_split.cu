#include "infer/cuda/mma_tile.cuh"

using namespace gdrq_conv;

namespace {

enum {
    WARPS = 4, /* share the products of one tile */
    THREADS = WARPS * LANES,
    PIXELS = WARP_PIXELS,
    FILTERS = TILES * TILE,
    SUM_PITCH = FILTERS + 8,
};

/* Sums take the place of codes when all products are done. */
union alignas(16) split_memory {
    unsigned codes[WARPS][2][PIXELS][CODE_PITCH];
    int sums[WARPS][PIXELS][SUM_PITCH];
};

/* The products of every fourth chunk, from the warp's own on. Its lanes alone fill its buffers. */
template <int BYTES, bool NARROW>
__device__ __forceinline__ void multiply_own(const problem &p, int warp, int first_pixel, int group,
                                             unsigned (*buffers)[PIXELS][CODE_PITCH],
                                             warp_tile<NARROW> &own) {
    const int chunks = (p.order.steps + CHUNK_STEPS - 1) / CHUNK_STEPS;
    carrier<BYTES, PIXELS, LANES> codes(p, first_pixel, group, warp);
    fragment<NARROW> next[CHUNK_STEPS][TILES] = {}, weights[CHUNK_STEPS][TILES];
    codes.load(p, WARPS);
    codes.store(buffers[0]);
    own.load(p, warp, next);
    __syncwarp();
    for (int chunk = warp, now = 0; chunk < chunks; chunk += WARPS, now ^= 1) {
        const bool more = chunk + WARPS < chunks;
        GDRQ_UNROLLED (s, CHUNK_STEPS)
            GDRQ_UNROLLED (n, TILES)
                weights[s][n] = next[s][n];
        if (more) {
            codes.load(p, WARPS);
            own.load(p, chunk + WARPS, next);
        }
        __syncwarp(); /* lanes whose codes lie outside went another way */
        GDRQ_UNROLLED (s, CHUNK_STEPS)
            if (chunk * CHUNK_STEPS + s < p.order.steps)
                own.multiply(&buffers[now][0][s * STEP_WORDS], weights[s]);
        if (more)
            codes.store(buffers[now ^ 1]);
        __syncwarp();
    }
}

/* Those of all warps together. */
struct split_sums {
    const int (*of)[PIXELS][SUM_PITCH];

    __device__ __forceinline__ void get(int row, int filter, int products[4]) const {
        GDRQ_UNROLLED (f, 4)
            products[f] = 0;
        GDRQ_UNROLLED (w, WARPS)
            GDRQ_UNROLLED (f, 4)
                products[f] += of[w][row][filter + f];
    }
};

/*
 * conv_mma() for few pixels: a block computes 32 pixels of 32 filters of a group, and each of its
 * warps a quarter of their products, so that there are four times as many blocks, each with a
 * quarter of the chunks to wait for one after the other. In return, with K products in a sum, it
 * reads 32*K bytes of codes and 32*K bytes of weights, or half as many at 4 bits, for a quarter of
 * the outputs: twice as many per output. It writes a byte per code, 4 per value, a quarter of that
 * where it pools.
 *
 * Per warp and 32 products of 32 x 32 outputs: as conv_mma(), but 2 loads and stores of 16 bytes of
 * codes; once per output 4 sums are stored to and loaded from shared memory.
 */
template <int BYTES, bool NARROW>
__global__ void __launch_bounds__(THREADS) conv_mma_split(problem p) {
    __shared__ split_memory memory;
    const int blocks = (p.order.filters + FILTERS - 1) / FILTERS;
    const int group = (int)blockIdx.y / blocks, own_filter = (int)blockIdx.y % blocks * FILTERS;
    const int first_pixel = (int)blockIdx.x * PIXELS;
    const int warp = (int)threadIdx.x / LANES;
    warp_tile<NARROW> own(p, group, own_filter, 0, 0);
    multiply_own<BYTES>(p, warp, first_pixel, group, memory.codes[warp], own);
    __syncthreads();
    own.store(memory.sums[warp]);
    __syncthreads();
    finish_tile<NARROW, PIXELS, FILTERS, THREADS>(
        p, first_pixel, group * p.order.filters + own_filter, p.order.filters - own_filter,
        split_sums{memory.sums});
}

template <int BYTES> gdrq_status launch(const problem &p, gdrq_error *err) {
    const dim3 grid = tiles_of(p, PIXELS, FILTERS);
    if (p.order.narrow)
        return GDRQ_LAUNCH(err, grid, THREADS, 0, (conv_mma_split<BYTES, true>), p);
    return GDRQ_LAUNCH(err, grid, THREADS, 0, (conv_mma_split<BYTES, false>), p);
}

gdrq_status run(const gdrq_cuda_conv_run *run, gdrq_error *err) {
    const problem p = problem_of(run);
    return by_load_bytes(run->conv, [&](auto bytes) { return launch<bytes.value>(p, err); });
}

} // namespace

extern "C" const gdrq_cuda_conv_kernel gdrq_cuda_mma_split = {
    "cuda mma split", 75, true, fits_all, packed_size, pack, run};
