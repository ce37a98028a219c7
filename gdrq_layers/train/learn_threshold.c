#include "train/learn_threshold.h"

#include "primitives/update.h"

void gdrq_learn_threshold(const gdrq_learning_rule *rule, const update_args *a, float *threshold,
                          gdrq_threshold_optimiser *optimiser) {
    const float before = *threshold;
    const gdrq_parameters p = {threshold, &optimiser->update, &optimiser->m, &optimiser->v, 1};
    gdrq_update_parameters(&p, a, rule->rate, rule->decay);
    if (*threshold < .5f * before)
        *threshold = .5f * before;
    if (*threshold > 1.5f * before)
        *threshold = 1.5f * before;
}
