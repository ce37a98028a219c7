/* What the tests of integer inference share: guarded buffers, random codes and expected ones. */
#ifndef TESTS_INT_OPS_TEST_H
#define TESTS_INT_OPS_TEST_H

#include "layer_subject.h"
#include "thread_counts.h"

#include "infer/ops.h"
#include "quant/quantise.h"

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

/* n bytes between guards, filled with what no result should keep. */
static inline void *guarded(size_t n) {
    uint8_t *const all = malloc(n + 2 * GUARD);
    assert_non_null(all);
    memset(all, GUARD_BYTE, n + 2 * GUARD);
    return all + GUARD;
}

static inline void check_guards(const char *what, const void *buffer, size_t n) {
    const uint8_t *const bytes = buffer;
    for (int i = 0; i < GUARD; i++)
        if (bytes[i - GUARD] != GUARD_BYTE || bytes[n + (size_t)i] != GUARD_BYTE)
            fail_msg("%s: wrote outside of its %zu bytes", what, n);
}

static inline void free_guarded(void *buffer) {
    if (buffer)
        free((uint8_t *)buffer - GUARD);
}

/* Codes as they lie between the channels of others, `pixel` of them from pixel to pixel: a copy
 * whose gaps hold anything; ends with the last pixel's channels. */
static inline uint8_t *spread_codes(const uint8_t *codes, size_t pixels, size_t channels,
                                    size_t pixel) {
    const size_t n = (pixels - 1) * pixel + channels;
    uint8_t *const spread = malloc(n);
    assert_non_null(spread);
    for (size_t i = 0; i < n; i++)
        spread[i] = i % pixel < channels ? codes[i / pixel * channels + i % pixel]
                                         : (uint8_t)random_int(0, 255);
    return spread;
}

/* The reverse of what guarded() began as; what lies between pixels is to be as it was. */
static inline void gather_codes(const char *what, const uint8_t *spread, size_t pixels,
                                size_t channels, size_t pixel, uint8_t *codes) {
    for (size_t i = 0; i < (pixels - 1) * pixel + channels; i++)
        if (i % pixel < channels)
            codes[i / pixel * channels + i % pixel] = spread[i];
        else if (spread[i] != GUARD_BYTE)
            fail_msg("%s: wrote between its pixels", what);
}

static inline size_t count(gdrq_tensor_shape s) {
    return (size_t)s.w * (size_t)s.h * (size_t)s.c;
}

/* A host layer of one image. */
static inline void set_layer_shapes(layer *l, gdrq_tensor_shape in, gdrq_tensor_shape out) {
    l->batch = 1;
    l->w = in.w;
    l->h = in.h;
    l->c = in.c;
    l->out_w = out.w;
    l->out_h = out.h;
    l->out_c = out.c;
    l->inputs = (int)count(in);
    l->outputs = (int)count(out);
}

static inline gdrq_grid random_grid(void) {
    static const gdrq_range ranges[] = {GDRQ_RANGE_UNSIGNED, GDRQ_RANGE_SIGNED, GDRQ_RANGE_OFFSET};
    return gdrq_activation_grid(random_int(2, 8), ranges[random_int(0, 2)], .1f,
                                (float)(.1 + 5 * random_unit()));
}

/* Now and then only the lowest and the highest code. */
static inline uint8_t *random_codes(size_t n, const gdrq_grid *grid) {
    const bool extreme = random_int(0, 4) == 0;
    const int top = grid->max - grid->min;
    uint8_t *const codes = malloc(n ? n : 1);
    assert_non_null(codes);
    for (size_t i = 0; i < n; i++)
        codes[i] = (uint8_t)(extreme ? top * random_int(0, 1) : random_int(0, top));
    return codes;
}

/* Stored codes in NHWC of values in NCHW, one by one. */
static inline uint8_t *expected_codes(gdrq_tensor_shape shape, const gdrq_grid *grid,
                                      const float *values) {
    const size_t n = count(shape), plane = (size_t)(shape.w * shape.h);
    float *const codes = zeros(n);
    uint8_t *const stored = malloc(n);
    assert_non_null(stored);
    gdrq_quantise(values, n, grid, true, codes);
    for (size_t i = 0; i < n; i++)
        stored[i % plane * (size_t)shape.c + i / plane] =
            isnan(codes[i]) ? 0 : (uint8_t)((int)codes[i] - grid->min);
    free(codes);
    return stored;
}

#endif
