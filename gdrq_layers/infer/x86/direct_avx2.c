#include "infer/x86/products_avx2.h"

#include "infer/x86/direct.h"

/* Cycles on Zen 3. */
static const layout narrow = {1, &gdrq_multiply_avx2_narrow, 1.2, 90},
                    wide = {2, &gdrq_multiply_avx2_wide, 2.6, 90};

static bool fits_narrow(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    return conv->groups == 1 && steps_in_16_bits(limits->code, limits->weight) >= 2;
}

static bool fits_wide(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    (void)limits;
    return conv->groups == 1;
}

DIRECT_KERNEL(gdrq_conv_avx2_narrow, "avx2 narrow", GDRQ_CPU_AVX2, narrow,
              steps_in_16_bits(limits->code, limits->weight))
DIRECT_KERNEL(gdrq_conv_avx2_wide, "avx2 wide", GDRQ_CPU_AVX2, wide, 0)
