/* What each channel of a convolution's input counts for when one threshold is found for all. */
#ifndef GDRQ_TRAIN_CHANNEL_WEIGHTS_H
#define GDRQ_TRAIN_CHANNEL_WEIGHTS_H

#include "darknet.h"

/*
 * No channel counts less than this share of the mean one: without it, one that outweighs all others
 * by a factor of 10^6, as behind a batch norm of almost no variance, had the others clipped away.
 */
#define GDRQ_LEAST_CHANNEL_WEIGHT 0.01f

/*
 * weights[c], l->c of them: what an error in channel c adds to the squares of errors in the
 * outputs, by the squares of the weights that read it, each times what batch norm multiplies its
 * filter by; with a mean of 1, and then at least the least. A depthwise layer may weight its
 * channels so unequally that few of them decide what the whole network loses, and T has to suit
 * those.
 *
 * scale, bias: room for l->n. All weights are 1 where the layer's own are all 0 or not all
 * finite.
 */
void gdrq_channel_weights(const layer *l, float *scale, float *bias, float *weights);

#endif
