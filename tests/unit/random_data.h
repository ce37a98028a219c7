/* Repeatable random numbers for tests; the seed is printed so that a failure can be run again. */
#ifndef TESTS_RANDOM_DATA_H
#define TESTS_RANDOM_DATA_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state;

/* TEST_SEED in the environment, or the given seed. */
static inline void seed_random(uint64_t seed) {
    const char *given = getenv("TEST_SEED");
    random_state = given ? strtoull(given, NULL, 0) : seed;
    printf("seed %llu\n", (unsigned long long)random_state);
}

/* How many of n random cases to try: a tenth if TEST_QUICK is set, as it is under valgrind. */
static inline int random_cases(int n) {
    return getenv("TEST_QUICK") ? (n + 9) / 10 : n;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t random_bits(void) {
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Uniform in [low, high]. */
static inline int random_int(int low, int high) {
    return low + (int)(random_bits() % (uint64_t)(high - low + 1));
}

/* Uniform in [0, 1). */
static inline double random_unit(void) {
    return (double)(random_bits() >> 11) / 9007199254740992; /* 2^53 */
}

/* Standard normal. */
static inline float random_normal(void) {
    const double u = 1 - random_unit(), v = random_unit();
    return (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

/* n normal values of the given deviation, malloc'ed. */
static inline float *random_array(size_t n, float deviation) {
    float *x = (float *)malloc((n ? n : 1) * sizeof *x);
    for (size_t i = 0; i < n; ++i)
        x[i] = deviation * random_normal();
    return x;
}

#endif
