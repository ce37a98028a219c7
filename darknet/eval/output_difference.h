/* How far the outputs of two networks for one image are apart. */
#ifndef EVAL_OUTPUT_DIFFERENCE_H
#define EVAL_OUTPUT_DIFFERENCE_H

#include <stddef.h>

typedef struct output_difference {
    double largest;    /* of outputs that are finite */
    size_t not_finite; /* outputs that one or the other network gives as infinite or no number */
} output_difference;

/* Adds n outputs of each. */
void output_difference_add(output_difference *d, const float *a, const float *b, int n);

#endif
