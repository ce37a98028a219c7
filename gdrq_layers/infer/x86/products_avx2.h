/*
 * Sums of products on AVX2.
 *
 * narrow: bytes. VPMADDUBSW multiplies 32 codes by 32 weights and adds them in pairs to 16 bits,
 * which hold floor(32767 / (2 * code * weight)) of such pairs before VPMADDWD widens them to 32.
 * wide: the same in 16 bits with VPMADDWD alone, for 8 bits by 8.
 */
#ifndef GDRQ_INFER_X86_PRODUCTS_AVX2_H
#define GDRQ_INFER_X86_PRODUCTS_AVX2_H

#include "infer/x86/vector_avx2.h"

#include "infer/x86/tile.h"

extern multiply_table gdrq_multiply_avx2_narrow, gdrq_multiply_avx2_wide;

static inline int steps_in_16_bits(int code, int weight) {
    return INT16_MAX / (2 * code * weight);
}

#endif
