/* The one rounding of all quantisers: half to even. */
#ifndef GDRQ_QUANT_ROUNDING_H
#define GDRQ_QUANT_ROUNDING_H

#include "base/everywhere.h"

/*
 * For |x| < 2^22. 1.5 * 2^23: adding it leaves a float no fraction bits, so the sum rounds half to
 * even. Vectorises on every instruction set, unlike rintf().
 */
GDRQ_EVERYWHERE float gdrq_round_half_even(float x) {
    const float rounder = 12582912.f;
    return (x + rounder) - rounder;
}

#endif
