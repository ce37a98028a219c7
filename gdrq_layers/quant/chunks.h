/*
 * How sums over arrays are divided: chunks of an array are summed apart, by whatever thread, and
 * then added in order, so that no result depends on the number of threads.
 */
#ifndef GDRQ_QUANT_CHUNKS_H
#define GDRQ_QUANT_CHUNKS_H

#include <stddef.h>

/* Of floats; a block stays in the first cache between two kernels. */
enum { GDRQ_CHUNKS = 64, GDRQ_CHUNK_BLOCK = 1024 };

/* Start of chunk i of n elements; chunks are whole blocks. */
static inline size_t gdrq_chunk_start(size_t n, int i) {
    const size_t blocks = (n + GDRQ_CHUNK_BLOCK - 1) / GDRQ_CHUNK_BLOCK;
    const size_t start = blocks * (size_t)i / GDRQ_CHUNKS * GDRQ_CHUNK_BLOCK;
    return start < n ? start : n;
}

/* Length of the block that starts at `begin` of n elements. */
static inline size_t gdrq_chunk_block_length(size_t begin, size_t n) {
    return n - begin < GDRQ_CHUNK_BLOCK ? n - begin : GDRQ_CHUNK_BLOCK;
}

static inline double gdrq_add_in_order(const double *sums) {
    double total = 0;
    for (int i = 0; i < GDRQ_CHUNKS; ++i)
        total += sums[i];
    return total;
}

#endif
