#include "primitives/cuda/spread.h"

#include "base/cuda/launch.cuh"
#include "quant/cuda/blocks.cuh"

namespace {

/* Per large value: 4 bytes written, with ADDS 4 read as well; 4/stride^2 read; 4 divisions and
   remainders. */
template <bool ADDS>
__global__ void spread(gdrq_cuda_upsampling u, unsigned n, const float *x, float *y) {
    const unsigned stride = (unsigned)u.stride, w = stride * (unsigned)u.w;
    for (unsigned i = gdrq_short_index(); i < n; i += gdrq_short_stride()) {
        const unsigned row = i / w / stride, column = i % w / stride;
        const float value = u.scale * x[row * (unsigned)u.w + column];
        y[i] = ADDS ? y[i] + value : value;
    }
}

/* Per large value: 4 bytes read; 4/stride^2 written, with ADDS as many read as well; 2/stride^2
   divisions and remainders. */
template <bool ADDS>
__global__ void gather(gdrq_cuda_upsampling u, unsigned n, const float *x, float *y) {
    const unsigned stride = (unsigned)u.stride, w = (unsigned)u.w;
    for (unsigned i = gdrq_short_index(); i < n; i += gdrq_short_stride()) {
        /* The first of its values, in the first of the rows that belong to it. */
        const float *const from = x + i / w * stride * stride * w + i % w * stride;
        float sum = ADDS ? y[i] : 0;
        for (unsigned row = 0; row < stride; ++row)
            for (unsigned column = 0; column < stride; ++column)
                sum += u.scale * from[row * stride * w + column];
        y[i] = sum;
    }
}

/* Where packed value i lies on the spread side. */
__device__ __forceinline__ unsigned spread_place(const gdrq_cuda_reorganisation &r, unsigned i) {
    const unsigned w = (unsigned)r.w, h = (unsigned)r.h, c = (unsigned)r.c, s = (unsigned)r.stride;
    const unsigned column = i % w, row = i / w % h, k = i / (w * h) % c, image = i / (w * h) / c;
    if (r.flattens)
        return (image * h * w + row * w + column) * c + k;
    const unsigned channels = c / (s * s), part = k / channels;
    const unsigned plane = image * channels + k % channels;
    return ((plane * h + row) * s + part / s) * w * s + column * s + part % s;
}

/* Per value: 8 bytes read, 4 written; one side's accesses are `stride` floats apart, or c; up to 11
   divisions and remainders. */
__global__ void add_reorganised(gdrq_cuda_reorganisation r, unsigned n, const float *x, float *y) {
    for (unsigned i = gdrq_short_index(); i < n; i += gdrq_short_stride()) {
        const unsigned place = spread_place(r, i);
        if (r.spreads)
            y[place] += x[i];
        else
            y[i] += x[place];
    }
}

unsigned small_size(const gdrq_cuda_upsampling *u) {
    return (unsigned)u->planes * (unsigned)u->w * (unsigned)u->h;
}

} // namespace

gdrq_status gdrq_cuda_spread(const gdrq_cuda_upsampling *u, const float *x, bool adds, float *y,
                             gdrq_error *err) {
    const unsigned n = small_size(u) * (unsigned)u->stride * (unsigned)u->stride;
    const unsigned blocks = gdrq_blocks_for(n);
    if (adds)
        return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, spread<true>, *u, n, x, y);
    return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, spread<false>, *u, n, x, y);
}

gdrq_status gdrq_cuda_gather(const gdrq_cuda_upsampling *u, const float *x, bool adds, float *y,
                             gdrq_error *err) {
    const unsigned n = small_size(u);
    const unsigned blocks = gdrq_blocks_for(n);
    if (adds)
        return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, gather<true>, *u, n, x, y);
    return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, gather<false>, *u, n, x, y);
}

gdrq_status gdrq_cuda_add_reorganised(const gdrq_cuda_reorganisation *r, const float *x, float *y,
                                      gdrq_error *err) {
    const unsigned n = (unsigned)r->batch * (unsigned)r->w * (unsigned)r->h * (unsigned)r->c;
    return GDRQ_LAUNCH(err, gdrq_blocks_for(n), GDRQ_THREADS, 0, add_reorganised, *r, n, x, y);
}
