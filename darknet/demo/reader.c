#include "demo/reader.h"

#include "base/alloc.h"
#include "base/status.h"
#include "demo/condition.h"
#include "seconds.h"

#include <stdlib.h>

struct reader {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int users;    /* the thread and the owner */
    bool ending;  /* the owner wants no more */
    bool full;    /* an event that nobody has taken yet */
    bool running; /* the thread */
    reader_event event;
    frame_buffer frame;
    double captured, fps;
    gdrq_error error;
    source *source; /* the thread's */
    reader_freed *freed;
    void *freed_user;
};

/* How often whoever waits looks at its own wish to stop, and how long an ending reader is waited
   for; seconds. */
static const double look_every = .05, patience = .5;

static void release(reader *r) {
    pthread_mutex_lock(&r->mutex);
    const int left = --r->users;
    pthread_mutex_unlock(&r->mutex);
    if (left)
        return;
    frame_buffer_free(&r->frame);
    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->changed);
    free(r);
}

/* Hands an event over, with the frame in *own. False: the owner wants no more. */
static bool post(reader *r, reader_event event, frame_buffer *own, double captured,
                 const gdrq_error *error) {
    pthread_mutex_lock(&r->mutex);
    while (r->full && !r->ending)
        pthread_cond_wait(&r->changed, &r->mutex);
    const bool wanted = !r->ending;
    if (wanted) {
        r->event = event;
        r->captured = captured;
        r->fps = r->source->fps;
        r->error = *error;
        frame_buffer_swap(&r->frame, own);
        r->full = true;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->mutex);
    return wanted;
}

static reader_event read_one(reader *r, frame_buffer *own, double *captured, gdrq_error *error) {
    switch (r->source->methods->next(r->source, own, captured, error)) {
    case SOURCE_FRAME:
        return READER_FRAME;
    case SOURCE_END:
        return READER_END;
    default:
        return READER_LOST;
    }
}

static void free_source(reader *r) {
    r->source->methods->free(r->source);
    r->freed(r->freed_user);
}

static void *read_all(void *user) {
    reader *r = user;
    frame_buffer own = {0};
    gdrq_error error = {""};
    double captured = 0;
    const bool open = r->source->methods->open(r->source, &error) == GDRQ_OK;
    bool goes_on = post(r, open ? READER_OPEN : READER_LOST, &own, 0, &error) && open;
    while (goes_on) {
        const reader_event event = read_one(r, &own, &captured, &error);
        goes_on = post(r, event, &own, captured, &error) && event == READER_FRAME;
    }
    frame_buffer_free(&own);
    free_source(r);
    pthread_mutex_lock(&r->mutex);
    r->running = false;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    release(r);
    return NULL;
}

static bool start_thread(reader *r) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    r->running = true;
    const bool started = pthread_create(&thread, &attributes, read_all, r) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

reader *reader_start(source *s, reader_freed *freed, void *user, gdrq_error *err) {
    reader *r = gdrq_alloc(1, sizeof *r);
    if (!r) {
        gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", s->name);
        s->methods->free(s);
        freed(user);
        return NULL;
    }
    r->source = s;
    r->freed = freed;
    r->freed_user = user;
    r->users = 2;
    pthread_mutex_init(&r->mutex, NULL);
    condition_init(&r->changed);
    if (start_thread(r))
        return r;
    gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: can't start a thread", s->name);
    free_source(r);
    r->users = 1;
    release(r);
    return NULL;
}

static double earlier(double a, double b) {
    return a < b ? a : b;
}

reader_event reader_next(reader *r, frame_buffer *frame, double *captured, double limit,
                         const atomic_bool *stop, gdrq_error *err) {
    const double until = seconds_now() + limit;
    reader_event event = READER_LATE;
    pthread_mutex_lock(&r->mutex);
    for (double now = seconds_now(); !r->full && now < until && !atomic_load(stop);
         now = seconds_now())
        condition_wait_until(&r->changed, &r->mutex, earlier(until, now + look_every));
    if (atomic_load(stop)) {
        event = READER_STOPPED;
    } else if (r->full) {
        event = r->event;
        *captured = r->captured;
        if (event == READER_LOST && err)
            *err = r->error;
        frame_buffer_swap(&r->frame, frame);
        r->full = false;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->mutex);
    return event;
}

double reader_fps(reader *r) {
    pthread_mutex_lock(&r->mutex);
    const double fps = r->fps;
    pthread_mutex_unlock(&r->mutex);
    return fps;
}

void reader_end(reader *r) {
    const double until = seconds_now() + patience;
    pthread_mutex_lock(&r->mutex);
    r->ending = true;
    pthread_cond_broadcast(&r->changed);
    while (r->running && condition_wait_until(&r->changed, &r->mutex, until))
        ;
    pthread_mutex_unlock(&r->mutex);
    release(r);
}
