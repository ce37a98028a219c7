/* Whether an array is still the one that something was computed from. */
#ifndef GDRQ_QUANT_FINGERPRINT_H
#define GDRQ_QUANT_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Of the bits of n floats and their places: sum of bits[i] * (2*i + 1) modulo 2^64, in one fast
 * pass. Any change of one value changes it; it is no protection against intent.
 */
uint64_t gdrq_fingerprint(const float *x, size_t n);

#endif
