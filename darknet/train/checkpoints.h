/*
 * The files that a training leaves in the backup folder; BASE is the cfg's file name without folder
 * and extension.
 *
 *   BASE_last.weights    every now and then, and when it stops; with BASE_last.state beside it
 *   BASE_best.weights    where the metric was best
 *   BASE_final.weights   at the end
 *   BASE_N.weights       milestones, every so many iterations
 *   BASE.csv, BASE.png   its history: log and chart
 */
#ifndef DARKNET_TRAIN_CHECKPOINTS_H
#define DARKNET_TRAIN_CHECKPOINTS_H

#include "darknet.h"
#include "gdrq.h"

typedef struct checkpoints {
    char *last, *last_state, *best, *final, *log, *chart; /* paths */
    char *stem;                                           /* "folder/BASE" */
} checkpoints;

/* Makes the folder if it is missing and checks that these files can be written. */
gdrq_status checkpoints_open(checkpoints *c, const char *folder, const char *cfg_path,
                             gdrq_error *err);

/* The path of the milestone after so many iterations; NULL when memory is out; free() it. */
char *checkpoints_milestone(const checkpoints *c, size_t iteration);

/* "PATH.old", what a file is kept as that must not be lost; as above. */
char *checkpoints_old(const char *path);

void checkpoints_close(checkpoints *c);

#endif
