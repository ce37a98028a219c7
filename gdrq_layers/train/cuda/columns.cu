#include "train/cuda/layer_kernels.h"

#include "base/cuda/launch.cuh"
#include "quant/cuda/blocks.cuh"

/* Reads the image and writes size^2/stride^2 times as much, as the host's im2col does. */
static __global__ void make_columns(const float *image, gdrq_cuda_columns_shape s, size_t n,
                                    float *columns) {
    for (size_t i = gdrq_first_index(); i < n; i += gdrq_index_stride()) {
        const int ox = (int)(i % s.out_w), oy = (int)(i / s.out_w % s.out_h);
        const int tap = (int)(i / s.out_w / s.out_h);
        const int kx = tap % s.size, ky = tap / s.size % s.size, channel = tap / s.size / s.size;
        const int x = ox * s.stride + kx - s.pad, y = oy * s.stride + ky - s.pad;
        const bool inside = x >= 0 && y >= 0 && x < s.w && y < s.h;
        columns[i] = inside ? image[((size_t)channel * s.h + y) * s.w + x] : 0.f;
    }
}

extern "C" gdrq_status gdrq_cuda_make_columns(const float *image,
                                              const gdrq_cuda_columns_shape *shape, float *columns,
                                              gdrq_error *err) {
    const size_t n =
        (size_t)shape->channels * shape->size * shape->size * shape->out_h * (size_t)shape->out_w;
    return GDRQ_LAUNCH(err, gdrq_blocks_for(n), GDRQ_THREADS, 0, make_columns, image, *shape, n,
                       columns);
}
