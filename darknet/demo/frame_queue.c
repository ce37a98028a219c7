#include "demo/frame_queue.h"

#include "base/alloc.h"
#include "base/status.h"
#include "demo/condition.h"
#include "seconds.h"

#include <stdlib.h>

gdrq_status frame_queue_open(frame_queue *q, int capacity, gdrq_error *err) {
    *q = (frame_queue){.at = gdrq_alloc((size_t)capacity, sizeof *q->at), .capacity = capacity};
    if (!q->at)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for a queue of frames");
    pthread_mutex_init(&q->mutex, NULL);
    condition_init(&q->changed);
    return GDRQ_OK;
}

/* The mutex is held, and there is room. */
static void append(frame_queue *q, struct frame *frame) {
    q->at[(q->first + q->n++) % q->capacity] = frame;
    pthread_cond_broadcast(&q->changed);
}

/* The mutex is held, and there is a frame. */
static struct frame *remove_first(frame_queue *q) {
    struct frame *first = q->at[q->first];
    q->first = (q->first + 1) % q->capacity;
    q->n--;
    pthread_cond_broadcast(&q->changed);
    return first;
}

bool frame_queue_push(frame_queue *q, struct frame *frame) {
    pthread_mutex_lock(&q->mutex);
    while (q->n == q->capacity && !q->closed)
        pthread_cond_wait(&q->changed, &q->mutex);
    const bool open = !q->closed;
    if (open)
        append(q, frame);
    pthread_mutex_unlock(&q->mutex);
    return open;
}

struct frame *frame_queue_push_newest(frame_queue *q, struct frame *frame) {
    pthread_mutex_lock(&q->mutex);
    struct frame *dropped = q->closed ? frame : NULL;
    if (!q->closed) {
        dropped = q->n == q->capacity ? remove_first(q) : NULL;
        append(q, frame);
    }
    pthread_mutex_unlock(&q->mutex);
    return dropped;
}

struct frame *frame_queue_pop(frame_queue *q, double seconds, bool *ended) {
    const double until = seconds_now() + seconds;
    pthread_mutex_lock(&q->mutex);
    while (q->n == 0 && !q->closed && condition_wait_until(&q->changed, &q->mutex, until))
        ;
    struct frame *frame = q->n > 0 ? remove_first(q) : NULL;
    *ended = !frame && q->closed;
    pthread_mutex_unlock(&q->mutex);
    return frame;
}

struct frame *frame_queue_take(frame_queue *q) {
    pthread_mutex_lock(&q->mutex);
    while (q->n == 0 && !q->closed)
        pthread_cond_wait(&q->changed, &q->mutex);
    struct frame *frame = q->n > 0 ? remove_first(q) : NULL;
    pthread_mutex_unlock(&q->mutex);
    return frame;
}

void frame_queue_close(frame_queue *q) {
    pthread_mutex_lock(&q->mutex);
    q->closed = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
}

void frame_queue_free(frame_queue *q) {
    if (!q->at)
        return;
    pthread_mutex_destroy(&q->mutex);
    pthread_cond_destroy(&q->changed);
    free(q->at);
    *q = (frame_queue){0};
}
