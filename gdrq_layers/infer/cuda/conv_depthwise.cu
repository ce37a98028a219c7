#include <string.h>

#include "base/cuda/launch.cuh"
#include "infer/cuda/problem.cuh"

using namespace gdrq_conv;

namespace {

enum { THREADS = 128 };

/* Weights go [position][channel], whose rows are filled up to whole quads; then the sums. */
int row_bytes(const gdrq_int_conv *conv) {
    return ratio_up(conv->out.c, 4) * 4;
}

size_t weight_bytes(const gdrq_int_conv *conv) {
    return (size_t)conv->size * conv->size * row_bytes(conv);
}

size_t depthwise_size(const gdrq_int_conv *conv, const gdrq_conv_limits *) {
    return weight_bytes(conv) + (size_t)conv->out.c * sizeof(int32_t);
}

void pack_depthwise(const gdrq_int_conv *conv, const gdrq_conv_limits *, void *packed) {
    const int area = conv->size * conv->size, row = row_bytes(conv);
    memset(packed, 0, weight_bytes(conv));
    for (int position = 0; position < area; ++position)
        for (int c = 0; c < conv->out.c; ++c)
            ((int8_t *)packed)[(size_t)position * row + c] =
                conv->weights[(size_t)c * area + position];
    memcpy((uint8_t *)packed + weight_bytes(conv), conv->sum,
           (size_t)conv->out.c * sizeof(int32_t));
}

/* Codes of four channels of a pixel; those that there are not are any. */
template <int BYTES> __device__ __forceinline__ unsigned load_quad(const uint8_t *from, int n) {
    if (BYTES == 4)
        return *(const unsigned *)from;
    unsigned word = 0;
    GDRQ_UNROLLED (i, 4)
        if (i < n)
            word |= (unsigned)from[i] << 8 * i;
    return word;
}

/*
 * Each filter has a channel of its own. A thread computes four neighbouring channels of a pixel,
 * and a warp those of all its lanes, so that its loads and stores are of 128 bytes. With a window
 * of K positions, codes are read from the GPU's memory once and K times from the first-level cache;
 * a byte per code is written, 4 per value; K bytes of weights per channel stay in the cache.
 *
 * Per output and position: 1 multiplication and addition, 2 operations that widen, 1/4 load each of
 * a word of codes and of weights.
 */
template <int BYTES> __global__ void __launch_bounds__(THREADS) conv_depthwise(problem p, int row) {
    const int quads = row / 4, i = (int)(blockIdx.x * THREADS + threadIdx.x);
    const int pixel = i / quads, channel = i % quads * 4;
    if (pixel >= p.conv.out.w * p.conv.out.h)
        return;
    const window of = window_of(p, pixel);
    const int n = min(4, p.conv.out.c - channel);
    int products[4] = {};
    for (int y = 0; y < p.conv.size; ++y)
        for (int x = 0; x < p.conv.size; ++x) {
            const int at_x = of.x + x, at_y = of.y + y;
            const bool inside = at_x >= 0 && at_x < p.conv.in.w && at_y >= 0 && at_y < p.conv.in.h;
            const unsigned codes =
                inside ? load_quad<BYTES>(
                             p.in + ((size_t)at_y * p.conv.in.w + at_x) * p.conv.in.c + channel, n)
                       : (unsigned)p.conv.zero * 0x01010101u;
            const unsigned weights = p.weights[(y * p.conv.size + x) * quads + channel / 4];
            GDRQ_UNROLLED (k, 4)
                products[k] += (int)(codes >> 8 * k & 0xff) * (int8_t)(weights >> 8 * k);
        }
    finish_products<false>(p, pixel, channel, n, products);
}

gdrq_status run(const gdrq_cuda_conv_run *run, gdrq_error *err) {
    problem p = problem_of(run);
    p.sums = (const int *)((const uint8_t *)run->packed + weight_bytes(run->conv));
    const int row = row_bytes(run->conv);
    const int threads = p.conv.out.w * p.conv.out.h * (row / 4);
    const unsigned blocks = (unsigned)ratio_up(threads, THREADS);
    if (p.conv.in.c % 4 == 0)
        return GDRQ_LAUNCH(err, blocks, THREADS, 0, conv_depthwise<4>, p, row);
    return GDRQ_LAUNCH(err, blocks, THREADS, 0, conv_depthwise<1>, p, row);
}

bool fits(const gdrq_int_conv *conv, const gdrq_conv_limits *) {
    return conv->groups == conv->in.c && conv->groups == conv->out.c && conv->groups > 1;
}

} // namespace

extern "C" const gdrq_cuda_conv_kernel gdrq_cuda_depthwise = {
    "cuda depthwise", 0, false, fits, depthwise_size, pack_depthwise, run};
