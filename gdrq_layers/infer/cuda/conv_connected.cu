#include "base/cuda/launch.cuh"
#include "infer/cuda/mma.cuh"
#include "infer/cuda/problem.cuh"

using namespace gdrq_conv;

namespace {

enum { WARPS = 8, THREADS = WARPS * LANES };

/*
 * A connected layer, whose input is one pixel: a block computes 8 filters, whose steps its warps
 * share out. With K products in a sum, a filter's weights are read once, K bytes or K/2 at 4 bits,
 * 256 or 128 bytes a warp and load; the K codes come from the caches, once per 8 filters, and a
 * byte per filter is written as a code, 4 as a value. What counts is the weights' way.
 *
 * Per output and 8 products: 2 dp4a, 2 loads of a word of codes, 1 load of weights and, at 4 bits,
 * 3 operations that unpack them.
 */
template <int BYTES, bool NARROW>
__global__ void __launch_bounds__(THREADS) conv_connected(problem p) {
    __shared__ int partial[WARPS][TILE];
    const int warp = (int)threadIdx.x / LANES, lane = (int)threadIdx.x % LANES;
    const int tile = (int)blockIdx.x, member = lane % 4;
    int sum = 0;
    for (int step = warp; step < p.order.steps; step += WARPS) {
        fragment<NARROW> packed;
        unsigned weights[2];
        packed.load(p, tile, step, lane);
        packed.unpack(weights);
        for (int i = 0; i < 2; ++i) {
            const int word = step * STEP_WORDS + member + 4 * i;
            const cursor at = {word, 0, word < p.order.words ? 0 : 1};
            sum = gdrq_dp4a_u8s8(load_word<BYTES>(p, {0, 0}, at, 0), weights[i], sum);
        }
    }
    sum += __shfl_xor_sync(~0u, sum, 1);
    sum += __shfl_xor_sync(~0u, sum, 2);
    if (member == 0)
        partial[warp][lane / 4] = sum;
    __syncthreads();
    const int own = 4 * (int)threadIdx.x, filter = tile * TILE + own;
    const int n = min(4, p.order.filters - filter);
    if (own >= TILE || n <= 0)
        return;
    int sums[4] = {};
    for (int w = 0; w < WARPS; ++w)
        for (int i = 0; i < 4; ++i)
            sums[i] += partial[w][own + i];
    finish_products<NARROW>(p, 0, filter, n, sums);
}

template <int BYTES> gdrq_status launch(const problem &p, gdrq_error *err) {
    const unsigned blocks = (unsigned)ratio_up(p.order.filters, TILE);
    if (p.order.narrow)
        return GDRQ_LAUNCH(err, blocks, THREADS, 0, (conv_connected<BYTES, true>), p);
    return GDRQ_LAUNCH(err, blocks, THREADS, 0, (conv_connected<BYTES, false>), p);
}

/* A network that has grown may have more pixels than when this kernel was chosen; the packing is
   the other's. */
gdrq_status run(const gdrq_cuda_conv_run *run, gdrq_error *err) {
    const gdrq_tensor_shape in = run->conv->in;
    if (in.w > 1 || in.h > 1 || run->out->pooled)
        return gdrq_cuda_dp4a.run(run, err);
    const problem p = problem_of(run);
    return load_bytes(run->conv) >= 4 ? launch<4>(p, err) : launch<1>(p, err);
}

bool fits(const gdrq_int_conv *conv, const gdrq_conv_limits *) {
    return conv->in.w == 1 && conv->in.h == 1 && conv->size == 1 && conv->pad == 0 &&
           conv->groups == 1;
}

} // namespace

extern "C" const gdrq_cuda_conv_kernel gdrq_cuda_connected = {"cuda connected", 0,    true, fits,
                                                              packed_size,      pack, run};
