/*
 * Convolutions as matrix products of the filters with columns, a column being the inputs of one
 * output pixel. For the shapes that oneDNN has no other way for either: it divides the sums of its
 * products by the number of threads, and rounds accordingly. Here a part of the result is one
 * thread's, and the parts depend on the shape alone. Internal to conv_primitive.c.
 */
#ifndef GDRQ_PRIMITIVES_CONV_COLUMNS_H
#define GDRQ_PRIMITIVES_CONV_COLUMNS_H

#include <stddef.h>

#include "primitives/convolution.h"

/* Floats of the buffer that each thread needs. */
size_t gdrq_conv_columns_forward_floats(const gdrq_conv_shape *shape);
size_t gdrq_conv_columns_backward_data_floats(const gdrq_conv_shape *shape);

/*
 * As gdrq_conv_forward() and gdrq_conv_backward_data(), for a shape that was checked, on that many
 * threads. GDRQ_ERROR_MEMORY when memory is out.
 */
gdrq_status gdrq_conv_columns_forward(const gdrq_conv_shape *shape, const float *x,
                                      const float *weights, float *y, float *buffer, int threads);
gdrq_status gdrq_conv_columns_backward_data(const gdrq_conv_shape *shape, const float *weights,
                                            const float *dy, float *dx, float *buffer, int threads);

#endif
