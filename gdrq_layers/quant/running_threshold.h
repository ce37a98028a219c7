/*
 * The clipping threshold T of an activation tensor. All layers that read one tensor (or tensors
 * that operations which keep values join) share one of these.
 *
 * A read of the tensor gives a value for T: k * mean|x|, or the T that loses least. T starts at the
 * first batch's value and then moves towards the next ones by max(momentum, 1/(t+1)) of the way: a
 * plain mean at first, an exponential one later. There is one move per forward, from all reads of
 * that forward together, in effect from the next forward on. A learned T starts so, and then moves
 * by its gradient instead.
 */
#ifndef GDRQ_QUANT_RUNNING_THRESHOLD_H
#define GDRQ_QUANT_RUNNING_THRESHOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/histogram.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the optimiser keeps of a T that is a parameter of the training. As everywhere in the host,
 * `update` adds up directions of descent, -dL/dT, over the images of a batch.
 */
typedef struct gdrq_threshold_optimiser {
    float update, m, v; /* momentum is kept in update; moments of adam */
} gdrq_threshold_optimiser;

typedef struct gdrq_running_threshold {
    int tensor;       /* index of the first layer whose output it clips; -1: the network's input */
    int first_reader; /* index of the first layer that reads it: that one calls commit */
    int bits;
    gdrq_range range; /* never AUTO */
    float slope;      /* of the leaky activation that an offset range is for */
    gdrq_threshold how;
    float k, momentum;
    bool has_usual_k;                   /* the cfg says no k: that of loaded weights counts */
    int norm;                           /* of the quantised loss, where it is searched */
    bool fixed;                         /* 8-bit pixels: T = 1 for ever */
    float threshold;                    /* T in effect */
    uint64_t moves;                     /* times that T moved; 0 = never set, unless fixed */
    uint64_t other_rule_at;             /* moves when T was last set to something else than
                                           k*mean|x|, by calibration or from a file; 0: never */
    double pending_sum, pending_count;  /* of values of T in the forward that runs, times sizes */
    gdrq_threshold_optimiser optimiser; /* of a LEARNED one */
    gdrq_histogram *histogram;          /* while values are counted, else NULL; owned */
    /* On a GPU this is the T that moves, and the host's is as it was pulled last; owned. */
    struct gdrq_running_threshold *on_gpu;
} gdrq_running_threshold;

/* Whether T has a value. */
bool gdrq_threshold_is_set(const gdrq_running_threshold *t);

/* The grid for the T in effect. */
gdrq_grid gdrq_threshold_grid(const gdrq_running_threshold *t);

/* Whether a training forward observes the tensor; a learned T is left to its gradient once set. Of
   0, from a tensor that was all zeros, it has none. */
bool gdrq_threshold_follows(const gdrq_running_threshold *t);

/* The value for T of n elements whose |x| add up to sum; searched on a part of them that is spread
   evenly. */
double gdrq_threshold_value(const gdrq_running_threshold *t, const float *x, size_t n, double sum);

/* One read of n elements that gives `value` for T. Not-finite values are left out. */
void gdrq_threshold_observe(gdrq_running_threshold *t, double value, size_t n);

/* Before the first move there is no T yet: takes the first read's value for this one forward. */
void gdrq_threshold_start(gdrq_running_threshold *t, double value);

/* Moves T by what was observed since the last call; without observations nothing happens. */
void gdrq_threshold_commit(gdrq_running_threshold *t);

#ifdef __cplusplus
}
#endif

#endif
