#include "infer/ops.h"

#include <assert.h>
#include <float.h>

#include "base/kernels.h"

/* What lies inside the image of a window: rows top..bottom-1, columns left..right-1. */
typedef struct window {
    int top, bottom, left, right;
} window;

static inline void clip(int begin, int size, int end, int *first, int *last) {
    *first = begin < 0 ? 0 : begin;
    *last = begin + size < end ? begin + size : end;
}

static inline window window_at(const gdrq_int_pool *p, int x, int y) {
    window w;
    clip(x * p->stride - p->pad / 2, p->size, p->in.w, &w.left, &w.right);
    clip(y * p->stride - p->pad / 2, p->size, p->in.h, &w.top, &w.bottom);
    return w;
}

/*
 * POOL(name, type, lowest) defines name_row(): output row y. The order of codes is that of values.
 * Values that are no numbers count as `lowest`, as they do for the host; a code is never less.
 */
#define POOL(name, type, lowest)                                                                   \
    static inline __attribute__((always_inline)) void name##_raise(const type *restrict x,         \
                                                                   size_t n, type *restrict max) { \
        for (size_t i = 0; i < n; i++)                                                             \
            max[i] = x[i] > max[i] ? x[i] : max[i];                                                \
    }                                                                                              \
    static inline __attribute__((always_inline)) void name##_max_of_four(                          \
        const type *restrict x, size_t row, size_t pixel, size_t n, type *restrict max) {          \
        for (size_t i = 0; i < n; i++) {                                                           \
            type m = lowest;                                                                       \
            m = x[i] > m ? x[i] : m;                                                               \
            m = x[i + pixel] > m ? x[i + pixel] : m;                                               \
            m = x[i + row] > m ? x[i + row] : m;                                                   \
            max[i] = x[i + row + pixel] > m ? x[i + row + pixel] : m;                              \
        }                                                                                          \
    }                                                                                              \
    GDRQ_KERNEL void name##_row(const gdrq_int_pool *pool, const type *in, size_t pixel, int y,    \
                                type *out, size_t out_pixel) {                                     \
        const size_t channels = (size_t)pool->in.c, row = (size_t)pool->in.w * pixel;              \
        const int n = pool->out.w;                                                                 \
        const bool two = pool->size == 2;                                                          \
        for (int x = 0; x < n; x++, out += out_pixel) {                                            \
            const window w = window_at(pool, x, y);                                                \
            const type *from = in + (size_t)w.top * row + (size_t)w.left * pixel;                  \
            if (two && w.bottom - w.top == 2 && w.right - w.left == 2) {                           \
                name##_max_of_four(from, row, pixel, channels, out);                               \
                continue;                                                                          \
            }                                                                                      \
            for (size_t i = 0; i < channels; i++)                                                  \
                out[i] = lowest;                                                                   \
            for (int i = w.top; i < w.bottom; i++, from += row)                                    \
                for (int k = 0; k < w.right - w.left; k++)                                         \
                    name##_raise(from + (size_t)k * pixel, channels, out);                         \
        }                                                                                          \
    }
POOL(codes, uint8_t, 0)
POOL(values, float, -FLT_MAX)

/* All windows of a side meet the image. */
static bool side_is_valid(const gdrq_int_pool *pool, int in, int out) {
    const int first = -(pool->pad / 2), last = first + (out - 1) * pool->stride;
    return out == (in + pool->pad - pool->size) / pool->stride + 1 && first + pool->size > 0 &&
           last < in;
}

static void check(const gdrq_int_pool *pool) {
    assert(pool->size > 0 && pool->stride > 0 && pool->pad >= 0 && pool->in.c == pool->out.c);
    assert(side_is_valid(pool, pool->in.w, pool->out.w));
    assert(side_is_valid(pool, pool->in.h, pool->out.h));
    (void)pool;
}

void gdrq_int_maxpool(const gdrq_int_pool *pool, const uint8_t *in, size_t in_pixel, uint8_t *out,
                      size_t out_pixel) {
    const size_t row = (size_t)pool->out.w * out_pixel;
    check(pool);
#pragma omp parallel for schedule(static) if (gdrq_tensor_size(pool->out) >= GDRQ_PARALLEL_FROM)
    for (int y = 0; y < pool->out.h; y++)
        codes_row(pool, in, in_pixel, y, out + (size_t)y * row, out_pixel);
}

void gdrq_int_maxpool_values(const gdrq_int_pool *pool, const float *in, float *out) {
    const size_t channels = (size_t)pool->out.c, row = (size_t)pool->out.w * channels;
    check(pool);
#pragma omp parallel for schedule(static) if (gdrq_tensor_size(pool->out) >= GDRQ_PARALLEL_FROM)
    for (int y = 0; y < pool->out.h; y++)
        values_row(pool, in, channels, y, out + (size_t)y * row, channels);
}
