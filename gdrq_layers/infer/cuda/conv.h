/*
 * Integer convolutions on the GPU: the kernels compute what gdrq_int_conv_run() specifies, to the
 * bit, on one image. Codes, values and packed weights lie in the GPU's memory, at addresses that
 * are multiples of 16; so do scale, bias and what a shortcut adds.
 */
#ifndef GDRQ_INFER_CUDA_CONV_H
#define GDRQ_INFER_CUDA_CONV_H

#include "gdrq.h"
#include "infer/conv_kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a kernel works on, in the GPU's memory. */
typedef struct gdrq_cuda_conv_run {
    const gdrq_int_conv *conv; /* its weights and sums are not looked at */
    const gdrq_conv_limits *limits;
    const void *packed;
    const gdrq_epilogue *epilogue;
    const uint8_t *in;
    const gdrq_int_output *out;
} gdrq_cuda_conv_run;

typedef struct gdrq_cuda_conv_kernel {
    const char *name; /* "cuda mma" */
    int capability;   /* the least that its code needs: 75 is 7.5 */
    bool pools;       /* can give `pooled` codes */
    /* Whether it is for this one; then it can compute it with inputs of other widths and heights,
       too, as a network that is resized has them. */
    bool (*fits)(const gdrq_int_conv *conv, const gdrq_conv_limits *limits);
    size_t (*packed_size)(const gdrq_int_conv *conv, const gdrq_conv_limits *limits); /* bytes */
    /* Weights and their sums into `packed`, in the host's memory. */
    void (*pack)(const gdrq_int_conv *conv, const gdrq_conv_limits *limits, void *packed);
    /* Queues it. Activations are linear, relu or leaky here. */
    gdrq_status (*run)(const gdrq_cuda_conv_run *run, gdrq_error *err);
} gdrq_cuda_conv_kernel;

/* The best first, up to gdrq_cuda_dp4a, which fits all; behind it lie those that gdrq_cuda_mma
   chooses between; ends with NULL. */
extern const gdrq_cuda_conv_kernel *const gdrq_cuda_conv_kernels[];
extern const gdrq_cuda_conv_kernel gdrq_cuda_depthwise, gdrq_cuda_pixels, gdrq_cuda_connected,
    gdrq_cuda_mma, gdrq_cuda_dp4a, gdrq_cuda_mma_whole, gdrq_cuda_mma_split;

/*
 * Whether gdrq_cuda_mma splits sums among warps on a device of so many multiprocessors: where the
 * tiles of gdrq_cuda_mma_whole are fewer than two for each, so that none has a block to go on with
 * while one waits for the memory, and sums are long enough to be shared.
 */
bool gdrq_cuda_mma_splits(const gdrq_int_conv *conv, int multiprocessors);

/* The compute capability that this library's code is compiled for as the current device runs it,
   which the device's own may exceed: 61 where the driver translates code for 6.1, whatever for.
   Fails where there is no code for the device. */
gdrq_status gdrq_cuda_code_capability(int *capability, gdrq_error *err);

/* The first that fits, of code for this compute capability. */
const gdrq_cuda_conv_kernel *gdrq_cuda_conv_kernel_for(const gdrq_int_conv *conv,
                                                       const gdrq_conv_limits *limits,
                                                       int capability);

/*
 * Queues the convolution with any epilogue. The functions of GDRQ_INT_OTHER get addresses in the
 * GPU's memory and queue what they do; the values between lie in `scratch`, of
 * gdrq_cuda_conv_scratch() bytes: 0 if there is no such activation.
 */
gdrq_status gdrq_cuda_convolve(const gdrq_cuda_conv_kernel *kernel, const gdrq_cuda_conv_run *run,
                               void *scratch, gdrq_error *err);
size_t gdrq_cuda_conv_scratch(const gdrq_int_conv *conv, const gdrq_epilogue *epilogue);

#ifdef __cplusplus
}
#endif

#endif
