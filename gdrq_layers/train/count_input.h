/* Counts what a quantised layer reads, for a threshold that is found from the counts. */
#ifndef GDRQ_TRAIN_COUNT_INPUT_H
#define GDRQ_TRAIN_COUNT_INPUT_H

#include "darknet.h"
#include "quant/histogram.h"

/*
 * Adds an input [batch][channels][spatial] of the layer to the histogram. Values of a convolution's
 * channels count by what errors in them add to its outputs: by the squares of the weights that
 * read the channel, each times what batch norm multiplies its filter by; in the mean over
 * channels, by 1. A depthwise layer may weight its channels so unequally that few of them decide
 * what the whole network loses, and T has to suit those. Connected layers count all values alike.
 */
void gdrq_count_input(gdrq_histogram *h, const layer *l, const float *x);

#endif
