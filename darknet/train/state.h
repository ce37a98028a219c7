/*
 * What a weights file does not hold, but a training needs to go on as if it had never stopped: the
 * optimiser's memory, the running mean of weights, the seed and what was measured so far. It lies
 * beside the weights, BASE_last.state by BASE_last.weights, and belongs to these very weights.
 */
#ifndef DARKNET_TRAIN_STATE_H
#define DARKNET_TRAIN_STATE_H

#include "darknet.h"
#include "gdrq.h"
#include "train/ema.h"

#include <stdint.h>

typedef struct train_state {
    uint64_t seed;
    double average_loss; /* as progress shows it */
    double seconds;      /* of training */
    double best;         /* value of the metric; meaningless while measured is 0 */
    uint64_t best_iteration;
    uint64_t measured;   /* times that the metric was measured */
    uint64_t since_best; /* the same since the best one */
} train_state;

/* "BASE.state" for "BASE.weights". NULL when memory is out; free() it. */
char *state_path(const char *weights_path);

/*
 * Writes the weights of net and its state as they stand: both files or neither. e may be NULL.
 */
gdrq_status state_save(const char *weights_path, const char *path, network *net,
                       const train_state *state, const ema *e, gdrq_error *err);

/*
 * What state_load() found. STATE_OTHER_WEIGHTS: it belongs to another weights file. STATE_NO_MEAN:
 * all but the mean of weights, which e asks for, was there.
 */
typedef enum state_found {
    STATE_WHOLE,
    STATE_NO_MEAN,
    STATE_MISSING,
    STATE_OTHER_WEIGHTS
} state_found;

/*
 * Gives net, whose weights are loaded, what it had when the state was saved, and e (may be NULL)
 * its mean. Where *found is STATE_MISSING or STATE_OTHER_WEIGHTS nothing has changed. A damaged
 * file is an error.
 */
gdrq_status state_load(const char *path, network *net, train_state *state, ema *e,
                       state_found *found, gdrq_error *err);

#endif
