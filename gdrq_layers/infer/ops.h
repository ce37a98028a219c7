/*
 * The operations of integer inference, on one image, in portable C: the specification that faster
 * kernels are compared with, bit for bit. Nothing here knows of Darknet.
 *
 * Activation codes are bytes in NHWC order (y, x, channel), stored relative to the lowest code of
 * their grid (quant/grid.h): stored = code - grid.min, in 0..grid.max - grid.min. The value 0 is
 * stored as -grid.min, which is also what a padded position holds. Float tensors are in Darknet's
 * order, NCHW. Weight codes are signed bytes. Threaded; results don't depend on the threads.
 *
 * A tensor of codes may be some neighbouring channels of a wider one: `pixel` is how many codes lie
 * from one pixel to the next, its channels or more; what lies between them is not touched.
 */
#ifndef GDRQ_INFER_OPS_H
#define GDRQ_INFER_OPS_H

#include "quant/grid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gdrq_tensor_shape {
    int w, h, c;
} gdrq_tensor_shape;

static inline size_t gdrq_tensor_size(gdrq_tensor_shape s) {
    return (size_t)s.w * (size_t)s.h * (size_t)s.c;
}

static inline bool gdrq_same_shape(gdrq_tensor_shape a, gdrq_tensor_shape b) {
    return a.w == b.w && a.h == b.h && a.c == b.c;
}

typedef enum gdrq_int_activation_kind {
    GDRQ_INT_LINEAR,
    GDRQ_INT_RELU,
    GDRQ_INT_LEAKY, /* slope 0.1 */
    GDRQ_INT_OTHER, /* by a function */
} gdrq_int_activation_kind;

typedef struct gdrq_int_activation {
    gdrq_int_activation_kind kind;
    void (*function)(float *x, size_t n, int which); /* of GDRQ_INT_OTHER: x[i] = a(x[i]), i < n */
    int which;                                       /* for the function */
} gdrq_int_activation;

/* x[i] = a(x[i]) for i < n, in the calling thread alone. */
void gdrq_int_activate(const gdrq_int_activation *a, float *x, size_t n);

/*
 * Darknet's [shortcut]: y = activation(a*y + b*other), in this order, `other` in NHWC. Where that
 * one is larger by a whole factor, every factor-th of its pixels is added; channels that it has not
 * are y as it is.
 */
typedef struct gdrq_int_shortcut {
    const float *other;
    gdrq_tensor_shape from, to; /* of other, and of y; gdrq_int_shortcut_fits() */
    float a, b;
    gdrq_int_activation activation;
} gdrq_int_shortcut;

/*
 * What becomes of a sum of filter f, all in float32 and in this order, as the training graph does:
 *     y = activation(scale[f] * (float)sum + bias[f]), a shortcut if there is one,
 *     code = round_half_even(y * grid->inv_step)
 * clipped to grid->min..grid->max. The sum is relative to the zero code.
 */
typedef struct gdrq_epilogue {
    const float *scale, *bias;
    gdrq_int_activation activation;
    const gdrq_int_shortcut *shortcut; /* NULL: none */
    const gdrq_grid *grid;             /* of the codes, where they are wanted */
} gdrq_epilogue;

/* Where results go, in whatever of these forms are wanted; NULL: not in this one. */
typedef struct gdrq_int_output {
    uint8_t *codes;     /* stored codes, NHWC */
    float *values;      /* NCHW */
    float *interleaved; /* values in NHWC; may be what the shortcut adds */
    /* The largest codes of 2x2 outputs, which begin at even places and may lack a row and a column
       at the end. Only of kernels that pool, with nothing else, without a shortcut, and of
       activations that don't fall, all but GDRQ_INT_OTHER; scales and biases are finite. */
    uint8_t *pooled;
    size_t pixel; /* of codes and pooled; 0: the channels */
} gdrq_int_output;

/* A part of an output: some pixels, in their order in rows, of some filters. */
typedef struct gdrq_int_tile {
    int first_pixel, pixels;   /* at most GDRQ_TILE_PIXELS */
    int first_filter, filters; /* at most GDRQ_TILE_FILTERS */
} gdrq_int_tile;
enum { GDRQ_TILE_PIXELS = 16, GDRQ_TILE_FILTERS = 64 };

/*
 * The epilogue of a tile of an output of `shape`, in the calling thread alone, from its sums
 * [pixels][GDRQ_TILE_FILTERS].
 */
void gdrq_int_finish(const gdrq_epilogue *epilogue, gdrq_tensor_shape shape,
                     const gdrq_int_tile *tile, const int32_t *sums, const gdrq_int_output *out);

/* Whether an output has all its pixels in other. */
bool gdrq_int_shortcut_fits(gdrq_tensor_shape from, gdrq_tensor_shape to);

