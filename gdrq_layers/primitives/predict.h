/* The host's network_predict() without the zeroing of gradients, which inference does not use. */
#ifndef GDRQ_PRIMITIVES_PREDICT_H
#define GDRQ_PRIMITIVES_PREDICT_H

#include "darknet.h"

/*
 * Runs all layers on `input` (net->batch images) as the host does with train = 0 and no truth;
 * returns net->output, and sets *net->cost to the mean of the layers' costs (NaN without any).
 * Gradients keep what they held: a training forward zeroes them itself. *net is not changed.
 */
float *gdrq_network_predict(const network *net, float *input);

/* The same, with after(user, i) called behind each layer i. */
typedef void gdrq_after_layer(void *user, int i);
float *gdrq_network_predict_watched(const network *net, float *input, gdrq_after_layer *after,
                                    void *user);

/* *net->cost from the layers' costs. */
void gdrq_set_network_cost(const network *net);

/* Runs layers first.. again, on what the layers before them (or net->input) hold. */
float *gdrq_network_predict_from(const network *net, int first);

#endif
