/* The training loop: batches in, weights files and progress out. */
#ifndef DARKNET_TRAIN_LOOP_H
#define DARKNET_TRAIN_LOOP_H

#include "darknet.h"
#include "gdrq.h"
#include "train/checkpoints.h"
#include "train/loader.h"

#include <stdio.h>

typedef struct train_job {
    network *net;
    loader *samples; /* its truth rows are net->truths long */
    const checkpoints *files;
    uint64_t seed;
    bool random_size; /* upstream's random=1: another input size every ten iterations */
    FILE *out;        /* progress */
} train_job;

/*
 * Trains from the iteration that net->seen stands for up to max_batches and writes the final
 * weights, or until stop_signal(): then it writes the last weights and returns GDRQ_OK as well.
 * A failure on the way leaves the last weights too, if at least one iteration was done; but a loss
 * or weights that are not finite leave the files as they are.
 */
gdrq_status train_loop(const train_job *job, gdrq_error *err);

#endif
