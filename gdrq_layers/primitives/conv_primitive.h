/*
 * One oneDNN convolution in one direction for one shape, with the reorders between Darknet's plain
 * layouts and the blocked ones that oneDNN prefers; or a product of columns (conv_columns.h) where
 * oneDNN's result would depend on the number of threads. Internal to convolution.c.
 *
 * It owns no tensor memory: what it needs while it runs (reordered operands, oneDNN's scratchpad)
 * lies in a buffer that the caller lends, so that all shapes share one.
 */
#ifndef GDRQ_PRIMITIVES_CONV_PRIMITIVE_H
#define GDRQ_PRIMITIVES_CONV_PRIMITIVE_H

#include <dnnl.h>

#include "primitives/convolution.h"

typedef enum gdrq_conv_direction {
    GDRQ_CONV_FORWARD,
    GDRQ_CONV_BACKWARD_DATA,
    GDRQ_CONV_BACKWARD_WEIGHTS,
} gdrq_conv_direction;

/* Indices of a convolution's three tensors, or of their gradients. */
enum { GDRQ_CONV_DATA, GDRQ_CONV_FILTERS, GDRQ_CONV_RESULT, GDRQ_CONV_OPERANDS };

/* Alignment in bytes of the lent buffer, and of everything in it: one cache line. */
enum { GDRQ_CONV_ALIGNMENT = 64 };

typedef struct gdrq_conv_primitive gdrq_conv_primitive;

/* Builds for the current number of OpenMP threads. Free with gdrq_conv_primitive_free(). */
gdrq_status gdrq_conv_primitive_create(dnnl_engine_t engine, const gdrq_conv_shape *shape,
                                       gdrq_conv_direction direction,
                                       gdrq_conv_primitive **primitive, gdrq_error *err);

/* Bytes of the buffer that gdrq_conv_primitive_execute() needs. */
size_t gdrq_conv_primitive_bytes(const gdrq_conv_primitive *primitive);

/*
 * Runs on plain tensors; the two that the direction reads are not written. `buffer` is aligned to
 * GDRQ_CONV_ALIGNMENT.
 */
gdrq_status gdrq_conv_primitive_execute(gdrq_conv_primitive *primitive, dnnl_stream_t stream,
                                        float *const plain[GDRQ_CONV_OPERANDS], char *buffer,
                                        gdrq_error *err);

/* NULL is allowed. */
void gdrq_conv_primitive_free(gdrq_conv_primitive *primitive);

#endif