/* y = y and the shortcut, of values index..index+n-1 in NHWC, in the calling thread alone. */
void gdrq_int_add_shortcut(const gdrq_int_shortcut *shortcut, size_t index, size_t n, float *y);

/* A shortcut by itself, of values in NHWC; grid: of the codes, if they are wanted. */
void gdrq_int_shortcut_run(const gdrq_int_shortcut *shortcut, const float *in,
                           const gdrq_grid *grid, const gdrq_int_output *out);

/* n values to stored codes as gdrq_int_quantise() does, in the calling thread alone. */
void gdrq_int_encode(const gdrq_grid *grid, const float *values, size_t n, uint8_t *codes);

/*
 * A convolution's geometry, as Darknet's: out.w = (in.w + 2*pad - size)/stride + 1, the window of
 * output x begins at x*stride - pad. Filters whose sums could overflow 32 bits (255 * 127 * weights
 * at 8 bits) are the caller's to refuse.
 */
typedef struct gdrq_int_conv {
    gdrq_tensor_shape in, out; /* out.c is the number of filters */
    int size, stride, pad, groups;
    int zero;              /* stored code of the value 0 in the input */
    const int8_t *weights; /* [out.c][size][size][in.c / groups] */
    const int32_t *sum;    /* out.c: the sum of each filter's weights; for kernels that multiply
                              stored codes, as the portable ones here don't */
    size_t in_pixel;       /* of the input; 0: its channels */
} gdrq_int_conv;

/* Codes from pixel to pixel. */
static inline size_t gdrq_input_pixel(const gdrq_int_conv *conv) {
    return conv->in_pixel ? conv->in_pixel : (size_t)conv->in.c;
}

static inline size_t gdrq_output_pixel(const gdrq_int_output *out, gdrq_tensor_shape shape) {
    return out->pixel ? out->pixel : (size_t)shape.c;
}

/* The sums alone, relative to the zero code: [out.h][out.w][out.c]. */
void gdrq_int_conv_sums(const gdrq_int_conv *conv, const uint8_t *in, int32_t *sums);

/* scratch: gdrq_int_conv_scratch() bytes, which is 0 here, and scratch then may be NULL. */
void gdrq_int_conv_run(const gdrq_int_conv *conv, const gdrq_epilogue *epilogue, const uint8_t *in,
                       void *scratch, const gdrq_int_output *out);
size_t gdrq_int_conv_scratch(const gdrq_int_conv *conv);

/*
 * Darknet's maxpool: windows begin at -(pad/2); what lies outside doesn't count. Windows that lie
 * wholly outside are the caller's to refuse.
 */
typedef struct gdrq_int_pool {
    gdrq_tensor_shape in, out;
    int size, stride, pad;
} gdrq_int_pool;
void gdrq_int_maxpool(const gdrq_int_pool *pool, const uint8_t *in, size_t in_pixel, uint8_t *out,
                      size_t out_pixel);
/* The same of values in NHWC. */
void gdrq_int_maxpool_values(const gdrq_int_pool *pool, const float *in, float *out);

/* Each code stride x stride times. */
void gdrq_int_upsample(gdrq_tensor_shape in, int stride, const uint8_t *in_codes, size_t in_pixel,
                       uint8_t *out, size_t out_pixel);

/*
 * The channels of n tensors one after the other; those that lie at their place in `out` stay there.
 * Inputs of other widths and heights (Darknet then joins flat arrays) are the caller's to refuse.
 */
typedef struct gdrq_int_part {
    const uint8_t *codes;
    int c;
    size_t pixel;
} gdrq_int_part;
void gdrq_int_route(int w, int h, const gdrq_int_part *parts, int n, uint8_t *out,
                    size_t out_pixel);

/* Darknet's [reorg] without extra: in has c channels; reverse as in the cfg. */
void gdrq_int_reorg(gdrq_tensor_shape in, gdrq_tensor_shape out, int stride, bool reverse,
                    const uint8_t *in_codes, size_t in_pixel, uint8_t *out_codes, size_t out_pixel);

/* The middle out.w x out.h of the image, as [crop] takes it at inference. */
void gdrq_int_crop(gdrq_tensor_shape in, gdrq_tensor_shape out, const uint8_t *in_codes,
                   size_t in_pixel, uint8_t *out_codes, size_t out_pixel);

/* Values in NCHW to stored codes in NHWC: round_half_even(x * inv_step), clipped; NaN gives min. */
void gdrq_int_quantise(gdrq_tensor_shape shape, const gdrq_grid *grid, const float *values,
                       uint8_t *codes, size_t pixel);

/* Values in NCHW to NHWC. */
void gdrq_int_interleave(gdrq_tensor_shape shape, const float *values, float *interleaved);

#ifdef __cplusplus
}
#endif

#endif
