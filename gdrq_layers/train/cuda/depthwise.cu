#include "train/cuda/layer_kernels.h"

#include "base/cuda/launch.cuh"
#include "base/cuda/unrolled.cuh"
#include "quant/cuda/blocks.cuh"
#include "quant/cuda/reduce.cuh"

/*
 * Reads the input once from the GPU's memory and SIZE^2 / stride^2 times from the caches, weights,
 * 4 * SIZE^2 bytes a channel, from the caches, and writes the sums; per sum 3 divisions with their
 * remainders, 2 * SIZE^2 loads, SIZE^2 multiplications and additions.
 */
template <int SIZE>
static __global__ void convolve(gdrq_cuda_columns_shape s, unsigned n, const float *in,
                                const float *weights, float *sums) {
    for (unsigned i = gdrq_short_index(); i < n; i += gdrq_short_stride()) {
        const unsigned row = i / (unsigned)s.out_w, plane = row / (unsigned)s.out_h;
        const int x0 = (int)(i % (unsigned)s.out_w) * s.stride - s.pad;
        const int y0 = (int)(row % (unsigned)s.out_h) * s.stride - s.pad;
        const float *const image = in + (size_t)plane * s.h * s.w;
        const float *const w = weights + plane % (unsigned)s.channels * (SIZE * SIZE);
        float sum = 0;
        GDRQ_UNROLLED (ky, SIZE)
            GDRQ_UNROLLED (kx, SIZE) {
                const int x = x0 + kx, y = y0 + ky;
                if (x >= 0 && y >= 0 && x < s.w && y < s.h)
                    sum += w[ky * SIZE + kx] * image[y * s.w + x];
            }
        sums[i] = sum;
    }
}

/* Reads the output's gradient once from the GPU's memory, and (SIZE / stride)^2 times per value of
   the input from the caches, as the weights; writes the input's, and with ADDS reads it. Per value
   5 divisions with their remainders, and per product 2 loads. */
template <int SIZE, bool ADDS>
static __global__ void input_gradient(gdrq_cuda_columns_shape s, unsigned n, const float *delta,
                                      const float *weights, float *dx) {
    for (unsigned i = gdrq_short_index(); i < n; i += gdrq_short_stride()) {
        const unsigned row = i / (unsigned)s.w, plane = row / (unsigned)s.h;
        const int x = (int)(i % (unsigned)s.w) + s.pad, y = (int)(row % (unsigned)s.h) + s.pad;
        const float *const of_plane = delta + (size_t)plane * s.out_h * s.out_w;
        const float *const w = weights + plane % (unsigned)s.channels * (SIZE * SIZE);
        float sum = 0;
        for (int ky = y % s.stride, oy = y / s.stride; ky < SIZE && oy >= 0; ky += s.stride, --oy) {
            if (oy >= s.out_h)
                continue;
            for (int kx = x % s.stride, ox = x / s.stride; kx < SIZE && ox >= 0;
                 kx += s.stride, --ox)
                if (ox < s.out_w)
                    sum += w[ky * SIZE + kx] * of_plane[oy * s.out_w + ox];
        }
        dx[i] = ADDS ? dx[i] + sum : sum;
    }
}

/* Sums of products in floats, 64 at a time, so that few of them meet a sum that is much larger. */
template <int TAPS> struct tap_sums {
    float parts[TAPS], totals[TAPS];
    int terms;

    __device__ tap_sums() : terms(0) {
        GDRQ_UNROLLED (k, TAPS)
            parts[k] = totals[k] = 0;
    }
    __device__ void end_term() {
        if (++terms < GDRQ_SHORT_SUM)
            return;
        terms = 0;
        GDRQ_UNROLLED (k, TAPS) {
            totals[k] += parts[k];
            parts[k] = 0;
        }
    }
};

/*
 * A block has a channel of the whole batch. Reads the input and the output's gradient once from the
 * GPU's memory, the input SIZE^2 / stride^2 times from the caches, and writes 4 * SIZE^2 bytes a
 * channel, which it reads with `adds`; per value of the output 2 divisions with their remainders,
 * SIZE^2 loads, multiplications and additions.
 */
