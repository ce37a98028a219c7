#include "train/cuda/layer_kernels.h"

#include <limits.h>

#include "base/cuda/launch.cuh"
#include "base/status.h"
#include "quant/cuda/blocks.cuh"

/*
 * Reads the image and writes size^2/stride^2 times as much, as the host's im2col does. Per element
 * 4 divisions with their remainders, of 32 bits and by numbers that are known as it runs (about 20
 * instructions each), some 15 instructions, 1 load and 1 store.
 */
static __global__ void make_columns(const float *image, gdrq_cuda_columns_shape s, size_t n,
                                    float *columns) {
    for (size_t i = gdrq_first_index(); i < n; i += gdrq_index_stride()) {
        const unsigned row = (unsigned)i / (unsigned)s.out_w;
        const int ox = (int)((unsigned)i % (unsigned)s.out_w), oy = (int)(row % (unsigned)s.out_h);
        const unsigned tap = row / (unsigned)s.out_h, of_channel = tap / (unsigned)s.size;
        const int kx = (int)(tap % (unsigned)s.size), ky = (int)(of_channel % (unsigned)s.size);
        const int channel = (int)(of_channel / (unsigned)s.size);
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
    /* Workspaces are smaller by far: host/limits.h. */
    if (n > INT_MAX)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%zu columns of an image are too many", n);
    return GDRQ_LAUNCH(err, gdrq_blocks_for(n), GDRQ_THREADS, 0, make_columns, image, *shape, n,
                       columns);
}
