/*
 * Weight codes in as few bits as they have: code q of b bits, in [-Q, Q] with Q = 2^(b-1) - 1, is
 * stored as q + Q in b bits, one after the other from the lowest bit of the first byte on; a filter
 * begins at a byte. The value 2^b - 1 does not occur.
 */
#ifndef GDRQ_QUANT_PACK_H
#define GDRQ_QUANT_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of n codes of `bits` bits, 2..8. */
size_t gdrq_packed_size(size_t n, int bits);

/* Packs n codes into gdrq_packed_size() bytes; unused bits of the last byte are 0. */
void gdrq_pack(const int8_t *codes, size_t n, int bits, uint8_t *packed);

void gdrq_unpack(const uint8_t *packed, size_t n, int bits, int8_t *codes);

/* Whether n packed codes are all in their range and the unused bits are 0. */
bool gdrq_packed_is_good(const uint8_t *packed, size_t n, int bits);

#endif
