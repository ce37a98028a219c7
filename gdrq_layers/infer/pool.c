#include "infer/ops.h"

#include <assert.h>
#include <string.h>

#include "base/kernels.h"

/* max[i] = max(max[i], codes[i]) */
static inline __attribute__((always_inline)) void raise(const uint8_t *restrict codes, int n,
                                                        uint8_t *restrict max) {
    for (int i = 0; i < n; i++)
        max[i] = codes[i] > max[i] ? codes[i] : max[i];
}

/*
 * Output row y. Order of codes is order of values, and the lowest code is 0. A position of the
 * window is a row of channels.
 */
GDRQ_KERNEL void pool_row(const gdrq_int_pool *pool, const uint8_t *in, int y, uint8_t *out) {
    const int offset = -(pool->pad / 2), channels = pool->in.c;
    const int top = offset + y * pool->stride;
    memset(out, 0, (size_t)pool->out.w * (size_t)channels);
    for (int row = top < 0 ? 0 : top; row < top + pool->size && row < pool->in.h; row++)
        for (int x = 0; x < pool->out.w; x++) {
            const int left = offset + x * pool->stride;
            for (int column = left < 0 ? 0 : left;
                 column < left + pool->size && column < pool->in.w; column++)
                raise(in + ((size_t)row * (size_t)pool->in.w + (size_t)column) * (size_t)channels,
                      channels, out + (size_t)x * (size_t)channels);
        }
}

/* All windows of a side meet the image. */
static bool side_is_valid(const gdrq_int_pool *pool, int in, int out) {
    const int first = -(pool->pad / 2), last = first + (out - 1) * pool->stride;
    return out == (in + pool->pad - pool->size) / pool->stride + 1 && first + pool->size > 0 &&
           last < in;
}

void gdrq_int_maxpool(const gdrq_int_pool *pool, const uint8_t *in, uint8_t *out) {
    assert(pool->size > 0 && pool->stride > 0 && pool->pad >= 0 && pool->in.c == pool->out.c);
    assert(side_is_valid(pool, pool->in.w, pool->out.w));
    assert(side_is_valid(pool, pool->in.h, pool->out.h));
    const size_t row = (size_t)pool->out.w * (size_t)pool->out.c;
#pragma omp parallel for schedule(static) if (row * (size_t)pool->out.h >= GDRQ_PARALLEL_FROM)
    for (int y = 0; y < pool->out.h; y++)
        pool_row(pool, in, y, out + (size_t)y * row);
}
