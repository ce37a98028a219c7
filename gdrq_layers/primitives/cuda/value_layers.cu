#include "primitives/cuda/value_layers.h"

#include <float.h>

#include "base/cuda/launch.cuh"
#include "primitives/cross_entropy.h"
#include "primitives/exponential.h"
#include "primitives/lanes.h"
#include "primitives/random_unit.h"

namespace {

enum { THREADS = 256, LANES = 32 };

/* Per value: 4 bytes read and written, about 25 operations. */
__global__ void __launch_bounds__(THREADS) logistic(size_t n, float *x) {
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < n)
        x[i] = gdrq_logistic(x[i]);
}

/* Per value: 4 bytes read and written, about 25 operations, a division and a remainder. */
__global__ void __launch_bounds__(THREADS)
    activate_boxes(int entries, int cells, int n, const float *in, float *out) {
    const int i = (int)(blockIdx.x * THREADS + threadIdx.x);
    if (i >= n)
        return;
    const int entry = i / cells % entries;
    out[i] = entry == 2 || entry == 3 ? in[i] : gdrq_logistic(in[i]);
}

/* The sum of n values as gdrq_sum_in_lanes() adds them: by 16 neighbouring lanes of a warp, all of
   whose lanes come here. */
__device__ __forceinline__ double sum_in_lanes(const float *x, int n) {
    double own = 0, sum = 0;
    for (int i = (int)threadIdx.x % GDRQ_LANES; i < n; i += GDRQ_LANES)
        own += x[i];
    for (int lane = 0; lane < GDRQ_LANES; ++lane)
        sum += __shfl_sync(~0u, own, lane, GDRQ_LANES);
    return sum;
}

/*
 * 16 threads sum a plane. Per value: 4 bytes read, 64 at a time, 1 addition of doubles; 4 bytes are
 * written per plane.
 */
__global__ void __launch_bounds__(THREADS) avgpool(int planes, int n, const float *in, float *out) {
    const int plane = (int)(blockIdx.x * THREADS + threadIdx.x) / GDRQ_LANES;
    const bool exists = plane < planes;
    const double sum = sum_in_lanes(in + (size_t)(exists ? plane : 0) * n, exists ? n : 0);
    if (exists && threadIdx.x % GDRQ_LANES == 0)
        out[plane] = (float)(sum / (double)n);
}

/* Per value: 4 bytes read and 4 written. Twice a float is one, so that one rounding is left. */
__global__ void __launch_bounds__(THREADS)
    crop(gdrq_cuda_crop_shape c, const float *in, float *out) {
    const int i = (int)(blockIdx.x * THREADS + threadIdx.x);
    const int plane = i / (c.out_w * c.out_h), at = i % (c.out_w * c.out_h);
    if (plane >= c.channels)
        return;
    const int x = at % c.out_w + (c.w - c.out_w) / 2, y = at / c.out_w + (c.h - c.out_h) / 2;
    const float value = in[((size_t)plane * c.h + y) * c.w + x];
    out[i] = c.adjusts ? 2 * value - 1 : value;
}

/* The largest of all threads' values, in all threads. */
__device__ __forceinline__ float largest_of_block(float own) {
    __shared__ float of_warps[THREADS / LANES];
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        const float other = __shfl_xor_sync(~0u, own, distance);
        own = other > own ? other : own;
    }
    if (threadIdx.x % LANES == 0)
        of_warps[threadIdx.x / LANES] = own;
    __syncthreads();
    float largest = of_warps[0];
    for (int w = 1; w < THREADS / LANES; ++w)
        largest = of_warps[w] > largest ? of_warps[w] : largest;
    return largest;
}

/* y becomes the probabilities of a group's n inputs x. */
__device__ __forceinline__ gdrq_softmax_normaliser softmax_group(const float *x, int n,
                                                                 float temperature, float *y) {
    __shared__ double sum;
    float own = -FLT_MAX;
    for (int i = (int)threadIdx.x; i < n; i += THREADS)
        own = x[i] > own ? x[i] : own;
    const float largest = largest_of_block(own) / temperature;
    for (int i = (int)threadIdx.x; i < n; i += THREADS)
        y[i] = gdrq_exp_of_negative(x[i] / temperature - largest);
    __syncthreads();
    if (threadIdx.x < LANES) {
        const double of_lanes = sum_in_lanes(y, n);
        if (threadIdx.x == 0)
            sum = of_lanes;
    }
    __syncthreads();
    const float divisor = (float)sum;
    for (int i = (int)threadIdx.x; i < n; i += THREADS)
        y[i] /= divisor;
    return {largest, log(sum)};
}

