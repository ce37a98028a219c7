/* Sets of bit widths. */
#ifndef SENSITIVITY_BITS_H
#define SENSITIVITY_BITS_H

#include "gdrq.h"

enum { BITS_FIRST = 2, BITS_END = 9 }; /* 2..8 */

typedef unsigned bit_set; /* 1 << bits */

static inline bool bits_has(bit_set set, int bits) {
    return set >> bits & 1;
}

static inline bit_set bits_with(bit_set set, int bits) {
    return set | 1u << bits;
}

static inline int bits_count(bit_set set) {
    int n = 0;
    for (; set; set &= set - 1)
        n++;
    return n;
}

/* "2,3,8": in any order, each from 2 to 8. */
gdrq_status bits_read(const char *list, bit_set *set, gdrq_error *err);

#endif
