/* A clock for measuring: it only goes forward. */
#ifndef GDRQ_BASE_SECONDS_H
#define GDRQ_BASE_SECONDS_H

#include <time.h>

static inline double gdrq_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
