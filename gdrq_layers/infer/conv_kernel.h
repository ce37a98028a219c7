/*
 * The family of integer convolutions: kernels that compute what gdrq_int_conv_run() specifies, to
 * the bit, on weights in an order of their own. A kernel, its packing and its scratch memory are
 * chosen together.
 */
#ifndef GDRQ_INFER_CONV_KERNEL_H
#define GDRQ_INFER_CONV_KERNEL_H

#include "base/cpu.h"
#include "infer/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The largest numbers that can occur: what decides how many products a narrow sum may hold. */
typedef struct gdrq_conv_limits {
    int code;   /* stored code of the input, 3..255 */
    int weight; /* magnitude, 1..127 */
} gdrq_conv_limits;

/* Of all functions, conv->weights and conv->sum are looked at by pack() and by the C kernel only.
 * conv->zero is the same for pack() and run(). */
typedef struct gdrq_conv_kernel {
    const char *name; /* "avx2 direct" */
    gdrq_cpu cpu;     /* the level that it needs */
    bool pools;       /* can give `pooled` codes */
    /* Whether it can compute this one; doesn't depend on the width and height of the input. */
    bool (*fits)(const gdrq_int_conv *conv, const gdrq_conv_limits *limits);
    /* About how many cycles 2x2 outputs of all filters take; likewise. */
    double (*cost)(const gdrq_int_conv *conv);
    size_t (*packed_size)(const gdrq_int_conv *conv); /* bytes; 0: none */
    void (*pack)(const gdrq_int_conv *conv, const gdrq_conv_limits *limits, void *packed);
    /* Bytes, for omp_get_max_threads() threads. */
    size_t (*scratch)(const gdrq_int_conv *conv);
    /* packed and scratch are aligned to 64 bytes. */
    void (*run)(const gdrq_int_conv *conv, const gdrq_conv_limits *limits, const void *packed,
                const gdrq_epilogue *epilogue, const uint8_t *in, void *scratch,
                const gdrq_int_output *out);
} gdrq_conv_kernel;

/* All kernels of this build; ends with NULL. One, in C, fits all. */
extern const gdrq_conv_kernel *const gdrq_conv_kernels[];

/*
 * Of those that fit and that gdrq_cpu_level() allows, the one of least cost.
 * `build/tests/test_conv_kernels --bench` shows how well costs agree with time.
 */
const gdrq_conv_kernel *gdrq_conv_kernel_for(const gdrq_int_conv *conv,
                                             const gdrq_conv_limits *limits);

extern const gdrq_conv_kernel gdrq_conv_c;
#if defined(__x86_64__)
extern const gdrq_conv_kernel gdrq_conv_avx2_winograd, gdrq_conv_avx2_narrow, gdrq_conv_avx2_wide;
extern const gdrq_conv_kernel gdrq_depthwise_avx2_narrow, gdrq_depthwise_avx2_wide;
extern const gdrq_conv_kernel gdrq_conv_avx512vnni_winograd, gdrq_conv_avx512vnni_direct;
#endif

#ifdef __cplusplus
}
#endif

#endif
