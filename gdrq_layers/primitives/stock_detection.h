/* Functions of libdarknet that it exports but its header does not declare; detection layers only.
 */
#ifndef GDRQ_PRIMITIVES_STOCK_DETECTION_H
#define GDRQ_PRIMITIVES_STOCK_DETECTION_H

#include "darknet.h"

/*
 * Softmax over n entries `stride` floats apart, for `groups` neighbours `group_offset` apart in
 * each of `batch` blocks `batch_offset` apart.
 */
void softmax_cpu(float *input, int n, int batch, int batch_offset, int groups, int group_offset,
                 int stride, float temp, float *output);

/* The product of x[c * stride] over c and its ancestors. */
float get_hierarchy_probability(float *x, tree *hier, int c, int stride);

/* Looks at net.truth even at inference, where it is NULL. */
void forward_iseg_layer(layer l, network net);

#endif
