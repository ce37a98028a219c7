#include "infer/x86/products_avx512vnni.h"

/* On Zen 5, which has two units of 64 bytes for VPDPBUSD. */
#define CYCLES_OF_PRODUCT 4.1
#define CYCLES_OF_BLOCK 110.
#define CYCLES_OF_CHANNEL 2.5
#define MULTIPLY_TABLE gdrq_multiply_avx512vnni
#define HAS_VECTORS_OF_64

/* Few, one after the other: an address for all of a tile's patches. */
static int panel_of(int channels) {
    return channels % 64 == 0 ? 64 : channels % 32 == 0 ? 32 : 16;
}

/* Sums of 32 bits hold all. */
static int narrow_steps(const int8_t *weights, int vectors, int steps, int largest_code) {
    (void)weights, (void)vectors, (void)largest_code;
    return steps;
}

static bool a_pair_fits(const gdrq_conv_limits *limits) {
    (void)limits;
    return true;
}

#include "infer/x86/winograd.h"

WINOGRAD_KERNEL(gdrq_conv_avx512vnni_winograd, "vnni winograd", GDRQ_CPU_AVX512VNNI)