/*
 * A block has a group of an image. Per value: 4 bytes are read twice, 4 written, read twice and
 * written once more, from the second time on in the caches; about 25 operations, and 1/16 addition
 * of doubles in a row. With a truth 12 more are read, those of it not from the caches, and 8
 * written.
 */
__global__ void __launch_bounds__(THREADS) softmax(gdrq_cuda_softmax_shape s, const float *in,
                                                   float *out, gdrq_cuda_cross_entropy entropy) {
    const int image = (int)blockIdx.x / s.groups, group = (int)blockIdx.x % s.groups;
    const int size = s.inputs / s.groups;
    const int begin = s.offsets ? s.offsets[group] : group * size;
    const int n = s.offsets ? s.offsets[group + 1] - begin : size;
    const size_t at = (size_t)image * s.inputs + begin;
    const float *const x = in + at;
    float *const y = out + at;
    const gdrq_softmax_normaliser by = softmax_group(x, n, s.temperature, y);
    if (!entropy.truth)
        return;
    for (int i = (int)threadIdx.x; i < n; i += THREADS) {
        const float t = entropy.truth[at + i];
        entropy.loss[at + i] = gdrq_cross_entropy(t, by, x[i] / s.temperature);
        entropy.delta[at + i] = gdrq_cross_entropy_delta(t, y[i]);
    }
}

/* Per value: 4 bytes written, about 15 operations. */
__global__ void __launch_bounds__(THREADS) random_units(uint32_t key, size_t n, float *x) {
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < n)
        x[i] = gdrq_random_unit(key, (uint32_t)i);
}

} // namespace

gdrq_status gdrq_cuda_logistic(float *x, size_t n, gdrq_error *err) {
    return GDRQ_LAUNCH(err, (unsigned)((n + THREADS - 1) / THREADS), THREADS, 0, logistic, n, x);
}

gdrq_status gdrq_cuda_activate_boxes(int planes, int entries, int cells, const float *in,
                                     float *out, gdrq_error *err) {
    const int n = planes * cells;
    return GDRQ_LAUNCH(err, ((unsigned)n + THREADS - 1) / THREADS, THREADS, 0, activate_boxes,
                       entries, cells, n, in, out);
}

gdrq_status gdrq_cuda_avgpool(int planes, int n, const float *in, float *out, gdrq_error *err) {
    const int per_block = THREADS / GDRQ_LANES;
    return GDRQ_LAUNCH(err, (unsigned)((planes + per_block - 1) / per_block), THREADS, 0, avgpool,
                       planes, n, in, out);
}

gdrq_status gdrq_cuda_crop_values(const gdrq_cuda_crop_shape *c, const float *in, float *out,
                                  gdrq_error *err) {
    const int threads = c->channels * c->out_w * c->out_h;
    return GDRQ_LAUNCH(err, (unsigned)((threads + THREADS - 1) / THREADS), THREADS, 0, crop, *c, in,
                       out);
}

gdrq_status gdrq_cuda_softmax(const gdrq_cuda_softmax_shape *shape, const float *in, float *out,
                              const gdrq_cuda_cross_entropy *entropy, gdrq_error *err) {
    const gdrq_cuda_cross_entropy none = {};
    return GDRQ_LAUNCH(err, (unsigned)(shape->images * shape->groups), THREADS, 0, softmax, *shape,
                       in, out, entropy ? *entropy : none);
}

gdrq_status gdrq_cuda_random(uint32_t key, float *x, size_t n, gdrq_error *err) {
    return GDRQ_LAUNCH(err, (unsigned)((n + THREADS - 1) / THREADS), THREADS, 0, random_units, key,
                       n, x);
}
