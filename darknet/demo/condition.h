/* Waiting for a condition variable until a moment of seconds_now(). */
#ifndef DARKNET_DEMO_CONDITION_H
#define DARKNET_DEMO_CONDITION_H

#include <pthread.h>
#include <stdbool.h>

void condition_init(pthread_cond_t *condition);

/* False once the moment has passed. May also return for no reason, as pthread_cond_wait() does. */
bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, double moment);

#endif
