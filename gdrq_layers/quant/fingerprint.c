#include "quant/fingerprint.h"

#include <string.h>

#include "base/kernels.h"

GDRQ_KERNEL uint64_t sum_block(const float *x, size_t first, size_t n) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; ++i) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        sum += (uint64_t)bits * (2 * (first + i) + 1);
    }
    return sum;
}

uint64_t gdrq_fingerprint(const float *x, size_t n) {
    uint64_t sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK)
        sum += sum_block(x + i, i, gdrq_block_length(i, n));
    return sum;
}
