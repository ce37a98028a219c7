/*
 * Float convolutions in Darknet's layout on oneDNN: x is [batch][c][h][w], weights are
 * [n][c / groups][size][size], y is [batch][n][out_h][out_w]. Direct algorithms only (no Winograd,
 * no reduced precision), so that sums of integer-valued floats below 2^24 are exact.
 *
 * y and dx do not depend on the number of threads; dw repeats itself with the same number.
 *
 * Primitives and their memory are kept per shape; the first call with a shape allocates, later ones
 * do not. Calls from several threads are serialised.
 */
#ifndef GDRQ_PRIMITIVES_CONVOLUTION_H
#define GDRQ_PRIMITIVES_CONVOLUTION_H

#include <stdbool.h>

#include "gdrq.h"

typedef struct gdrq_conv_shape {
    int batch, c, h, w;
    int n, groups, size, stride, pad;
} gdrq_conv_shape;

/* Height (or width) of the output for an input of height (or width) `in`. */
int gdrq_conv_out(const gdrq_conv_shape *shape, int in);

/* y = conv(x, weights). */
gdrq_status gdrq_conv_forward(const gdrq_conv_shape *shape, const float *x, const float *weights,
                              float *y, gdrq_error *err);

/* dx = dL/dx for dL/dy = dy; dx is overwritten. */
gdrq_status gdrq_conv_backward_data(const gdrq_conv_shape *shape, const float *weights,
                                    const float *dy, float *dx, gdrq_error *err);

/* dw = dL/dweights for dL/dy = dy; dw is overwritten. */
gdrq_status gdrq_conv_backward_weights(const gdrq_conv_shape *shape, const float *x,
                                       const float *dy, float *dw, gdrq_error *err);

#endif
