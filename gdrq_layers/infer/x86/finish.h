/*
 * What becomes of a tile's sums: gdrq_int_finish() in the vectors that the file before this has
 * included, to the bit.
 *
 * Codes alone, which most layers want, go from the sums to memory in registers. Whatever else is
 * wanted, or a shortcut, goes by values of some pixels in a row.
 */
#ifndef GDRQ_INFER_X86_FINISH_H
#define GDRQ_INFER_X86_FINISH_H

#include <assert.h>

#include "infer/x86/tile.h"

/* Of the filters of a block; zeros where there are fewer. */
typedef struct tile_scales {
    float scale[FILTERS], bias[FILTERS];
} tile_scales;

/* Once per block of tiles: whole blocks of filters are copied by a few vectors. */
INLINE tile_scales scales_at(const gdrq_epilogue *e, int filter, int filters) {
    tile_scales s;
    if (filters == FILTERS) {
        memcpy(s.scale, e->scale + filter, sizeof s.scale);
        memcpy(s.bias, e->bias + filter, sizeof s.bias);
        return s;
    }
    memset(&s, 0, sizeof s);
    memcpy(s.scale, e->scale + filter, (size_t)filters * sizeof *s.scale);
    memcpy(s.bias, e->bias + filter, (size_t)filters * sizeof *s.bias);
    return s;
}

/* Where sums belong: pixels that follow each other, of the filters of one block. */
typedef struct place {
    int pixel, pixels, filter, filters;
} place;

/* No activation of GDRQ_INT_OTHER. */
INLINE floats activated(gdrq_int_activation_kind a, floats v) {
    if (a == GDRQ_INT_RELU)
        return multiply_floats(v, is_positive(v));
    if (a == GDRQ_INT_LEAKY)
        return max_floats(multiply_floats(set_floats(.1f), v), v);
    return v;
}

/* What an epilogue multiplies with and adds, in registers: stores of bytes may change anything else
 * that a compiler knows. */
typedef struct factors {
    floats scale[2], bias[2];
} factors;

INLINE factors factors_of(const tile_scales *s) {
    factors f;
    for (int half = 0; half < 2; half++) {
        f.scale[half] = load_floats(s->scale + half * LANES);
        f.bias[half] = load_floats(s->bias + half * LANES);
    }
    return f;
}

/* As gdrq_int_finish(): multiplied, then added, never fused. */
INLINE floats value_of(gdrq_int_activation_kind a, const factors *f, int half, ints sums) {
    return activated(a,
                     add_floats(multiply_floats(f->scale[half], floats_of(sums)), f->bias[half]));
}

/* A grid's numbers, likewise. */
typedef struct coder {
    floats inverse, max;
    words min;
} coder;

INLINE coder coder_of(const gdrq_grid *grid) {
    return (coder){.inverse = set_floats(grid->inv_step),
                   .max = set_floats((float)grid->max),
                   .min = set_words((int16_t)grid->min)};
}

/* A code, which narrowed() clips below: NaN, and whatever lies there, is a negative number. */
INLINE ints coded(const coder *c, floats y) {
    return rounded(min_floats(c->max, multiply_floats(y, c->inverse)));
}

/* n < 4*LANES bytes. */
INLINE void copy_few(uint8_t *to, const uint8_t *from, int n) {
    int i = 0;
    for (; i + 8 <= n; i += 8)
        memcpy(to + i, from + i, 8);
    for (; i < n; i++)
        to[i] = from[i];
}

/* The codes of `pixels` pixels, which lie in `all` one behind the other. */
INLINE void store_pixels(bytes all, const int vectors, int pixels, int filters, uint8_t *to,
                         size_t stride) {
    uint8_t row[4 * LANES];
    if (vectors == 2 && filters == FILTERS) {
        store_low_half(to, all);
        if (pixels > 1)
            store_high_half(to + stride, all);
        return;
    }
    if (vectors == 1 && filters == LANES && pixels == 4 && stride == LANES) {
        store_bytes(to, all);
        return;
    }
    store_bytes(row, all);
    for (int t = 0; t < pixels; t++)
        copy_few(to + (size_t)t * stride, row + t * vectors * LANES, filters);
}

