/* One iteration of a training: a batch in, the weights updated. */
#ifndef DARKNET_TRAIN_ITERATION_H
#define DARKNET_TRAIN_ITERATION_H

#include "darknet.h"
#include "train/loader.h"

/* Images per iteration: [net] batch, in `subdivisions` parts. */
int iteration_images(const network *net);

/* Images first..first+net->batch-1 of the batch, and their truth, into the network's input. */
void iteration_feed(network *net, const loader_batch *batch, int first);

/*
 * Trains on iteration_images() of the batch, which are of the network's size, from image `first`
 * on, and returns the mean loss per image. A loss that is not finite ends the iteration: the
 * weights are as before, net->seen is as after the images that went well.
 */
double iteration_train(network *net, const loader_batch *batch, int first);

#endif
