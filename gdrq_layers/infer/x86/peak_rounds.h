/* A kernel's products on twelve independent sums; behind a vector header and plus_products(). */
#ifndef GDRQ_INFER_X86_PEAK_ROUNDS_H
#define GDRQ_INFER_X86_PEAK_ROUNDS_H

#include "infer/peak.h"

enum { INDEPENDENT = 12 };

static int run_rounds(long rounds) {
    ints sums[INDEPENDENT];
    const ints x = set_ints(0x01010101), w = set_ints(0x02020202);
#pragma GCC unroll 12
    for (int i = 0; i < INDEPENDENT; i++)
        sums[i] = set_ints(0);
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < INDEPENDENT; i++)
            sums[i] = plus_products(sums[i], x, w);
#pragma GCC unroll 12
    for (int i = 0; i < INDEPENDENT; i++)
        __asm__ volatile("" : : "x"(sums[i]));
    return INDEPENDENT * 4 * LANES;
}

#endif
