#include <float.h>

#include "base/cuda/launch.cuh"
#include "infer/cuda/moves.h"
#include "infer/cuda/vectors.cuh"

namespace {

enum { THREADS = 256 };

/* What a thread pools: a value, a code, or the codes of four channels. Values that are no numbers
   count as the lowest. */
__device__ __forceinline__ float larger(float x, float max) {
    return x > max ? x : max;
}
__device__ __forceinline__ uint8_t larger(uint8_t x, uint8_t max) {
    return x > max ? x : max;
}
__device__ __forceinline__ unsigned larger(unsigned x, unsigned max) {
    return gdrq_larger_codes(x, max);
}

/*
 * A thread has one item of an output pixel: of `items` that a pixel has. Per output code: the
 * window's codes are read, those of overlapping windows again from the caches, and 1 byte is
 * written; for 2x2 windows that begin at every second place these are 5 bytes, and 20 of values.
 * 1/4 load and 1/4 maximum of four codes per code of the window.
 */
template <class T>
__global__ void __launch_bounds__(THREADS)
    maxpool(gdrq_int_pool p, int items, T lowest, const T *in, T *out) {
    const int i = (int)(blockIdx.x * THREADS + threadIdx.x), pixel = i / items, item = i % items;
    if (pixel >= p.out.w * p.out.h)
        return;
    const int x = pixel % p.out.w * p.stride - p.pad / 2;
    const int y = pixel / p.out.w * p.stride - p.pad / 2;
    const int right = min(x + p.size, p.in.w), bottom = min(y + p.size, p.in.h);
    T most = lowest;
    for (int row = max(y, 0); row < bottom; ++row)
        for (int column = max(x, 0); column < right; ++column)
            most = larger(in[((size_t)row * p.in.w + column) * items + item], most);
    out[(size_t)pixel * items + item] = most;
}

template <class T>
gdrq_status run(const gdrq_int_pool *pool, int items, T lowest, const void *in, void *out,
                gdrq_error *err) {
    const int threads = pool->out.w * pool->out.h * items;
    return GDRQ_LAUNCH(err, (unsigned)((threads + THREADS - 1) / THREADS), THREADS, 0, maxpool<T>,
                       *pool, items, lowest, (const T *)in, (T *)out);
}

} // namespace

gdrq_status gdrq_cuda_maxpool(const gdrq_int_pool *pool, const uint8_t *in, uint8_t *out,
                              gdrq_error *err) {
    if (pool->in.c % 4 == 0)
        return run<unsigned>(pool, pool->in.c / 4, 0, in, out, err);
    return run<uint8_t>(pool, pool->in.c, 0, in, out, err);
}

gdrq_status gdrq_cuda_maxpool_values(const gdrq_int_pool *pool, const float *in, float *out,
                                     gdrq_error *err) {
    return run<float>(pool, pool->in.c, -FLT_MAX, in, out, err);
}
