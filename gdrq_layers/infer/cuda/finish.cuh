/*
 * What becomes of sums: gdrq_int_finish(), for kernels. A thread has a quad, which is up to four
 * neighbouring filters of one pixel. All of it is float32 in the order of the portable functions,
 * and nvcc must not fuse multiplications and additions (-fmad=false). Beyond what the kernels'
 * comments count, a shortcut reads 4 bytes per output; scale, bias and the sums of weights are 12
 * bytes a filter, from the caches.
 */
#ifndef GDRQ_INFER_CUDA_FINISH_CUH
#define GDRQ_INFER_CUDA_FINISH_CUH

#include <cuda_runtime.h>

#include "infer/cuda/vectors.cuh"
#include "infer/ops.h"

/* A kernel's copy of an epilogue and of where the results go; GDRQ_INT_OTHER is not in it. */
struct gdrq_finish {
    const float *scale, *bias;
    gdrq_int_activation_kind activation;
    bool adds; /* whether there is a shortcut */
    gdrq_int_shortcut shortcut;
    gdrq_grid grid;
    gdrq_tensor_shape shape;
    gdrq_int_output out;
};

static inline gdrq_finish gdrq_finish_of(const gdrq_epilogue *epilogue, gdrq_tensor_shape shape,
                                         const gdrq_int_output *out) {
    gdrq_finish f = {};
    f.scale = epilogue->scale;
    f.bias = epilogue->bias;
    f.activation = epilogue->activation.kind;
    f.adds = epilogue->shortcut != nullptr;
    if (epilogue->shortcut)
        f.shortcut = *epilogue->shortcut;
    if (epilogue->grid)
        f.grid = *epilogue->grid;
    f.shape = shape;
    f.out = *out;
    return f;
}

static __device__ __forceinline__ float gdrq_device_activate(gdrq_int_activation_kind a, float v) {
    if (a == GDRQ_INT_RELU)
        return v * (v > 0 ? 1.f : 0.f);
    if (a == GDRQ_INT_LEAKY)
        return v > 0 ? v : .1f * v;
    return v;
}

/* A comparison with NaN is false: it becomes min. */
static __device__ __forceinline__ unsigned gdrq_device_encode(const gdrq_grid &grid, float value) {
    const float min = (float)grid.min, max = (float)grid.max;
    float v = value * grid.inv_step;
    v = v > min ? v : min;
    v = v < max ? v : max;
    return (unsigned)(__float2int_rn(v) - grid.min);
}

/* n floats from `at`; all four at once where the address allows it, as `index` tells. */
static __device__ __forceinline__ gdrq_floats gdrq_load_floats(const float *from, size_t index,
                                                               int n) {
    if (n == 4 && index % 4 == 0)
        return *(const gdrq_floats *)(from + index);
    gdrq_floats v = {};
    GDRQ_UNROLLED (i, 4)
        if (i < n)
            v.at[i] = from[index + i];
    return v;
}

/* Where pixel 0.. of the output finds what a shortcut adds to it. */
static __device__ __forceinline__ size_t gdrq_shortcut_pixel(const gdrq_int_shortcut &s,
                                                             int pixel) {
    const int step = s.from.w / s.to.w;
    return (size_t)(pixel / s.to.w * step) * s.from.w + pixel % s.to.w * step;
}

/* y = y and the shortcut. */
static __device__ __forceinline__ void gdrq_add_quad(const gdrq_finish &f, int pixel, int filter,
                                                     int n, float y[4]) {
    const gdrq_int_shortcut &s = f.shortcut;
    const bool same = s.from.w == s.to.w && s.from.h == s.to.h;
    const size_t from = same ? (size_t)pixel : gdrq_shortcut_pixel(s, pixel);
    const int added = min(n, s.from.c - filter);
    if (added > 0) {
        const gdrq_floats other =
            gdrq_load_floats(s.other, from * s.from.c + (size_t)filter, added);
        GDRQ_UNROLLED (i, 4)
            if (i < added)
                y[i] = s.a * y[i] + s.b * other.at[i];
    }
    GDRQ_UNROLLED (i, 4)
        y[i] = gdrq_device_activate(s.activation.kind, y[i]);
}

/* The codes of four values, the first in the lowest byte. */
static __device__ __forceinline__ unsigned gdrq_encode_quad(const gdrq_grid &grid,
                                                            const float y[4]) {
    unsigned codes = 0;
    GDRQ_UNROLLED (i, 4)
        codes |= gdrq_device_encode(grid, y[i]) << 8 * i;
    return codes;
}

/* Writes n of four codes, all at once where the address allows it, as `index` tells. */
static __device__ __forceinline__ void gdrq_store_codes(uint8_t *to, size_t index, int n,
                                                        unsigned codes) {
    if (n == 4 && index % 4 == 0)
        *(unsigned *)(to + index) = codes;
    else
        GDRQ_UNROLLED (i, 4)
            if (i < n)
                to[index + i] = (uint8_t)(codes >> 8 * i);
}

/* Writes n values to all forms of output. */
static __device__ __forceinline__ void gdrq_put_quad(const gdrq_finish &f, int pixel, int filter,
                                                     int n, const float y[4]) {
    const size_t index = (size_t)pixel * f.shape.c + filter;
    const bool whole = n == 4 && index % 4 == 0;
    if (f.out.interleaved && whole)
        *(gdrq_floats *)(f.out.interleaved + index) = {{y[0], y[1], y[2], y[3]}};
    else if (f.out.interleaved)
        GDRQ_UNROLLED (i, 4)
            if (i < n)
                f.out.interleaved[index + i] = y[i];
    if (f.out.codes)
        gdrq_store_codes(f.out.codes, index, n, gdrq_encode_quad(f.grid, y));
    if (f.out.values)
        GDRQ_UNROLLED (i, 4)
            if (i < n)
                f.out.values[(size_t)(filter + i) * f.shape.w * f.shape.h + pixel] = y[i];
}

/* What n filters of a pixel are, but for a shortcut, from their sums relative to the zero code. */
static __device__ __forceinline__ void gdrq_values_of_quad(const gdrq_finish &f, int filter, int n,
                                                           const int sums[4], float y[4]) {
    const gdrq_floats scale = gdrq_load_floats(f.scale, (size_t)filter, n);
    const gdrq_floats bias = gdrq_load_floats(f.bias, (size_t)filter, n);
    GDRQ_UNROLLED (i, 4)
        y[i] = gdrq_device_activate(f.activation, scale.at[i] * (float)sums[i] + bias.at[i]);
}

/* The whole epilogue of n filters of a pixel. */
static __device__ __forceinline__ void gdrq_finish_quad(const gdrq_finish &f, int pixel, int filter,
                                                        int n, const int sums[4]) {
    float y[4];
    gdrq_values_of_quad(f, filter, n, sums, y);
    if (f.adds)
        gdrq_add_quad(f, pixel, filter, n, y);
    gdrq_put_quad(f, pixel, filter, n, y);
}

#endif