template <int SIZE, int THREADS>
static __global__ void __launch_bounds__(THREADS, 1)
    weight_gradient(gdrq_cuda_columns_shape s, int batch, const float *delta, const float *in,
                    const float *factor, bool adds, float *gradient) {
    const unsigned channel = blockIdx.x, positions = (unsigned)s.out_h * (unsigned)s.out_w;
    tap_sums<SIZE * SIZE> sums;
    for (unsigned i = threadIdx.x; i < (unsigned)batch * positions; i += THREADS) {
        const unsigned plane = i / positions * (unsigned)s.channels + channel, at = i % positions;
        const int x0 = (int)(at % (unsigned)s.out_w) * s.stride - s.pad;
        const int y0 = (int)(at / (unsigned)s.out_w) * s.stride - s.pad;
        const float *const image = in + (size_t)plane * s.h * s.w;
        const float d = delta[(size_t)plane * positions + at];
        GDRQ_UNROLLED (ky, SIZE)
            GDRQ_UNROLLED (kx, SIZE) {
                const int x = x0 + kx, y = y0 + ky;
                if (x >= 0 && y >= 0 && x < s.w && y < s.h)
                    sums.parts[ky * SIZE + kx] += d * image[y * s.w + x];
            }
        sums.end_term();
    }
    const float times = factor ? *factor : 1;
    GDRQ_UNROLLED (k, SIZE * SIZE) {
        const float sum = times * gdrq_block_sum(sums.totals[k] + sums.parts[k]);
        float *const to = &gradient[channel * (SIZE * SIZE) + k];
        if (threadIdx.x == 0)
            *to = adds ? *to + sum : sum;
    }
}

extern "C" bool gdrq_cuda_has_depthwise(int size) {
    return size == 3 || size == 5 || size == 7;
}

static unsigned values_of(const gdrq_cuda_columns_shape *s, int batch, int h, int w) {
    return (unsigned)batch * (unsigned)s->channels * (unsigned)h * (unsigned)w;
}

template <int SIZE>
static gdrq_status queue(const gdrq_cuda_columns_shape *s, int batch, const float *in,
                         const float *weights, float *sums, gdrq_error *err) {
    const unsigned n = values_of(s, batch, s->out_h, s->out_w);
    return GDRQ_LAUNCH(err, gdrq_blocks_for(n), GDRQ_THREADS, 0, convolve<SIZE>, *s, n, in, weights,
                       sums);
}

extern "C" gdrq_status gdrq_cuda_convolve_depthwise(const gdrq_cuda_columns_shape *s, int batch,
                                                    const float *in, const float *weights,
                                                    float *sums, gdrq_error *err) {
    return s->size == 3   ? queue<3>(s, batch, in, weights, sums, err)
           : s->size == 5 ? queue<5>(s, batch, in, weights, sums, err)
                          : queue<7>(s, batch, in, weights, sums, err);
}

template <int SIZE>
static gdrq_status queue_input_gradient(const gdrq_cuda_columns_shape *s, int batch,
                                        const float *delta, const float *weights, bool adds,
                                        float *dx, gdrq_error *err) {
    const unsigned n = values_of(s, batch, s->h, s->w);
    if (adds)
        return GDRQ_LAUNCH(err, gdrq_blocks_for(n), GDRQ_THREADS, 0, (input_gradient<SIZE, true>),
                           *s, n, delta, weights, dx);
    return GDRQ_LAUNCH(err, gdrq_blocks_for(n), GDRQ_THREADS, 0, (input_gradient<SIZE, false>), *s,
                       n, delta, weights, dx);
}

extern "C" gdrq_status gdrq_cuda_depthwise_input_gradient(const gdrq_cuda_columns_shape *s,
                                                          int batch, const float *delta,
                                                          const float *weights, bool adds,
                                                          float *dx, gdrq_error *err) {
    return s->size == 3   ? queue_input_gradient<3>(s, batch, delta, weights, adds, dx, err)
           : s->size == 5 ? queue_input_gradient<5>(s, batch, delta, weights, adds, dx, err)
                          : queue_input_gradient<7>(s, batch, delta, weights, adds, dx, err);
}

template <int SIZE, int THREADS>
static gdrq_status queue_weight_gradient(const gdrq_cuda_columns_shape *s, int batch,
                                         const float *delta, const float *in, const float *factor,
                                         bool adds, float *gradient, gdrq_error *err) {
    return GDRQ_LAUNCH(err, (unsigned)s->channels, THREADS, 0, (weight_gradient<SIZE, THREADS>), *s,
                       batch, delta, in, factor, adds, gradient);
}

extern "C" gdrq_status gdrq_cuda_depthwise_weight_gradient(const gdrq_cuda_columns_shape *s,
                                                           int batch, const float *delta,
                                                           const float *in, const float *factor,
                                                           bool adds, float *gradient,
                                                           gdrq_error *err) {
    if (s->size == 3)
        return queue_weight_gradient<3, 1024>(s, batch, delta, in, factor, adds, gradient, err);
    if (s->size == 5)
        return queue_weight_gradient<5, 512>(s, batch, delta, in, factor, adds, gradient, err);
    return queue_weight_gradient<7, 256>(s, batch, delta, in, factor, adds, gradient, err);
}
