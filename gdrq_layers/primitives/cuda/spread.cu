#include "primitives/cuda/spread.h"

#include "base/cuda/launch.cuh"
#include "quant/cuda/blocks.cuh"

namespace {

/* Where the `stride` rows of the large side begin that belong to small value i, and where in the
   first of them its own values begin. */
__device__ __forceinline__ size_t first_large(const gdrq_cuda_upsampling &u, size_t i) {
    const size_t stride = (size_t)u.stride, w = (size_t)u.w;
    return i / w * stride * stride * w + i % w * stride;
}

/* Per large value: 4 bytes written, with ADDS 4 read as well; 4/stride^2 read. */
template <bool ADDS>
__global__ void spread(gdrq_cuda_upsampling u, size_t n, const float *x, float *y) {
    const size_t stride = (size_t)u.stride, w = stride * (size_t)u.w;
    for (size_t i = gdrq_first_index(); i < n; i += gdrq_index_stride()) {
        const size_t row = i / w / stride, column = i % w / stride;
        const float value = u.scale * x[row * (size_t)u.w + column];
        y[i] = ADDS ? y[i] + value : value;
    }
}

/* Per large value: 4 bytes read; 4/stride^2 written, with ADDS as many read as well. */
template <bool ADDS>
__global__ void gather(gdrq_cuda_upsampling u, size_t n, const float *x, float *y) {
    for (size_t i = gdrq_first_index(); i < n; i += gdrq_index_stride()) {
        const float *const from = x + first_large(u, i);
        float sum = ADDS ? y[i] : 0;
        for (int row = 0; row < u.stride; ++row)
            for (int column = 0; column < u.stride; ++column)
                sum += u.scale * from[(size_t)row * u.stride * u.w + column];
        y[i] = sum;
    }
}

/* Where packed value i lies on the spread side. */
__device__ __forceinline__ size_t spread_place(const gdrq_cuda_reorganisation &r, size_t i) {
    const size_t w = (size_t)r.w, h = (size_t)r.h, c = (size_t)r.c, s = (size_t)r.stride;
    const size_t column = i % w, row = i / w % h, k = i / w / h % c, image = i / w / h / c;
    if (r.flattens)
        return (image * h * w + row * w + column) * c + k;
    const size_t channels = c / (s * s), part = k / channels;
    const size_t plane = image * channels + k % channels;
    return ((plane * h + row) * s + part / s) * w * s + column * s + part % s;
}

/* Per value: 8 bytes read, 4 written; one side's accesses are `stride` floats apart, or c. */
__global__ void add_reorganised(gdrq_cuda_reorganisation r, size_t n, const float *x, float *y) {
    for (size_t i = gdrq_first_index(); i < n; i += gdrq_index_stride()) {
        const size_t place = spread_place(r, i);
        if (r.spreads)
            y[place] += x[i];
        else
            y[i] += x[place];
    }
}

size_t small_size(const gdrq_cuda_upsampling *u) {
    return (size_t)u->planes * (size_t)u->w * (size_t)u->h;
}

} // namespace

gdrq_status gdrq_cuda_spread(const gdrq_cuda_upsampling *u, const float *x, bool adds, float *y,
                             gdrq_error *err) {
    const size_t n = small_size(u) * (size_t)u->stride * (size_t)u->stride;
    const unsigned blocks = gdrq_blocks_for(n);
    if (adds)
        return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, spread<true>, *u, n, x, y);
    return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, spread<false>, *u, n, x, y);
}

gdrq_status gdrq_cuda_gather(const gdrq_cuda_upsampling *u, const float *x, bool adds, float *y,
                             gdrq_error *err) {
    const size_t n = small_size(u);
    const unsigned blocks = gdrq_blocks_for(n);
    if (adds)
        return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, gather<true>, *u, n, x, y);
    return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, gather<false>, *u, n, x, y);
}

gdrq_status gdrq_cuda_add_reorganised(const gdrq_cuda_reorganisation *r, const float *x, float *y,
                                      gdrq_error *err) {
    const size_t n = (size_t)r->batch * r->w * r->h * (size_t)r->c;
    return GDRQ_LAUNCH(err, gdrq_blocks_for(n), GDRQ_THREADS, 0, add_reorganised, *r, n, x, y);
}
