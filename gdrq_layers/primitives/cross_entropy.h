/* What softmax layers learn by, on the CPU and on the GPU. */
#ifndef GDRQ_PRIMITIVES_CROSS_ENTROPY_H
#define GDRQ_PRIMITIVES_CROSS_ENTROPY_H

#include "base/everywhere.h"

/* The truth of a class of which nothing is known: the host's SECRET_NUM. */
#define GDRQ_UNKNOWN_TRUTH (-1234.f)

/* The logarithm of an input's probability is scaled input - largest - log(sum). */
typedef struct gdrq_softmax_normaliser {
    float largest;  /* of the inputs, scaled */
    double log_sum; /* log(sum of exp(scaled input - largest)) */
} gdrq_softmax_normaliser;

/* A class's part of the loss, for the truth t and the scaled input: not from the probability,
   which is 0 where exp() leaves the floats. */
GDRQ_EVERYWHERE float gdrq_cross_entropy(float t, gdrq_softmax_normaliser by, float scaled) {
    return t != GDRQ_UNKNOWN_TRUTH && t != 0
               ? t * (float)(by.log_sum - (double)(scaled - by.largest))
               : 0.f;
}

/* The direction of descent, for the truth t and the probability p. */
GDRQ_EVERYWHERE float gdrq_cross_entropy_delta(float t, float p) {
    return t != GDRQ_UNKNOWN_TRUTH ? t - p : 0.f;
}

#endif
