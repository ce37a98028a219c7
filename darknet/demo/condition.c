#include "demo/condition.h"

#include <math.h>
#include <time.h>

void condition_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    /* The clock of seconds_now(): the time of day may be set back. */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, double moment) {
    const double whole = floor(moment);
    const struct timespec until = {.tv_sec = (time_t)whole,
                                   .tv_nsec = (long)((moment - whole) * 1e9)};
    return pthread_cond_timedwait(condition, mutex, &until) == 0;
}