/* Of up to 4/vectors pixels; the last one stands in for those that are missing. */
INLINE bytes coded_pixels(const gdrq_int_activation_kind a, const int vectors, const coder *c,
                          const factors *f, const int32_t *sums, int pixels) {
    ints codes[4];
    for (int i = 0; i < 4; i++) {
        const int pixel = min_int(i / vectors, pixels - 1), half = i % vectors;
        codes[i] = coded(c, value_of(a, f, half, load_ints(sums + pixel * FILTERS + half * LANES)));
    }
    return narrowed(codes[0], codes[1], codes[2], codes[3], c->min);
}

INLINE void store_codes(const gdrq_int_activation_kind a, const int vectors, const gdrq_grid *grid,
                        const tile_scales *s, const place *at, const int32_t *sums, uint8_t *to,
                        size_t stride) {
    const coder c = coder_of(grid);
    const factors f = factors_of(s);
    const int together = 4 / vectors, filters = at->filters;
    int left = at->pixels;
    for (; left >= together; left -= together) {
        const bytes codes = coded_pixels(a, vectors, &c, &f, sums, together);
        store_pixels(codes, vectors, together, filters, to, stride);
        sums += together * FILTERS;
        to += (size_t)together * stride;
    }
    if (left > 0)
        store_pixels(coded_pixels(a, vectors, &c, &f, sums, left), vectors, left, filters, to,
                     stride);
}

/* Whether codes are all that is wanted, and can go from registers to memory. */
static inline bool codes_alone(const gdrq_epilogue *e, const gdrq_int_output *out) {
    return !out->values && !out->interleaved && !e->shortcut &&
           e->activation.kind != GDRQ_INT_OTHER;
}

/* What codes alone need of an activation: where the lowest one is that of 0, clipping does what
 * relu does. */
static inline gdrq_int_activation_kind activation_of_codes(const gdrq_epilogue *e) {
    const bool clipped = e->activation.kind == GDRQ_INT_RELU && e->grid->min >= 0;
    return clipped ? GDRQ_INT_LINEAR : e->activation.kind;
}

/* function(kind, ...) with an activation, which is not GDRQ_INT_OTHER, as a constant. */
#define WITH_ACTIVATION(kind, function, ...)        \
    do {                                            \
        if ((kind) == GDRQ_INT_LEAKY)               \
            function(GDRQ_INT_LEAKY, __VA_ARGS__);  \
        else if ((kind) == GDRQ_INT_RELU)           \
            function(GDRQ_INT_RELU, __VA_ARGS__);   \
        else                                        \
            function(GDRQ_INT_LINEAR, __VA_ARGS__); \
    } while (0)

/* Codes of two vectors of filters: of both halves, of two neighbouring pixels. */
INLINE bytes coded_pair(const coder *c, const floats low[2], const floats high[2]) {
    return narrowed(coded(c, low[0]), coded(c, high[0]), coded(c, low[1]), coded(c, high[1]),
                    c->min);
}

/* A vector of filters with those of other[] added. */
INLINE floats with_shortcut(const gdrq_int_shortcut *s, floats v, const float *other) {
    const floats y = multiply_floats(set_floats(s->a), v);
    const floats x = multiply_floats(set_floats(s->b), load_floats(other));
    return activated(s->activation.kind, add_floats(y, x));
}

/* Whether a shortcut adds whole vectors of filters to values that are not wanted in planes. */
static inline bool in_whole_vectors(const gdrq_int_conv *conv, const gdrq_epilogue *e,
                                    const gdrq_int_output *out) {
    const gdrq_int_shortcut *s = e->shortcut;
    return !out->values && e->activation.kind != GDRQ_INT_OTHER && conv->out.c % LANES == 0 &&
           (!s || (s->activation.kind != GDRQ_INT_OTHER && gdrq_same_shape(s->from, s->to)));
}

