#include "base/cuda/launch.cuh"
#include "infer/cuda/mma.cuh"
#include "infer/cuda/problem.cuh"

using namespace gdrq_conv;

/*
 * For code that is compiled for less than 7.5, which has no product of tiles of bytes; elsewhere it
 * is what tests compare the other one with.
 */
namespace {

enum {
    SIDE = 16,
    THREADS = SIDE * SIDE,
    PIXELS = 64,
    FILTERS = 64,
    /* Words of a row in shared memory: what a warp stores or loads at once lies in all banks. It
       stores codes of every second row and weights of four neighbouring ones, 8 of each row. */
    CODE_PITCH = PIXELS + 4,
    WEIGHT_PITCH = FILTERS + 8,
    CODE_WORDS = PIXELS * STEP_WORDS / THREADS, /* loaded by a thread for a step */
    THREADS_PER_PIXEL = STEP_WORDS / CODE_WORDS,
};

/* Words of a step, of each pixel and of each filter. */
struct operands {
    alignas(16) unsigned codes[STEP_WORDS][CODE_PITCH];
    alignas(16) unsigned weights[STEP_WORDS][WEIGHT_PITCH];
};

/* What a thread carries from the GPU's memory to shared memory for a step. */
template <int BYTES, bool NARROW> struct carrier {
    window of;
    cursor at;
    int group, tile, lane, pixel, word;
    bool has_tile;
    unsigned codes[CODE_WORDS];
    fragment<NARROW> weights;

    __device__ __forceinline__ carrier(const problem &p, int first_pixel, int its_group,
                                       int first_filter)
        : at{0, 0, 0}, group(its_group), lane((int)threadIdx.x % LANES),
          pixel((int)threadIdx.x / THREADS_PER_PIXEL),
          word((int)threadIdx.x % THREADS_PER_PIXEL * CODE_WORDS), weights{} {
        const int own_tile = first_filter / TILE + (int)threadIdx.x / LANES;
        has_tile = own_tile < p.order.tiles;
        tile = group * p.order.tiles + own_tile;
        of = window_of(p, min(first_pixel + pixel, p.pixels - 1));
        at.advance(p, word);
    }
    /* And goes on to the next step. */
    __device__ __forceinline__ void load(const problem &p, int step) {
        cursor one = at;
        GDRQ_UNROLLED (i, CODE_WORDS) {
            codes[i] = load_word<BYTES>(p, of, one, group);
            one.advance(p, 1);
        }
        at.advance(p, STEP_WORDS);
        if (has_tile)
            weights.load(p, tile, step, lane);
    }
    __device__ __forceinline__ void store(operands &to) const {
        GDRQ_UNROLLED (i, CODE_WORDS)
            to.codes[word + i][pixel] = codes[i];
        unsigned words[2];
        weights.unpack(words);
        GDRQ_UNROLLED (i, 2)
            to.weights[lane % 4 + 4 * i][(int)threadIdx.x / LANES * TILE + lane / 4] = words[i];
    }
};

/*
 * A block computes 64 pixels of 64 filters of a group, a thread 4 by 4 of them. A step's codes and
 * weights go through shared memory, in two buffers by turns. With K products in a sum, a block
 * reads 64*K bytes of codes and 64*K bytes of weights, or half as many at 4 bits, by way of the
 * caches, and writes a byte per code, 4 per value, a quarter of that where it pools.
 *
 * Per output and 4 products: 1 dp4a, 1/8 load of 16 bytes from shared memory, 1/64 load of a word
 * of codes and 1/128 of weights (4 or 8 bytes a lane).
 */
template <int BYTES, bool NARROW>
__global__ void __launch_bounds__(THREADS, 3) conv_dp4a(problem p) {
    __shared__ operands buffers[2];
    const int blocks = (p.order.filters + FILTERS - 1) / FILTERS;
    const int group = (int)blockIdx.y / blocks, own_filter = (int)blockIdx.y % blocks * FILTERS;
    const int first_pixel = (int)blockIdx.x * PIXELS;
    const int column = 4 * ((int)threadIdx.x % SIDE), row = 4 * ((int)threadIdx.x / SIDE);
    carrier<BYTES, NARROW> next(p, first_pixel, group, own_filter);
    next.load(p, 0);
    next.store(buffers[0]);
    __syncthreads();
    int sums[4][4] = {};
    for (int step = 0; step < p.order.steps; ++step) {
        const operands &now = buffers[step % 2];
        const bool more = step + 1 < p.order.steps;
        if (more)
            next.load(p, step + 1);
        GDRQ_UNROLLED (k, STEP_WORDS) {
            const gdrq_words codes = *(const gdrq_words *)&now.codes[k][row];
            const gdrq_words weights = *(const gdrq_words *)&now.weights[k][column];
            GDRQ_UNROLLED (i, 4)
                GDRQ_UNROLLED (j, 4)
                    sums[i][j] = gdrq_dp4a_u8s8(codes.at[i], weights.at[j], sums[i][j]);
        }
        if (more)
            next.store(buffers[(step + 1) % 2]);
        __syncthreads();
    }
    const int n = min(4, p.order.filters - own_filter - column);
    const int pixel = first_pixel + row, filter = group * p.order.filters + own_filter + column;
    if (n <= 0 || pixel >= p.pixels)
        return;
    if (p.pooled_w > 0) {
        unsigned codes = 0;
        GDRQ_UNROLLED (i, 4)
            codes = gdrq_larger_codes(codes, codes_of_products<NARROW>(p, filter, n, sums[i]));
        put_pooled(p, pixel, filter, n, codes);
        return;
    }
    GDRQ_UNROLLED (i, 4)
        if (pixel + i < p.pixels)
            finish_products<NARROW>(p, pixel + i, filter, n, sums[i]);
}

template <int BYTES> gdrq_status launch(const problem &p, gdrq_error *err) {
    const dim3 grid = tiles_of(p, PIXELS, FILTERS);
    if (p.order.narrow)
        return GDRQ_LAUNCH(err, grid, THREADS, 0, (conv_dp4a<BYTES, true>), p);
    return GDRQ_LAUNCH(err, grid, THREADS, 0, (conv_dp4a<BYTES, false>), p);
}

gdrq_status run(const gdrq_cuda_conv_run *run, gdrq_error *err) {
    const problem p = problem_of(run);
    return load_bytes(run->conv) >= 4 ? launch<4>(p, err) : launch<1>(p, err);
}

} // namespace

extern "C" const gdrq_cuda_conv_kernel gdrq_cuda_dp4a = {"cuda dp4a", 0,    true, fits_all,
                                                         packed_size, pack, run};
