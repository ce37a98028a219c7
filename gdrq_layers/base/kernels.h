/*
 * What elementwise loops share. A kernel is a serial loop over one block of contiguous floats; the
 * callers divide tensors into blocks and those among threads. Blocks are small enough that several
 * kernels one after the other find their data in the first-level cache.
 */
#ifndef GDRQ_BASE_KERNELS_H
#define GDRQ_BASE_KERNELS_H

#include <stddef.h>

/*
 * Before a kernel's definition: the compiler makes a copy per instruction set, and the loader picks
 * one. All copies give the same result, as multiplications and additions are never fused. The
 * sanitisers can't run in the loader, and other compilers and processors use the one plain copy.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GDRQ_KERNEL __attribute__((target_clones("avx512f", "avx2", "default"))) static
#else
#define GDRQ_KERNEL static
#endif

enum {
    GDRQ_BLOCK = 2048,                   /* floats */
    GDRQ_PARALLEL_FROM = 8 * GDRQ_BLOCK, /* below, a second thread costs more than it saves */
};

/* Length of the block that starts at `begin` of n floats. */
static inline size_t gdrq_block_length(size_t begin, size_t n) {
    return n - begin < GDRQ_BLOCK ? n - begin : GDRQ_BLOCK;
}

#endif
