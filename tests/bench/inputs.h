/* The same inputs for all workers: pixels c/255, and objects or classes to learn. */
#ifndef BENCH_INPUTS_H
#define BENCH_INPUTS_H

#include <stddef.h>
#include <stdint.h>

/* Knuth's MMIX generator; its upper bits are the good ones. */
static inline uint32_t bench_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static inline float bench_unit(uint64_t *state) {
    return (float)(bench_random(state) >> 7) / (float)(1 << 24);
}

static inline void bench_pixels(float *input, size_t n) {
    uint64_t state = 1;
    for (size_t i = 0; i < n; ++i)
        input[i] = (float)(bench_random(&state) >> 23) / 255.f;
}

#endif
