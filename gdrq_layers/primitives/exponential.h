/* The exponential, and what is made of it, as vector code: inlined into kernels, so that each copy
 * of them has its own. */
#ifndef GDRQ_PRIMITIVES_EXPONENTIAL_H
#define GDRQ_PRIMITIVES_EXPONENTIAL_H

#include <stdint.h>
#include <string.h>

#include "base/everywhere.h"

/*
 * exp(v) for v <= 0, 1 ulp or so, and 0 below -87.33, where exp(v) is about to leave the normal
 * floats: v = n*ln2 + r with |r| <= ln2/2, exp(v) = 2^n * exp(r), the polynomial for exp(r) from
 * Cephes' expf. A NaN stays one.
 */
GDRQ_EVERYWHERE float gdrq_exp_of_negative(float v) {
    const float lowest = -87.33f;
    const float rounder = 12582912.f; /* 1.5 * 2^23: adding it leaves n in the low bits */
    const float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    const float x = v < lowest ? lowest : v;
    const float shifted = x * 1.44269504f + rounder;
    const float n = shifted - rounder;
    const float r = (x - n * ln2_high) - n * ln2_low;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.f;
    uint32_t bits, zero;
    memcpy(&bits, &shifted, sizeof bits);
    memcpy(&zero, &rounder, sizeof zero);
    bits = (bits - zero + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return v < lowest ? 0.f : p * power;
}

/* 1 / (1 + exp(-x)), from exp(-|x|) so that neither tail loses precision; 0 below -87.33. */
GDRQ_EVERYWHERE float gdrq_logistic(float x) {
    const float e = gdrq_exp_of_negative(x > 0 ? -x : x);
    const float upper = 1.f / (1.f + e);
    const float lower = e * upper;
    return x > 0 ? upper : lower;
}

#endif
