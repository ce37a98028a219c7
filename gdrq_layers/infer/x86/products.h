/*
 * Sums of products where a sum of 32 bits takes all of a step at once, by add_products() of the
 * file that includes this, and what other kinds of sums share with it. Behind tile.h.
 */
#ifndef GDRQ_INFER_X86_PRODUCTS_H
#define GDRQ_INFER_X86_PRODUCTS_H

/*
 * Where a window's codes lie for every pixel of a tile. Pixels by a register each would be too many
 * registers: five of them follow from one base by the factors that an address may have.
 */
typedef struct pixels {
    const char *base[(PIXELS + 4) / 5];
    size_t stride, three;
} pixels;

INLINE pixels pixels_at(const windows *w) {
    pixels x = {.stride = w->pixel, .three = 3 * w->pixel};
    for (int i = 0; i < (PIXELS + 4) / 5; i++)
        x.base[i] = w->first + (size_t)i * 5 * w->pixel;
    return x;
}

/* STEP codes of pixel t. */
INLINE int32_t step_at(const pixels *x, const int t, size_t offset) {
    int32_t codes;
    const size_t place = t % 5 == 3 ? x->three : (size_t)(t % 5) * x->stride;
    memcpy(&codes, x->base[t / 5] + offset + place, sizeof codes);
    return codes;
}

enum { AHEAD = 64 * STEP * FILTERS }; /* bytes that weights are fetched before they are needed */

INLINE void multiply_at_once(const int m, const int v, const windows *w, const char *weights,
                             const int32_t *start, int32_t *sums) {
    const pixels x = pixels_at(w);
    ints acc[PIXELS][2];
    int row = 0;
    UNROLL
    for (int t = 0; t < m; t++)
        for (int half = 0; half < v; half++)
            acc[t][half] = load_ints(start + half * LANES);
    do {
        size_t offset = (size_t)row * w->row;
        const size_t end = offset + (size_t)w->row_bytes;
        do {
            ints of_half[2];
            for (int half = 0; half < v; half++) {
                of_half[half] = load_ints((const int32_t *)weights + half * LANES);
                _mm_prefetch(weights + half * STEP * LANES + AHEAD, _MM_HINT_T0);
            }
            UNROLL
            for (int t = 0; t < m; t++) {
                const ints codes = set_ints(step_at(&x, t, offset));
                for (int half = 0; half < v; half++)
                    acc[t][half] = add_products(acc[t][half], codes, of_half[half]);
            }
            offset += STEP;
            weights += v * STEP * LANES;
        } while (offset < end);
    } while (++row < w->rows);
    UNROLL
    for (int t = 0; t < m; t++)
        for (int half = 0; half < v; half++)
            store_ints(sums + t * FILTERS + half * LANES, acc[t][half]);
}

/* The functions of a kind and a number of pixels. */
#define MULTIPLY(kind, m)                                                                   \
    static void kind##_##m##_1(const windows *w, const char *weights, const int32_t *start, \
                               int32_t *sums) {                                             \
        multiply_##kind(m, 1, w, weights, start, sums);                                     \
    }                                                                                       \
    static void kind##_##m##_2(const windows *w, const char *weights, const int32_t *start, \
                               int32_t *sums) {                                             \
        multiply_##kind(m, 2, w, weights, start, sums);                                     \
    }

#endif
