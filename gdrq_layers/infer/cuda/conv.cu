#include "infer/cuda/conv.h"

#include <assert.h>

#include <cuda_runtime.h>

extern "C" {
#include "base/status.h"
}
#include "infer/cuda/shortcut.h"

extern "C" const gdrq_cuda_conv_kernel *const gdrq_cuda_conv_kernels[] = {
    &gdrq_cuda_depthwise, &gdrq_cuda_pixels,    &gdrq_cuda_connected, &gdrq_cuda_mma,
    &gdrq_cuda_dp4a,      &gdrq_cuda_mma_whole, &gdrq_cuda_mma_split, nullptr};

const gdrq_cuda_conv_kernel *gdrq_cuda_conv_kernel_for(const gdrq_int_conv *conv,
                                                       const gdrq_conv_limits *limits,
                                                       int capability) {
    int i = 0;
    while (gdrq_cuda_conv_kernels[i]->capability > capability ||
           !gdrq_cuda_conv_kernels[i]->fits(conv, limits))
        ++i;
    return gdrq_cuda_conv_kernels[i];
}

static bool is_other(const gdrq_int_activation *a) {
    return a->kind == GDRQ_INT_OTHER;
}

size_t gdrq_cuda_conv_scratch(const gdrq_int_conv *conv, const gdrq_epilogue *epilogue) {
    const gdrq_int_shortcut *shortcut = epilogue->shortcut;
    const bool needs =
        is_other(&epilogue->activation) || (shortcut && is_other(&shortcut->activation));
    return needs ? gdrq_tensor_size(conv->out) * sizeof(float) : 0;
}

/* The values before the shortcut. */
static gdrq_status make_values(const gdrq_cuda_conv_kernel *kernel, const gdrq_cuda_conv_run *run,
                               float *values, gdrq_error *err) {
    const gdrq_int_activation *a = &run->epilogue->activation;
    gdrq_epilogue epilogue = *run->epilogue;
    gdrq_int_output out = {};
    gdrq_cuda_conv_run first = *run;
    if (is_other(a))
        epilogue.activation.kind = GDRQ_INT_LINEAR;
    epilogue.shortcut = nullptr;
    out.interleaved = values;
    first.epilogue = &epilogue;
    first.out = &out;
    const gdrq_status status = kernel->run(&first, err);
    if (status == GDRQ_OK && is_other(a))
        a->function(values, gdrq_tensor_size(run->conv->out), a->which);
    return status;
}

gdrq_status gdrq_cuda_convolve(const gdrq_cuda_conv_kernel *kernel, const gdrq_cuda_conv_run *run,
                               void *scratch, gdrq_error *err) {
    float *const values = (float *)scratch;
    assert(!run->out->pooled || kernel->pools);
    if (gdrq_cuda_conv_scratch(run->conv, run->epilogue) == 0)
        return kernel->run(run, err);
    const gdrq_status status = make_values(kernel, run, values, err);
    return status == GDRQ_OK ? gdrq_cuda_shortcut(run->epilogue->shortcut, run->conv->out, values,
                                                  scratch, run->epilogue->grid, run->out, err)
                             : status;
}
