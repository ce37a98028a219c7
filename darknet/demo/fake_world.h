/*
 * What the fake cameras of one request have in common: a camera that vanishes is opened anew as
 * another source, but stays the same camera.
 */
#ifndef DARKNET_DEMO_FAKE_WORLD_H
#define DARKNET_DEMO_FAKE_WORLD_H

#include <pthread.h>
#include <stdbool.h>

/* Zeroed: nothing has happened yet. */
typedef struct fake_world {
    pthread_mutex_t mutex;
    unsigned long frames; /* so far */
    bool stalled, vanished;
    double back; /* the moment from which it can be opened again */
} fake_world;

#endif
