/*
 * The clipping threshold T of an activation tensor, as a running mean of k * mean|x| over training
 * forwards. All layers that read one tensor (or tensors that operations which keep values join)
 * share one of these.
 *
 * T starts at the first batch's value and then moves by max(momentum, 1/(t+1)) of the way: a plain
 * mean at first, an exponential one later. There is one move per forward, from all reads of that
 * forward together, in effect from the next forward on.
 */
#ifndef GDRQ_QUANT_RUNNING_THRESHOLD_H
#define GDRQ_QUANT_RUNNING_THRESHOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/grid.h"

typedef struct gdrq_running_threshold {
    int tensor;       /* index of the first layer whose output it clips; -1: the network's input */
    int first_reader; /* index of the first layer that reads it: that one calls commit */
    int bits;
    gdrq_range range; /* never AUTO */
    float slope;      /* of the leaky activation that an offset range is for */
    float k, momentum;
    bool fixed;                        /* 8-bit pixels: T = 1 for ever */
    float threshold;                   /* T in effect */
    uint64_t moves;                    /* times that T moved; 0 = never set, unless fixed */
    double pending_sum, pending_count; /* of |x| in the forward that runs */
} gdrq_running_threshold;

/* Whether T has a value. */
bool gdrq_threshold_is_set(const gdrq_running_threshold *t);

/* The grid for the T in effect. */
gdrq_grid gdrq_threshold_grid(const gdrq_running_threshold *t);

/* One read of n elements whose |x| add up to sum. Not-finite sums are left out. */
void gdrq_threshold_observe(gdrq_running_threshold *t, double sum, size_t n);

/* Before the first move there is no T yet: takes the first read's value for this one forward. */
void gdrq_threshold_start(gdrq_running_threshold *t, double sum, size_t n);

/* Moves T by what was observed since the last call; without observations nothing happens. */
void gdrq_threshold_commit(gdrq_running_threshold *t);

#endif
