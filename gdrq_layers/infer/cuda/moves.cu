#include "infer/cuda/moves.h"

#include "base/cuda/launch.cuh"

namespace {

enum { THREADS = 256 };

unsigned blocks_for(size_t threads) {
    return (unsigned)((threads + THREADS - 1) / THREADS);
}

/*
 * Pixels that are picked out of others: output pixel (x, y) is that of the input at (x, y) * times
 * / stride + offset, and goes to a part of the output's channels. Items are codes or, where all
 * numbers of channels are multiples of four, words of them.
 */
struct picture {
    int w, h, items; /* that are written */
    int from_w, from_items, left, top;
    int stride;
    int to_items, to; /* of an output pixel, and the first that is written */
};

/* Per code: 1 byte read, of an upsampled one from the caches but for the first time, and 1 written,
   in 1/4 load and store or 1 of each. */
template <class T> __global__ void __launch_bounds__(THREADS) pick(picture p, const T *in, T *out) {
    const int i = (int)(blockIdx.x * THREADS + threadIdx.x);
    const int pixel = i / p.items, item = i % p.items;
    if (pixel >= p.w * p.h)
        return;
    const int x = pixel % p.w / p.stride + p.left, y = pixel / p.w / p.stride + p.top;
    out[(size_t)pixel * p.to_items + p.to + item] =
        in[((size_t)y * p.from_w + x) * p.from_items + item];
}

gdrq_status run_pick(picture p, const uint8_t *in, uint8_t *out, gdrq_error *err) {
    const bool words = p.items % 4 == 0 && p.to_items % 4 == 0 && p.to % 4 == 0;
    if (!words)
        return GDRQ_LAUNCH(err, blocks_for((size_t)p.w * p.h * p.items), THREADS, 0, pick<uint8_t>,
                           p, in, out);
    p.items /= 4;
    p.from_items /= 4;
    p.to_items /= 4;
    p.to /= 4;
    return GDRQ_LAUNCH(err, blocks_for((size_t)p.w * p.h * p.items), THREADS, 0, pick<unsigned>, p,
                       (const unsigned *)in, (unsigned *)out);
}

/* Where the value lies in NHWC that is value i in NCHW. */
__device__ __forceinline__ size_t nhwc_index(gdrq_tensor_shape shape, int i) {
    const int plane = shape.w * shape.h;
    return (size_t)(i % plane) * shape.c + i / plane;
}

/*
 * As gdrq_int_reorg() has it; thread i writes output code i in NHWC. Per code: 1 byte written, in
 * whole lines, and 1 read, at distances of a pixel: of each sector of 32 bytes the caches give the
 * rest to other threads.
 */
__global__ void __launch_bounds__(THREADS)
    reorg(gdrq_tensor_shape in, gdrq_tensor_shape out, int s, bool reverse, const uint8_t *in_codes,
          uint8_t *out_codes) {
    const int i = (int)(blockIdx.x * THREADS + threadIdx.x);
    if (i >= out.w * out.h * out.c)
        return;
    const int w = in.w, h = in.h, channels = in.c / (s * s);
    const int to = i % out.c * (out.w * out.h) + i / out.c; /* in NCHW */
    int from;
    if (reverse) { /* from packed to spread */
        const int x = to % (w * s), y = to / (w * s) % (h * s), k = to / (w * s) / (h * s);
        from = ((y % s * s + x % s) * channels + k) * h * w + y / s * w + x / s;
    } else {
        const int at = to % (w * h), k = to / (w * h), part = k / channels;
        from = (k % channels * h * s + at / w * s + part / s) * w * s + at % w * s + part % s;
    }
    out_codes[i] = in_codes[nhwc_index(in, from)];
}

} // namespace

gdrq_status gdrq_cuda_upsample(gdrq_tensor_shape in, int stride, const uint8_t *in_codes,
                               uint8_t *out, gdrq_error *err) {
    const picture p = {in.w * stride, in.h * stride, in.c, in.w, in.c, 0, 0, stride, in.c, 0};
    return run_pick(p, in_codes, out, err);
}

gdrq_status gdrq_cuda_route(int w, int h, const gdrq_int_part *parts, int n, uint8_t *out,
                            gdrq_error *err) {
    int channels = 0, first = 0;
    for (int i = 0; i < n; ++i)
        channels += parts[i].c;
    for (int i = 0; i < n; ++i) {
        const picture p = {w, h, parts[i].c, w, parts[i].c, 0, 0, 1, channels, first};
        const gdrq_status status = run_pick(p, parts[i].codes, out, err);
        if (status != GDRQ_OK)
            return status;
        first += parts[i].c;
    }
    return GDRQ_OK;
}

gdrq_status gdrq_cuda_reorg(gdrq_tensor_shape in, gdrq_tensor_shape out, int stride, bool reverse,
                            const uint8_t *in_codes, uint8_t *out_codes, gdrq_error *err) {
    return GDRQ_LAUNCH(err, blocks_for(gdrq_tensor_size(out)), THREADS, 0, reorg, in, out, stride,
                       reverse, in_codes, out_codes);
}

gdrq_status gdrq_cuda_crop(gdrq_tensor_shape in, gdrq_tensor_shape out, const uint8_t *in_codes,
                           uint8_t *out_codes, gdrq_error *err) {
    const picture p = {out.w, out.h, out.c, in.w, in.c, (in.w - out.w) / 2, (in.h - out.h) / 2,
                       1,     out.c, 0};
    return run_pick(p, in_codes, out_codes, err);
}
