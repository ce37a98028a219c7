#include "base/cuda/launch.cuh"
#include "infer/cuda/mma.cuh"
#include "infer/cuda/problem.cuh"

using namespace gdrq_conv;

namespace {

enum {
    THREADS = 128,
    FILTERS = 16, /* of a thread */
    MOST_POSITIONS = 121,
};

/* The word of a filter at a position, unpacked. */
template <bool NARROW>
__device__ __forceinline__ unsigned weight_word(const problem &p, int filter, int position) {
    fragment<NARROW> packed;
    unsigned words[2];
    packed.load(p, filter / TILE, position / STEP_WORDS, filter % TILE * 4 + position % 4);
    packed.unpack(words);
    return words[position / 4 % 2];
}

/* Four neighbouring lanes have the pixels of a pooled one, and lane `writer` of them writes. */
template <bool NARROW>
__device__ __forceinline__ void pool_neighbours(const problem &p, int pixel, int filter, int n,
                                                int writer, const int products[4]) {
    const unsigned lanes = 0xfu << threadIdx.x % LANES / 4 * 4;
    unsigned codes = codes_of_products<NARROW>(p, filter, n, products);
    codes = gdrq_larger_codes(codes, __shfl_xor_sync(lanes, codes, 1));
    codes = gdrq_larger_codes(codes, __shfl_xor_sync(lanes, codes, 2));
    if ((int)threadIdx.x % 4 == writer)
        put_pooled(p, pixel / 4 * 4, filter, n, codes);
}

/*
 * The first layer, or any of up to four channels: each position of a window is a word. A thread
 * computes a pixel of 16 filters, whose weights its block keeps in shared memory. With a window of
 * K positions, the codes are read from the GPU's memory once per 16 filters, and K times from the
 * first-level cache; a block of 128 pixels reads 64*K bytes of weights, or half as many at 4 bits,
 * by way of the caches; a byte per code is written, 4 per value, a quarter of that where it pools.
 *
 * Per output and position: 1 dp4a, 1/4 load of 16 bytes from shared memory, the same for all lanes,
 * and, of three channels, 3/16 load of a byte of codes.
 */
template <int BYTES, bool NARROW>
__global__ void __launch_bounds__(THREADS) conv_pixels(problem p) {
    __shared__ gdrq_words weights[MOST_POSITIONS][FILTERS / 4];
    const int first = (int)blockIdx.y * FILTERS, area = p.conv.size * p.conv.size;
    for (int i = (int)threadIdx.x; i < area * FILTERS; i += THREADS) {
        const int position = i / FILTERS, f = i % FILTERS;
        weights[position][f / 4].at[f % 4] = weight_word<NARROW>(p, first + f, position);
    }
    __syncthreads();
    const int pixel = (int)(blockIdx.x * THREADS + threadIdx.x);
    if (pixel >= p.pixels)
        return;
    const window of = window_of(p, pixel);
    int sums[FILTERS / 4][4] = {};
    cursor at = {0, 0, 0};
    for (int position = 0; position < area; ++position, at.advance(p, 1)) {
        const unsigned codes = load_word<BYTES>(p, of, at, 0);
        GDRQ_UNROLLED (q, FILTERS / 4)
            GDRQ_UNROLLED (i, 4)
                sums[q][i] = gdrq_dp4a_u8s8(codes, weights[position][q].at[i], sums[q][i]);
    }
    GDRQ_UNROLLED (q, FILTERS / 4) {
        const int n = min(4, p.conv.out.c - first - 4 * q);
        if (n > 0 && p.pooled_w > 0)
            pool_neighbours<NARROW>(p, pixel, first + 4 * q, n, q, sums[q]);
        else if (n > 0)
            finish_products<NARROW>(p, pixel, first + 4 * q, n, sums[q]);
    }
}

template <int BYTES> gdrq_status launch(const problem &p, gdrq_error *err) {
    const dim3 grid = tiles_of(p, THREADS, FILTERS);
    if (p.order.narrow)
        return GDRQ_LAUNCH(err, grid, THREADS, 0, (conv_pixels<BYTES, true>), p);
    return GDRQ_LAUNCH(err, grid, THREADS, 0, (conv_pixels<BYTES, false>), p);
}

gdrq_status run(const gdrq_cuda_conv_run *run, gdrq_error *err) {
    const problem p = problem_of(run);
    return load_bytes(run->conv) == 4 ? launch<4>(p, err) : launch<1>(p, err);
}

bool fits(const gdrq_int_conv *conv, const gdrq_conv_limits *) {
    return conv->in.c <= 4 && conv->groups == 1 && conv->size * conv->size <= MOST_POSITIONS;
}

} // namespace

extern "C" const gdrq_cuda_conv_kernel gdrq_cuda_pixels = {"cuda pixels", 0,    true, fits,
                                                           packed_size,   pack, run};
