#include "base/cuda/launch.cuh"
#include "infer/cuda/finish.cuh"
#include "infer/cuda/moves.h"

namespace {

enum { SIDE = 32, ROWS = 8 };

__device__ __forceinline__ void put(const gdrq_grid &grid, float value, uint8_t *to) {
    *to = (uint8_t)gdrq_device_encode(grid, value);
}
__device__ __forceinline__ void put(const gdrq_grid &, float value, float *to) {
    *to = value;
}

/*
 * A block turns round 32 pixels of 32 channels by way of shared memory, so that whole sectors are
 * read and written; rows are 33 long there, which leaves no conflicts. Per value: 4 bytes read and
 * 1 written, or 4 as a value.
 */
template <class T>
__global__ void __launch_bounds__(SIDE *ROWS)
    interleave(gdrq_tensor_shape shape, gdrq_grid grid, const float *values, T *out) {
    __shared__ float turned[SIDE][SIDE + 1];
    const int plane = shape.w * shape.h, across_plane = (plane + SIDE - 1) / SIDE;
    const int first_pixel = (int)blockIdx.x % across_plane * SIDE;
    const int first_channel = (int)blockIdx.x / across_plane * SIDE;
    const int across = (int)threadIdx.x;
    for (int c = (int)threadIdx.y; c < SIDE; c += ROWS)
        if (first_pixel + across < plane && first_channel + c < shape.c)
            turned[c][across] = values[(size_t)(first_channel + c) * plane + first_pixel + across];
    __syncthreads();
    for (int p = (int)threadIdx.y; p < SIDE; p += ROWS)
        if (first_pixel + p < plane && first_channel + across < shape.c)
            put(grid, turned[across][p],
                out + (size_t)(first_pixel + p) * shape.c + first_channel + across);
}

template <class T>
gdrq_status run(gdrq_tensor_shape shape, const gdrq_grid &grid, const float *values, T *out,
                gdrq_error *err) {
    /* All along x, since y ends at 65535 blocks: neither many pixels nor many channels may fail. */
    const unsigned blocks =
        (unsigned)((shape.w * shape.h + SIDE - 1) / SIDE) * (unsigned)((shape.c + SIDE - 1) / SIDE);
    return GDRQ_LAUNCH(err, blocks, dim3(SIDE, ROWS), 0, interleave<T>, shape, grid, values, out);
}

} // namespace

gdrq_status gdrq_cuda_quantise(gdrq_tensor_shape shape, const gdrq_grid *grid, const float *values,
                               uint8_t *codes, gdrq_error *err) {
    return run(shape, *grid, values, codes, err);
}

gdrq_status gdrq_cuda_interleave(gdrq_tensor_shape shape, const float *values, float *interleaved,
                                 gdrq_error *err) {
    return run(shape, gdrq_grid(), values, interleaved, err);
}
