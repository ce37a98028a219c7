#include "infer/ops.h"

#include <assert.h>
#include <float.h>

#include "base/kernels.h"

/*
 * NAME(): output row y. Of codes, whose order is that of values, the lowest is 0; of values, as the
 * host has it, what is no number or less than any is -FLT_MAX. A position of the window is a row of
 * channels.
 */
#define POOL_ROW(NAME, raise, type, lowest)                                                  \
    static inline __attribute__((always_inline)) void raise(const type *restrict x, int n,   \
                                                            type *restrict max) {            \
        for (int i = 0; i < n; i++)                                                          \
            max[i] = x[i] > max[i] ? x[i] : max[i];                                          \
    }                                                                                        \
    GDRQ_KERNEL void NAME(const gdrq_int_pool *pool, const type *in, int y, type *out) {     \
        const int offset = -(pool->pad / 2), channels = pool->in.c;                          \
        const int top = offset + y * pool->stride;                                           \
        for (int i = 0; i < pool->out.w * channels; i++)                                     \
            out[i] = lowest;                                                                 \
        for (int row = top < 0 ? 0 : top; row < top + pool->size && row < pool->in.h; row++) \
            for (int x = 0; x < pool->out.w; x++) {                                          \
                const int left = offset + x * pool->stride;                                  \
                for (int column = left < 0 ? 0 : left;                                       \
                     column < left + pool->size && column < pool->in.w; column++)            \
                    raise(in + ((size_t)row * (size_t)pool->in.w + (size_t)column) *         \
                                   (size_t)channels,                                         \
                          channels, out + (size_t)x * (size_t)channels);                     \
            }                                                                                \
    }
POOL_ROW(pool_codes, raise_codes, uint8_t, 0)
POOL_ROW(pool_values, raise_values, float, -FLT_MAX)

/* All windows of a side meet the image. */
static bool side_is_valid(const gdrq_int_pool *pool, int in, int out) {
    const int first = -(pool->pad / 2), last = first + (out - 1) * pool->stride;
    return out == (in + pool->pad - pool->size) / pool->stride + 1 && first + pool->size > 0 &&
           last < in;
}

static size_t checked_row(const gdrq_int_pool *pool) {
    assert(pool->size > 0 && pool->stride > 0 && pool->pad >= 0 && pool->in.c == pool->out.c);
    assert(side_is_valid(pool, pool->in.w, pool->out.w));
    assert(side_is_valid(pool, pool->in.h, pool->out.h));
    return (size_t)pool->out.w * (size_t)pool->out.c;
}

void gdrq_int_maxpool(const gdrq_int_pool *pool, const uint8_t *in, uint8_t *out) {
    const size_t row = checked_row(pool);
#pragma omp parallel for schedule(static) if (row * (size_t)pool->out.h >= GDRQ_PARALLEL_FROM)
    for (int y = 0; y < pool->out.h; y++)
        pool_codes(pool, in, y, out + (size_t)y * row);
}

void gdrq_int_maxpool_values(const gdrq_int_pool *pool, const float *in, float *out) {
    const size_t row = checked_row(pool);
#pragma omp parallel for schedule(static) if (row * (size_t)pool->out.h >= GDRQ_PARALLEL_FROM)
    for (int y = 0; y < pool->out.h; y++)
        pool_values(pool, in, y, out + (size_t)y * row);
}
