#include <assert.h>
#include <string.h>

#include "base/kernels.h"
#include "infer/ops.h"
#include "quant/rounding.h"

/* y[i] = a(scale[i]*sums[i] + bias[i]); relu and leaky as primitives/activation.c has them. */
static inline __attribute__((always_inline)) void
finish(gdrq_int_activation_kind a, const int32_t *restrict sums, size_t n,
       const float *restrict scale, const float *restrict bias, float *restrict y) {
    for (size_t i = 0; i < n; i++) {
        const float v = scale[i] * (float)sums[i] + bias[i];
        if (a == GDRQ_INT_RELU)
            y[i] = v * (v > 0 ? 1.f : 0.f);
        else if (a == GDRQ_INT_LEAKY)
            y[i] = v > 0 ? v : .1f * v;
        else
            y[i] = v;
    }
}

/* Constants for the vectoriser. */
GDRQ_KERNEL void finish_row(gdrq_int_activation_kind a, const int32_t *restrict sums, size_t n,
                            const float *restrict scale, const float *restrict bias,
                            float *restrict y) {
    switch (a) {
    case GDRQ_INT_RELU:
        finish(GDRQ_INT_RELU, sums, n, scale, bias, y);
        break;
    case GDRQ_INT_LEAKY:
        finish(GDRQ_INT_LEAKY, sums, n, scale, bias, y);
        break;
    default:
        finish(GDRQ_INT_LINEAR, sums, n, scale, bias, y);
    }
}

/* A comparison with NaN is false: it becomes min. */
GDRQ_KERNEL void encode(const float *restrict values, size_t n, float inv, float min, float max,
                        uint8_t *restrict codes) {
    for (size_t i = 0; i < n; i++) {
        float v = values[i] * inv;
        v = v > min ? v : min;
        v = v < max ? v : max;
        codes[i] = (uint8_t)(int)(gdrq_round_half_even(v) - min);
    }
}

void gdrq_int_encode(const gdrq_grid *grid, const float *values, size_t n, uint8_t *codes) {
    assert(grid->max - grid->min >= 0 && grid->max - grid->min <= UINT8_MAX);
    encode(values, n, grid->inv_step, (float)grid->min, (float)grid->max, codes);
}

void gdrq_int_finish(const gdrq_epilogue *epilogue, gdrq_tensor_shape shape,
                     const gdrq_int_tile *tile, const int32_t *sums, const gdrq_int_output *out) {
    assert(tile->pixels <= GDRQ_TILE_PIXELS && tile->filters <= GDRQ_TILE_FILTERS);
    assert(tile->first_pixel + tile->pixels <= shape.w * shape.h);
    assert(tile->first_filter + tile->filters <= shape.c);
    assert(!out->codes || epilogue->grid);
    assert(!out->pooled);
    const size_t first = (size_t)tile->first_filter, filters = (size_t)tile->filters;
    const size_t plane = (size_t)shape.w * (size_t)shape.h, pixel = gdrq_output_pixel(out, shape);
    float y[GDRQ_TILE_PIXELS][GDRQ_TILE_FILTERS];
    for (int p = 0; p < tile->pixels; p++) {
        finish_row(epilogue->activation.kind, sums + (size_t)p * GDRQ_TILE_FILTERS, filters,
                   epilogue->scale + first, epilogue->bias + first, y[p]);
        const size_t index = (size_t)(tile->first_pixel + p) * (size_t)shape.c + first;
        if (epilogue->activation.kind == GDRQ_INT_OTHER)
            gdrq_int_activate(&epilogue->activation, y[p], filters);
        if (epilogue->shortcut)
            gdrq_int_add_shortcut(epilogue->shortcut, index, filters, y[p]);
        if (out->codes)
            gdrq_int_encode(epilogue->grid, y[p], filters,
                            out->codes + (size_t)(tile->first_pixel + p) * pixel + first);
        if (out->interleaved)
            memcpy(out->interleaved + index, y[p], filters * sizeof *y[p]);
    }
    for (size_t f = 0; out->values && f < filters; f++) {
        float *const to = out->values + (first + f) * plane + (size_t)tile->first_pixel;
        for (int p = 0; p < tile->pixels; p++)
            to[p] = y[p][f];
    }
}
