#include "infer/cuda/conv.h"

#include <cuda_runtime.h>

extern "C" {
#include "base/status.h"
}
#include "infer/cuda/shortcut.h"

extern "C" const gdrq_cuda_conv_kernel *const gdrq_cuda_conv_kernels[] = {
    &gdrq_cuda_depthwise, &gdrq_cuda_pixels, &gdrq_cuda_connected,
    &gdrq_cuda_mma,       &gdrq_cuda_dp4a,   nullptr};

const gdrq_cuda_conv_kernel *gdrq_cuda_conv_kernel_for(const gdrq_int_conv *conv,
                                                       const gdrq_conv_limits *limits) {
    int i = 0;
    while (!gdrq_cuda_conv_kernels[i]->fits(conv, limits))
        ++i;
    return gdrq_cuda_conv_kernels[i];
}

static bool is_other(const gdrq_int_activation *a) {
    return a->kind == GDRQ_INT_OTHER;
}

static bool goes_through_values(const gdrq_epilogue *epilogue) {
    return is_other(&epilogue->activation) ||
           (epilogue->shortcut && is_other(&epilogue->shortcut->activation));
}

size_t gdrq_cuda_conv_scratch(const gdrq_int_conv *conv, const gdrq_epilogue *epilogue) {
    return goes_through_values(epilogue) ? gdrq_tensor_size(conv->out) * sizeof(float) : 0;
}

static void linear_if_other(gdrq_int_activation *a) {
    if (is_other(a))
        a->kind = GDRQ_INT_LINEAR;
}

/* The sums' values into `values`, by functions where they are needed, and the shortcut as well. */
static gdrq_status make_values(const gdrq_cuda_conv_kernel *kernel, const gdrq_cuda_conv_run *run,
                               float *values, gdrq_error *err) {
    const size_t n = gdrq_tensor_size(run->conv->out);
    const gdrq_int_activation *a = &run->epilogue->activation;
    gdrq_epilogue epilogue = *run->epilogue;
    gdrq_int_output out = {};
    gdrq_cuda_conv_run first = *run;
    linear_if_other(&epilogue.activation);
    epilogue.shortcut = nullptr;
    out.interleaved = values;
    first.epilogue = &epilogue;
    first.out = &out;
    const gdrq_status status = kernel->run(&first, err);
    if (status != GDRQ_OK)
        return status;
    if (is_other(a))
        a->function(values, n, a->which);
    if (!run->epilogue->shortcut)
        return GDRQ_OK;
    gdrq_int_shortcut shortcut = *run->epilogue->shortcut;
    linear_if_other(&shortcut.activation);
    return gdrq_cuda_shortcut(&shortcut, run->conv->out, values, nullptr, &out, err);
}

gdrq_status gdrq_cuda_convolve(const gdrq_cuda_conv_kernel *kernel, const gdrq_cuda_conv_run *run,
                               void *scratch, gdrq_error *err) {
    if (!goes_through_values(run->epilogue))
        return kernel->run(run, err);
    const gdrq_status status = make_values(kernel, run, (float *)scratch, err);
    if (status != GDRQ_OK)
        return status;
    const gdrq_int_shortcut *shortcut = run->epilogue->shortcut;
    if (shortcut && is_other(&shortcut->activation))
        shortcut->activation.function((float *)scratch, gdrq_tensor_size(run->conv->out),
                                      shortcut->activation.which);
    return gdrq_cuda_shortcut(nullptr, run->conv->out, (const float *)scratch, run->epilogue->grid,
                              run->out, err);
}
