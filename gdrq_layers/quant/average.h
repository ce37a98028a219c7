/*
 * Means over several networks of one cfg that were trained apart, each on images of its own: after
 * them all have the same again. Networks are added up in their order, in double precision: what
 * comes out does not depend on threads, and equal values stay as they are.
 */
#ifndef GDRQ_QUANT_AVERAGE_H
#define GDRQ_QUANT_AVERAGE_H

#include "quant/running_threshold.h"

/* arrays[0..n) of `count` values: each becomes their mean. */
void gdrq_average_arrays(float *const *arrays, int n, size_t count);

/*
 * The T of one tensor in n networks, after what was observed has moved each. A network that has no
 * T yet, or saw zeros only, does not count. The number of moves, by which a young T follows a batch
 * the more, stays that of one network: a step of the mean is the mean of n steps. What optimisers
 * keep of a learned T becomes the mean as well.
 */
void gdrq_average_thresholds(gdrq_running_threshold *const *thresholds, int n);

#endif
