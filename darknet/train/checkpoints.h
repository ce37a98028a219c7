/*
 * The weights files that a training leaves: BASE_last.weights on the way, BASE_final.weights at the
 * end, in the backup folder; BASE is the cfg's file name without folder and extension.
 */
#ifndef DARKNET_TRAIN_CHECKPOINTS_H
#define DARKNET_TRAIN_CHECKPOINTS_H

#include "darknet.h"
#include "gdrq.h"

typedef struct checkpoints {
    char *last, *final; /* paths */
} checkpoints;

/* Makes the folder if it is missing and checks that it can be written. */
gdrq_status checkpoints_open(checkpoints *c, const char *folder, const char *cfg_path,
                             gdrq_error *err);

void checkpoints_close(checkpoints *c);

#endif
