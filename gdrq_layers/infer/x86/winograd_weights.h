/*
 * The weights of winograd.h, which explains U. The file that includes it defines narrow_steps().
 *
 * Packed weights: U as [blocks of filters][position][channels / 4][filters][4] bytes; what the sums
 * of a position begin with, as [position][filters] int32; and how many steps a narrow sum holds, as
 * [blocks][position] (narrow_steps()). Missing filters are zeros.
 */
#ifndef GDRQ_INFER_X86_WINOGRAD_WEIGHTS_H
#define GDRQ_INFER_X86_WINOGRAD_WEIGHTS_H

#include "infer/x86/tile.h"

enum {
    POSITIONS = 16,
    MIDDLE = 5, /* the position i = j = 1 */
    PART = 64,  /* channels that are transformed at a time, if there are so many */
};

static size_t transformed_size(const gdrq_int_conv *conv, int filters) {
    return (size_t)filters * POSITIONS * (size_t)conv->in.c;
}

static const int32_t *starts_of_position(const gdrq_int_conv *conv, const char *packed, int p) {
    const int filters = padded_filters(conv);
    return (const int32_t *)(packed + transformed_size(conv, filters)) + p * filters;
}

static size_t packed_size(const gdrq_int_conv *conv) {
    const size_t filters = (size_t)padded_filters(conv), blocks = (filters + FILTERS - 1) / FILTERS;
    return transformed_size(conv, (int)filters) + POSITIONS * (filters + blocks) * sizeof(int32_t);
}

/* Of the block that begins with a filter, by position. */
static const int32_t *steps_of_block(const gdrq_int_conv *conv, const char *packed, int filter) {
    return starts_of_position(conv, packed, POSITIONS) + filter / FILTERS * POSITIONS;
}

/* (2G) g (2G)^T of n channels from g on, whose positions are `stride` bytes apart. */
static void transform_weights(const int8_t *restrict g, size_t stride, int n,
                              int8_t u[restrict POSITIONS][PART]) {
    for (int c = 0; c < n; c++) {
        int8_t rows[4][3];
        for (int x = 0; x < 3; x++) {
            const int8_t top = g[(size_t)x * stride + (size_t)c],
                         middle = g[(size_t)(3 + x) * stride + (size_t)c],
                         bottom = g[(size_t)(6 + x) * stride + (size_t)c];
            rows[0][x] = (int8_t)(2 * top);
            rows[1][x] = (int8_t)(top + middle + bottom);
            rows[2][x] = (int8_t)(top - middle + bottom);
            rows[3][x] = (int8_t)(2 * bottom);
        }
        for (int i = 0; i < 4; i++) {
            const int8_t left = rows[i][0], middle = rows[i][1], right = rows[i][2];
            u[4 * i][c] = (int8_t)(2 * left);
            u[4 * i + 1][c] = (int8_t)(left + middle + right);
            u[4 * i + 2][c] = (int8_t)(left - middle + right);
            u[4 * i + 3][c] = (int8_t)(2 * right);
        }
    }
}

/*
 * U of filter f, and what its sums begin with: the share of the offset 2q taken out and, in the
 * middle, whose products all four outputs have with a plus, four times the zero code's share.
 */
static void pack_filter(const gdrq_int_conv *conv, int f, int offset, char *packed) {
    const size_t channels = (size_t)conv->in.c;
    const int first = f / FILTERS * FILTERS;
    const size_t step = (size_t)(STEP * LANES * vectors_of(filters_of_block(conv, first)));
    char *const block = packed + transformed_size(conv, first) + (size_t)(f - first) * STEP;
    for (int channel = 0; channel < conv->in.c; channel += PART) {
        int8_t u[POSITIONS][PART];
        const int n = min_int(PART, conv->in.c - channel);
        transform_weights(conv->weights + (size_t)f * 9 * channels + channel, channels, n, u);
        for (int p = 0; p < POSITIONS; p++) {
            char *const to = block + ((size_t)p * channels + (size_t)channel) / STEP * step;
            int32_t *const start = (int32_t *)starts_of_position(conv, packed, p) + f;
            for (int c = 0; c < n; c += STEP)
                memcpy(to + (size_t)(c / STEP) * step, &u[p][c], STEP);
            for (int c = 0; c < n && p != MIDDLE; c++)
                *start -= offset * u[p][c];
        }
    }
    ((int32_t *)starts_of_position(conv, packed, MIDDLE))[f] = -4 * conv->zero * conv->sum[f];
}

/* The U of a block at position p, by steps. */
static const int8_t *weights_at(const gdrq_int_conv *conv, const char *packed, int filter, int p) {
    const int vectors = vectors_of(filters_of_block(conv, filter));
    return (const int8_t *)packed + transformed_size(conv, filter) +
           (size_t)p * (size_t)conv->in.c * (size_t)(vectors * LANES);
}

static void pack(const gdrq_int_conv *conv, const gdrq_conv_limits *limits, void *packed) {
    memset(packed, 0, packed_size(conv));
#pragma omp parallel for schedule(static, FILTERS)
    for (int f = 0; f < conv->out.c; f++)
        pack_filter(conv, f, 2 * limits->code, packed);
#pragma omp parallel for schedule(static)
    for (int filter = 0; filter < conv->out.c; filter += FILTERS)
        for (int p = 0; p < POSITIONS; p++)
            ((int32_t *)steps_of_block(conv, packed, filter))[p] = narrow_steps(
                weights_at(conv, packed, filter, p), vectors_of(filters_of_block(conv, filter)),
                conv->in.c / STEP, 4 * limits->code);
}

#endif
