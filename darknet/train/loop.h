/* The training loop: batches in, weights files and progress out. */
#ifndef DARKNET_TRAIN_LOOP_H
#define DARKNET_TRAIN_LOOP_H

#include "darknet.h"
#include "gdrq.h"
#include "train/checkpoints.h"
#include "train/history.h"
#include "train/loader.h"
#include "train/mean_view.h"
#include "train/replicas.h"
#include "train/state.h"
#include "train/teacher.h"

#include <stdio.h>

/*
 * How good the network is on images that it is not trained on. measure() runs it as it stands, at
 * its size in the cfg; *value is from 0 to 1, more is better.
 */
typedef gdrq_status train_measure(void *user, network *net, double *value, gdrq_error *err);

typedef struct train_metric {
    const char *name; /* "mAP@0.50": what the log and the chart call it */
    const char *flag; /* "map": what asks for it on the command line */
    train_measure *measure;
    void *user;
} train_metric;

/* Sides of a square input that change as training goes, as random=1 asks for. */
typedef struct train_sizes {
    int every;       /* iterations from one size to the next; 0: the cfg's size all the time */
    int least, most; /* multiples of 32 */
    int last;        /* for the last 200 iterations; 0: as before them */
} train_sizes;

typedef struct train_job {
    replicas *replicas; /* what is trained */
    loader *samples;    /* its truth rows are net->truths long */
    teacher teacher;    /* of what it has, if any */
    int n_images;       /* that it draws from: one epoch */
    const checkpoints *files;
    history *history;
    const char *chart;  /* path of the chart */
    const char *title;  /* that the chart bears */
    train_state *state; /* of the training so far; its seed is the samples' */
    mean_view *view;    /* of the mean of weights: what is measured and kept */
    bool best_is_old;   /* BASE_best.weights, if it is there, may be better than what `state` knows:
                           it is kept as BASE_best.weights.old */

    const train_metric *metric; /* NULL: none */
    size_t measure_every;       /* iterations; and at the end */
    int patience;               /* stop after so many measurements without a better one; 0: never */

    size_t milestone_every; /* iterations; 0: none */
    train_sizes sizes;
    FILE *out; /* progress */
} train_job;

/* What train_loop() leaves behind. */
typedef struct train_outcome {
    size_t saved;    /* the iteration that this run's BASE_last.weights holds; 0: it wrote none */
    bool whole;      /* the training came to its end and BASE_final.weights is written */
    bool unmeasured; /* it was stopped while it measured, which a resumed run makes up for */
} train_outcome;

/*
 * Trains from the iteration that net->seen stands for up to max_batches, or with n replicas to less
 * than n beyond it, and writes the last and the final weights, or until stop_signal(): then it
 * writes the last weights and returns GDRQ_OK as well. With a mean of weights, that is what is
 * measured and what the best and final weights are. A failure on the way leaves the last weights
 * too, if at least one iteration was done; but a loss or weights that are not finite leave the
 * files as they are. *outcome is set in all cases.
 */
gdrq_status train_loop(const train_job *job, train_outcome *outcome, gdrq_error *err);

#endif