enum { VALUE_PIXELS = 16 }; /* whose values are at hand together */

/* [pixels][FILTERS] to planes that are `plane` values apart. */
static inline void store_planes(const float *y, int pixels, int filters, float *to, size_t plane) {
    const int whole_pixels = pixels / 4 * 4, whole_filters = filters / 4 * 4;
    for (int f = 0; f < whole_filters; f += 4)
        for (int p = 0; p < whole_pixels; p += 4) {
            __m128 r[4];
            for (int i = 0; i < 4; i++)
                r[i] = _mm_loadu_ps(y + (p + i) * FILTERS + f);
            _MM_TRANSPOSE4_PS(r[0], r[1], r[2], r[3]);
            for (int i = 0; i < 4; i++)
                _mm_storeu_ps(to + (size_t)(f + i) * plane + p, r[i]);
        }
    for (int f = 0; f < filters; f++)
        for (int p = f < whole_filters ? whole_pixels : 0; p < pixels; p++)
            to[(size_t)f * plane + (size_t)p] = y[p * FILTERS + f];
}

/* The values of some pixels on their way out. */
typedef struct group {
    float (*y)[FILTERS];
    int pixels, filters;
    size_t index, stride; /* of the first one's place in NHWC, and from pixel to pixel there */
    size_t code, pixel;   /* the same of codes */
} group;

static inline void set_values(group *g, const gdrq_epilogue *e, const tile_scales *s,
                              const int32_t *sums) {
    const gdrq_int_activation_kind a = e->activation.kind;
    const factors f = factors_of(s);
    for (int p = 0; p < g->pixels; p++) {
        for (int half = 0; half < 2; half++)
            store_floats(g->y[p] + half * LANES,
                         value_of(a, &f, half, load_ints(sums + p * FILTERS + half * LANES)));
        if (a == GDRQ_INT_OTHER)
            gdrq_int_activate(&e->activation, g->y[p], (size_t)g->filters);
    }
}

/* As gdrq_int_add_shortcut(), for whole vectors of filters. */
static inline void add_vectors(group *g, const gdrq_int_shortcut *s) {
    for (int p = 0; p < g->pixels; p++)
        for (int f = 0; f < g->filters; f += LANES) {
            const float *other = s->other + g->index + (size_t)p * g->stride + (size_t)f;
            store_floats(g->y[p] + f, with_shortcut(s, load_floats(g->y[p] + f), other));
        }
}

static inline void add_shortcut(group *g, const gdrq_int_shortcut *s) {
    if (g->filters % LANES == 0 && s->activation.kind != GDRQ_INT_OTHER &&
        gdrq_same_shape(s->from, s->to)) {
        add_vectors(g, s);
        return;
    }
    for (int p = 0; p < g->pixels; p++)
        gdrq_int_add_shortcut(s, g->index + (size_t)p * g->stride, (size_t)g->filters, g->y[p]);
}

static inline void store_interleaved(const group *g, float *to) {
    for (int p = 0; p < g->pixels; p++, to += g->stride) {
        int f = 0;
        for (; f + LANES <= g->filters; f += LANES)
            store_floats(to + f, load_floats(g->y[p] + f));
        memcpy(to + f, g->y[p] + f, (size_t)(g->filters - f) * sizeof *to);
    }
}

/* Whole blocks in pairs of pixels, of which the last one may be alone; other blocks, whose rows
 * have something behind the filters, pixel by pixel. */
static inline void encode(const group *g, const gdrq_grid *grid, uint8_t *to) {
    const coder c = coder_of(grid);
    const int together = g->filters == FILTERS ? 2 : 1;
    for (int p = 0; p < g->pixels; p += together, to += (size_t)together * g->pixel) {
        const int n = min_int(together, g->pixels - p);
        const float *a = g->y[p], *b = g->y[p + n - 1];
        const floats low[2] = {load_floats(a), load_floats(b)};
        const floats high[2] = {load_floats(a + LANES), load_floats(b + LANES)};
        const bytes codes = coded_pair(&c, low, high);
        store_pixels(codes, 2, n, g->filters, to, g->pixel);
    }
}

