#include "infer/x86/products_avx512vnni.h"

#include "infer/x86/direct.h"

/* Cycles on Zen 5, which has two units of 64 bytes for VPDPBUSD. */
static const layout vnni = {1, &gdrq_multiply_avx512vnni, 1.03, 45};

static bool fits_vnni(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    (void)limits;
    return conv->groups == 1;
}

DIRECT_KERNEL(gdrq_conv_avx512vnni_direct, "vnni direct", GDRQ_CPU_AVX512VNNI, vnni, 0)
