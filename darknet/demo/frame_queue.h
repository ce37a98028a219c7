/*
 * A bounded queue of frames between two threads of the pipeline. It holds pointers; its memory is
 * allocated once.
 */
#ifndef DARKNET_DEMO_FRAME_QUEUE_H
#define DARKNET_DEMO_FRAME_QUEUE_H

#include <pthread.h>
#include <stdbool.h>

#include "gdrq.h"

struct frame;

typedef struct frame_queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct frame **at; /* a ring */
    int capacity, first, n;
    bool closed;
} frame_queue;

gdrq_status frame_queue_open(frame_queue *q, int capacity, gdrq_error *err);

/* Waits while the queue is full. False if it is closed: the frame stays the caller's. */
bool frame_queue_push(frame_queue *q, struct frame *frame);

/*
 * Never waits: where there is no room the oldest frame makes some, and is the caller's again, as
 * `frame` itself is if the queue is closed. NULL: nothing was dropped.
 */
struct frame *frame_queue_push_newest(frame_queue *q, struct frame *frame);

/* The oldest frame, waiting `seconds` at most; NULL: there was none, *ended tells whether ever. */
struct frame *frame_queue_pop(frame_queue *q, double seconds, bool *ended);

/* The same without a limit; NULL: closed and empty. */
struct frame *frame_queue_take(frame_queue *q);

/* Nothing is pushed any more; what is in it can still be taken. */
void frame_queue_close(frame_queue *q);

/* Nobody uses it any more. A zeroed queue may be freed, too. */
void frame_queue_free(frame_queue *q);

#endif
