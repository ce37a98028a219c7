/*
 * A training on several GPUs: a copy of the network on each, which trains on images of its own; now
 * and then all become their mean. As upstream's: n of them do n iterations in the time of one, and
 * the learning rate is n times the cfg's.
 */
#ifndef DARKNET_TRAIN_REPLICAS_H
#define DARKNET_TRAIN_REPLICAS_H

#include "darknet.h"
#include "gdrq.h"
#include "train/loader.h"

typedef struct replicas {
    network **nets; /* [0] is borrowed, and the one to save and to measure after replicas_join() */
    int n;
    int apart; /* steps since they were the same last */
} replicas;

/*
 * As many as gpus_count(), of the network `first`, which is on the first GPU and trained as far as
 * it is: the others are parsed from its cfg. Close with replicas_close() also on failure.
 */
gdrq_status replicas_open(replicas *r, network *first, const char *cfg_path, gdrq_error *err);

/* The same for n - 1 further networks of the same cfg, wherever they are; it takes them over. */
gdrq_status replicas_of(replicas *r, network *first, network **others, int n, gdrq_error *err);

/* Images of one step, of all networks. */
int replicas_images(const replicas *r);

/*
 * One step: an iteration of each network on its part of the batch; *loss is the mean per image.
 * Then net->seen of all counts the images of all. Loss as of iteration_train().
 */
gdrq_status replicas_train(replicas *r, const loader_batch *batch, double *loss, gdrq_error *err);

/* All networks become their mean, if they aren't the same: before one is saved or measured. */
gdrq_status replicas_join(replicas *r, gdrq_error *err);

/* Whether they are the same: any of them is the training's network. */
bool replicas_are_joined(const replicas *r);

/* Of all networks. */
gdrq_status replicas_resize(replicas *r, int w, int h, gdrq_error *err);

void replicas_close(replicas *r);

#endif
