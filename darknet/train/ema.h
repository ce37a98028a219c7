/*
 * A running mean of a network's weights and batch-norm statistics. Weights that oscillate between
 * quantisation levels late in a training average out in it: it is what evaluation shall use
 * (exponential moving average; for YOLO at 4 bits see arXiv 2311.05109).
 */
#ifndef DARKNET_TRAIN_EMA_H
#define DARKNET_TRAIN_EMA_H

#include "darknet.h"
#include "gdrq.h"

#include <stdint.h>

typedef struct ema {
    double decay;
    uint64_t steps; /* iterations that it has seen */
    float *mean;    /* all of GDRQ_ARRAYS_WEIGHTS, one after the other */
    size_t n;
} ema;

/* Starts at the network's weights. Free with ema_free(). */
gdrq_status ema_start(ema *e, const network *net, double decay, gdrq_error *err);

/*
 * After an iteration: the mean moves to the weights by 1 - decay, but by more at first,
 * 1 - (1 + steps) / (10 + steps), since a mean of few weights is no better than the last ones.
 * After several at once, as of several networks that have become their mean, it keeps of itself
 * what as many steps would have kept.
 */
void ema_step(ema *e, const network *net, int iterations);

/* Exchanges the mean and the network's weights; twice is as before. */
void ema_swap(ema *e, const network *net);

void ema_free(ema *e);

#endif
