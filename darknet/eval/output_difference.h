/* How far the outputs of two networks for one image are apart. */
#ifndef EVAL_OUTPUT_DIFFERENCE_H
#define EVAL_OUTPUT_DIFFERENCE_H

#include <stddef.h>

typedef struct output_difference {
    double largest; /* of outputs that are finite */
    double
        squares; /* the sum of such differences' squares, and that of the first network's outputs */
    double squares_of_outputs;
    size_t not_finite; /* outputs that one or the other network gives as infinite or no number */
} output_difference;

/* Adds n outputs of each. */
void output_difference_add(output_difference *d, const float *a, const float *b, int n);

/* Their root mean square in parts of the outputs' own. */
double output_difference_relative(const output_difference *d);

#endif
