#include "infer/cuda/shortcut.h"

#include "base/cuda/launch.cuh"
#include "infer/cuda/finish.cuh"

namespace {

enum { THREADS = 128 };

/*
 * A thread has four neighbouring channels of a pixel. Per value: 4 bytes read, 4 more if there is a
 * shortcut, and 1 byte written as a code, 4 as a value of either kind.
 */
__global__ void __launch_bounds__(THREADS) put_values(gdrq_finish f, const float *in) {
    const int quads = (f.shape.c + 3) / 4, i = (int)(blockIdx.x * THREADS + threadIdx.x);
    const int pixel = i / quads, channel = i % quads * 4;
    if (pixel >= f.shape.w * f.shape.h)
        return;
    const int n = min(4, f.shape.c - channel);
    gdrq_floats y = gdrq_load_floats(in, (size_t)pixel * f.shape.c + channel, n);
    if (f.adds)
        gdrq_add_quad(f, pixel, channel, n, y.at);
    gdrq_put_quad(f, pixel, channel, n, y.at);
}

gdrq_status put(const gdrq_int_shortcut *shortcut, gdrq_tensor_shape shape, const float *in,
                const gdrq_grid *grid, const gdrq_int_output *out, gdrq_error *err) {
    gdrq_epilogue epilogue = {};
    epilogue.shortcut = shortcut;
    epilogue.grid = grid;
    const gdrq_finish f = gdrq_finish_of(&epilogue, shape, out);
    const int threads = shape.w * shape.h * ((shape.c + 3) / 4);
    return GDRQ_LAUNCH(err, (unsigned)(threads + THREADS - 1) / THREADS, THREADS, 0, put_values, f,
                       in);
}

} // namespace

size_t gdrq_cuda_shortcut_scratch(const gdrq_int_shortcut *shortcut) {
    const bool needs = shortcut->activation.kind == GDRQ_INT_OTHER;
    return needs ? gdrq_tensor_size(shortcut->to) * sizeof(float) : 0;
}

gdrq_status gdrq_cuda_shortcut(const gdrq_int_shortcut *shortcut, gdrq_tensor_shape shape,
                               const float *in, void *scratch, const gdrq_grid *grid,
                               const gdrq_int_output *out, gdrq_error *err) {
    if (!shortcut || shortcut->activation.kind != GDRQ_INT_OTHER)
        return put(shortcut, shape, in, grid, out, err);
    gdrq_int_shortcut linear = *shortcut;
    gdrq_int_output values = {};
    linear.activation.kind = GDRQ_INT_LINEAR;
    values.interleaved = (float *)scratch;
    const gdrq_status status = put(&linear, shape, in, nullptr, &values, err);
    if (status != GDRQ_OK)
        return status;
    shortcut->activation.function(values.interleaved, gdrq_tensor_size(shape),
                                  shortcut->activation.which);
    return put(nullptr, shape, values.interleaved, grid, out, err);
}
