#include "infer/conv_kernel.h"

#include <math.h>
#include <stddef.h>

const gdrq_conv_kernel *const gdrq_conv_kernels[] = {
#if defined(__x86_64__)
    &gdrq_depthwise_avx2_narrow,
    &gdrq_depthwise_avx2_wide,
    &gdrq_conv_avx512vnni_winograd,
    &gdrq_conv_avx512vnni_direct,
    &gdrq_conv_avx2_winograd,
    &gdrq_conv_avx2_narrow,
    &gdrq_conv_avx2_wide,
#endif
    &gdrq_conv_c,
    NULL,
};

static bool fits_all(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    (void)conv, (void)limits;
    return true;
}

/* More than any other. */
static double costs_most(const gdrq_int_conv *conv) {
    (void)conv;
    return HUGE_VAL;
}

static size_t packs_nothing(const gdrq_int_conv *conv) {
    (void)conv;
    return 0;
}

static void pack_nothing(const gdrq_int_conv *conv, const gdrq_conv_limits *limits, void *packed) {
    (void)conv, (void)limits, (void)packed;
}

static void run_c(const gdrq_int_conv *conv, const gdrq_conv_limits *limits, const void *packed,
                  const gdrq_epilogue *epilogue, const uint8_t *in, void *scratch,
                  const gdrq_int_output *out) {
    (void)limits, (void)packed;
    gdrq_int_conv_run(conv, epilogue, in, scratch, out);
}

const gdrq_conv_kernel gdrq_conv_c = {.name = "c",
                                      .cpu = GDRQ_CPU_C,
                                      .fits = fits_all,
                                      .cost = costs_most,
                                      .packed_size = packs_nothing,
                                      .pack = pack_nothing,
                                      .scratch = gdrq_int_conv_scratch,
                                      .run = run_c};

const gdrq_conv_kernel *gdrq_conv_kernel_for(const gdrq_int_conv *conv,
                                             const gdrq_conv_limits *limits) {
    const gdrq_cpu level = gdrq_cpu_level();
    const gdrq_conv_kernel *best = &gdrq_conv_c;
    for (int i = 0; gdrq_conv_kernels[i]; i++) {
        const gdrq_conv_kernel *kernel = gdrq_conv_kernels[i];
        if (kernel->cpu <= level && kernel->fits(conv, limits) &&
            kernel->cost(conv) < best->cost(conv))
            best = kernel;
    }
    return best;
}
