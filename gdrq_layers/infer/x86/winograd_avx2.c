#include "infer/x86/products_avx2.h"

enum { TILES = 24, FEW_CHANNELS = 128 };
#define MULTIPLY_TABLE gdrq_multiply_avx2_narrow
#define steps_in_a_sum steps_in_16_bits

#include "infer/x86/winograd.h"

/* Below so many channels, transforming costs more than the products that it saves. */
enum { LEAST_CHANNELS = 64, LEAST_FILTERS = 32, LEAST_STEPS = 2 };

static bool fits(const gdrq_int_conv *conv, const gdrq_conv_limits *limits) {
    return fits_bits(conv, limits) && conv->in.c >= LEAST_CHANNELS &&
           conv->out.c >= LEAST_FILTERS &&
           steps_in_16_bits(4 * limits->code, 9 * limits->weight) >= LEAST_STEPS;
}

const gdrq_conv_kernel gdrq_conv_avx2_winograd = {.name = "avx2 winograd",
                                                  .cpu = GDRQ_CPU_AVX2,
                                                  .fits = fits,
                                                  .packed_size = packed_size,
                                                  .pack = pack,
                                                  .scratch = scratch_size,
                                                  .run = run};
