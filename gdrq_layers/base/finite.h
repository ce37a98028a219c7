/* Arrays of numbers that must be numbers. */
#ifndef GDRQ_BASE_FINITE_H
#define GDRQ_BASE_FINITE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* Without a branch in the loop, which vectorises. */
static inline bool gdrq_all_finite(const float *x, size_t n) {
    int bad = 0;
    for (size_t i = 0; i < n; ++i)
        bad |= !isfinite(x[i]);
    return !bad;
}

#endif