static inline void finish_values(const gdrq_int_conv *conv, const gdrq_epilogue *e,
                                 const tile_scales *s, const place *at, const int32_t *sums,
                                 const gdrq_int_output *out) {
    const size_t plane = (size_t)conv->out.w * (size_t)conv->out.h;
    _Alignas(64) float y[VALUE_PIXELS][FILTERS];
    group g = {.y = y,
               .filters = at->filters,
               .stride = (size_t)conv->out.c,
               .pixel = gdrq_output_pixel(out, conv->out)};
    for (int first = 0; first < at->pixels; first += VALUE_PIXELS) {
        const size_t pixel = (size_t)(at->pixel + first);
        g.pixels = min_int(VALUE_PIXELS, at->pixels - first);
        g.index = pixel * g.stride + (size_t)at->filter;
        g.code = pixel * g.pixel + (size_t)at->filter;
        set_values(&g, e, s, sums + first * FILTERS);
        if (e->shortcut)
            add_shortcut(&g, e->shortcut);
        if (out->codes)
            encode(&g, e->grid, out->codes + g.code);
        if (out->interleaved)
            store_interleaved(&g, out->interleaved + g.index);
        if (out->values)
            store_planes(g.y[0], g.pixels, g.filters,
                         out->values + (size_t)at->filter * plane + pixel, plane);
    }
}

/* sums: [pixels][FILTERS]. */
static inline void finish(const gdrq_int_conv *conv, const gdrq_epilogue *e, const tile_scales *s,
                          const place *at, const int32_t *sums, const gdrq_int_output *out) {
    const size_t stride = gdrq_output_pixel(out, conv->out);
    if (!codes_alone(e, out)) {
        finish_values(conv, e, s, at, sums, out);
        return;
    }
    const gdrq_int_activation_kind a = activation_of_codes(e);
    uint8_t *const to = out->codes + (size_t)at->pixel * stride + at->filter;
    if (vectors_of(at->filters) == 2)
        WITH_ACTIVATION(a, store_codes, 2, e->grid, s, at, sums, to, stride);
    else
        WITH_ACTIVATION(a, store_codes, 1, e->grid, s, at, sums, to, stride);
}

/*
 * Of four sums of a filter, the one whose code is the largest: codes don't fall as sums grow or, if
 * the scale is negative, as they shrink; `sign` then turns their order round.
 */
INLINE ints largest_sum(const ints sums[4], ints sign) {
    const ints upper = max_ints(xor_ints(sums[0], sign), xor_ints(sums[1], sign));
    const ints lower = max_ints(xor_ints(sums[2], sign), xor_ints(sums[3], sign));
    return xor_ints(max_ints(upper, lower), sign);
}

/* The same of 2x2 pixels of two rows; what lacks at the end doesn't count. upper may be `to`. */
static inline void pool_sums(const tile_scales *s, int vectors, const int32_t *upper,
                             const int32_t *lower, int pixels, int32_t *to) {
    for (int left = 0; left < pixels; left += 2) {
        const int right = min_int(left + 1, pixels - 1);
        for (int i = 0; i < vectors * LANES; i += LANES) {
            const ints sums[4] = {
                load_ints(upper + left * FILTERS + i), load_ints(upper + right * FILTERS + i),
                load_ints(lower + left * FILTERS + i), load_ints(lower + right * FILTERS + i)};
            store_ints(to + left / 2 * FILTERS + i,
                       largest_sum(sums, sign_of(load_floats(s->scale + i))));
        }
    }
}

/* finish() for sums that were pooled; `at` counts pooled pixels. */
static inline void finish_pooled(const gdrq_int_conv *conv, const gdrq_epilogue *e,
                                 const tile_scales *s, const place *at, const int32_t *sums,
                                 const gdrq_int_output *out) {
    assert(codes_alone(e, out));
    finish(conv, e, s, at, sums, &(gdrq_int_output){.codes = out->pooled, .pixel = out->pixel});
}

#endif
