/* The update of a threshold that is a parameter of the training. */
#ifndef GDRQ_TRAIN_LEARN_THRESHOLD_H
#define GDRQ_TRAIN_LEARN_THRESHOLD_H

#include "darknet.h"
#include "quant/running_threshold.h"

typedef struct gdrq_learning_rule {
    float rate;  /* times a->learning_rate */
    float decay; /* of T, in place of a->decay */
} gdrq_learning_rule;

/*
 * Moves T as the host moves a weight (primitives/update.h), but never by more than half of it in
 * one step: T stays above 0 whatever the gradient is.
 */
void gdrq_learn_threshold(const gdrq_learning_rule *rule, const update_args *a, float *threshold,
                          gdrq_threshold_optimiser *optimiser);

#endif
