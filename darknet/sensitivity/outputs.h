/*
 * What a network computes in the end: what its yolo, region, detection, softmax and logistic layers
 * read, or the output of the last layer where it has none of them.
 */
#ifndef SENSITIVITY_OUTPUTS_H
#define SENSITIVITY_OUTPUTS_H

#include "darknet.h"
#include "gdrq.h"

/* Outputs of one image, to compare others with. */
typedef struct outputs {
    float *values;
    size_t n;
} outputs;

/* Makes room for those of the network. Free with outputs_free(). */
gdrq_status outputs_make(outputs *o, const network *net, gdrq_error *err);

/* Keeps those that the network has now, of the first image of its batch; returns the sum of their
   squares. */
double outputs_keep(outputs *o, const network *net);

/* The sum of squared differences between those of the network now and the kept ones. */
double outputs_distance(const outputs *o, const network *net);

void outputs_free(outputs *o);

#endif
