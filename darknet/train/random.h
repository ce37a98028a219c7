/*
 * Random numbers of one training sample. The stream depends on the run's seed and the sample's
 * index alone, so that a run repeats whatever thread prepares which sample and when.
 */
#ifndef DARKNET_TRAIN_RANDOM_H
#define DARKNET_TRAIN_RANDOM_H

#include <stdint.h>

typedef struct random_stream {
    uint64_t state;
} random_stream;

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static inline uint64_t random_next(random_stream *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline random_stream random_start(uint64_t seed, uint64_t index) {
    random_stream of_seed = {seed};
    random_stream r = {random_next(&of_seed) + index};
    r.state = random_next(&r);
    return r;
}

/* In [0, n), n > 0; the bias is below 2^-32 for every n that an int holds. */
static inline int random_below(random_stream *r, int n) {
    return (int)(random_next(r) % (uint64_t)n);
}

/* Between a and b, whichever is larger. */
static inline float random_uniform(random_stream *r, float a, float b) {
    return a + (b - a) * (float)((double)(random_next(r) >> 40) / (double)(1 << 24));
}

/* A factor in [1/limit, limit]. */
static inline float random_factor(random_stream *random, float limit) {
    const float factor = random_uniform(random, 1, limit);
    return random_below(random, 2) ? factor : 1 / factor;
}

#endif
