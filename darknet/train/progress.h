/*
 * What a training shows of itself: one line per iteration, which on a terminal overwrites the one
 * before.
 */
#ifndef DARKNET_TRAIN_PROGRESS_H
#define DARKNET_TRAIN_PROGRESS_H

#include "gdrq.h"

#include <stdio.h>

typedef struct progress {
    FILE *out;
    bool terminal;
    bool line_open;        /* the cursor stands behind a progress line */
    size_t last_iteration; /* of the whole training, max_batches */
    int images;            /* per iteration */
    int stride;            /* iterations per step */
    bool has_average;
    double average_loss;    /* as upstream's: 0.9 of the old one and 0.1 of the new loss */
    double average_seconds; /* per step, likewise */
    double started;         /* of the step under way */
    int steps;              /* so far in this run */
} progress;

/* `out` is borrowed. */
progress progress_start(FILE *out, size_t last_iteration, int images, int stride);

/*
 * After a step, which ended with iteration number `iteration`, counted from 1. The line begins as
 * upstream's does, which programs read: "N: LOSS, AVERAGE avg, RATE rate, S seconds, I images";
 * ours goes on with the stage, the speed and the time left to the last iteration.
 */
void progress_step(progress *p, size_t iteration, gdrq_stage stage, double loss, double rate);

/* The average loss goes on from that of an earlier run. */
void progress_continue(progress *p, double average_loss);

/* What was done since the last step is no part of the next one's time. */
void progress_resume(progress *p);

/* Ends the line under way, so that something else can be printed. */
void progress_end_line(progress *p);

#endif
