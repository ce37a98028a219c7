#include "demo/camera.h"

#include "base/alloc.h"
#include "base/status.h"
#include "demo/backoff.h"
#include "demo/reader.h"
#include "seconds.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef enum camera_phase { PLAYING, RECONNECTING, ENDED } camera_phase;

struct camera {
    source_request request;
    bool live;
    source *file;   /* a source that never blocks, read directly */
    reader *reader; /* of one that may; NULL while it is lost */
    backoff backoff;
    atomic_int users; /* the owner, and sources that readers have: they look at the request */
    atomic_int skipped;
    double fps;

    pthread_mutex_t mutex; /* of what follows */
    camera_phase phase;
    double last_frame, retry; /* moments */
    gdrq_error message;
    bool has_message;
};

/* Seconds without a frame that are worth a word. */
static const double noticeable = 1;

static void set_phase(camera *c, camera_phase phase, double retry) {
    pthread_mutex_lock(&c->mutex);
    c->phase = phase;
    c->retry = retry;
    if (phase == PLAYING)
        c->last_frame = seconds_now();
    pthread_mutex_unlock(&c->mutex);
}

static void set_message(camera *c, const char *what, const gdrq_error *why, double wait) {
    pthread_mutex_lock(&c->mutex);
    c->has_message = true;
    if (wait > 0)
        gdrq_fail(&c->message, GDRQ_OK, "%s%.900s; trying again in %g s", what, why->message, wait);
    else
        gdrq_fail(&c->message, GDRQ_OK, "%s%.900s", what, why->message);
    pthread_mutex_unlock(&c->mutex);
}

/* True: the last one. */
static bool release(camera *c) {
    const bool last = atomic_fetch_sub(&c->users, 1) == 1;
    if (last) {
        pthread_mutex_destroy(&c->mutex);
        pthread_mutex_destroy(&c->request.world.mutex);
        free(c);
    }
    return last;
}

static void release_of_reader(void *user) {
    release(user);
}

static void drop_reader(camera *c) {
    if (c->reader)
        reader_end(c->reader);
    c->reader = NULL;
}

/* What came instead of a frame, as a reason. */
static void explain(const camera *c, reader_event event, const char *what, gdrq_error *err) {
    if (event == READER_LATE)
        gdrq_fail(err, GDRQ_ERROR_IO, "%s: %s for %g s", c->request.name, what,
                  (double)c->request.stall);
    else if (event == READER_END)
        gdrq_fail(err, GDRQ_ERROR_IO, "%s: it has ended", c->request.name);
}

/* `s` is the camera's from here on. */
static reader_event open_reader(camera *c, source *s, const atomic_bool *stop, gdrq_error *err) {
    frame_buffer none = {0};
    double unused;
    c->users++;
    c->reader = reader_start(s, release_of_reader, c, err);
    if (!c->reader)
        return READER_LOST;
    const reader_event event = reader_next(c->reader, &none, &unused, c->request.stall, stop, err);
    frame_buffer_free(&none);
    if (event == READER_OPEN)
        c->fps = reader_fps(c->reader);
    else
        explain(c, event, "it does not open", err);
    if (event != READER_OPEN)
        drop_reader(c);
    return event;
}

static gdrq_status open_first(camera *c, source *s, gdrq_error *err) {
    static const atomic_bool never = false;
    if (s->may_block)
        return open_reader(c, s, &never, err) == READER_OPEN ? GDRQ_OK : GDRQ_ERROR_IO;
    c->file = s;
    const gdrq_status status = s->methods->open(s, err);
    c->fps = s->fps;
    return status;
}

static gdrq_status check_request(const source_request *request, const source *s, gdrq_error *err) {
    if (s->is_camera || !(request->w || request->h || request->fps > 0))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                     "-w, -h and -fps are asked of cameras; %s has its own", request->name);
}

gdrq_status camera_open(const source_request *request, camera **opened, gdrq_error *err) {
    *opened = NULL;
    camera *c = gdrq_alloc(1, sizeof *c);
    if (!c)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    c->users = 1;
    c->request = *request;
    source_request_name(&c->request);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_mutex_init(&c->request.world.mutex, NULL);
    source *s;
    gdrq_status status = source_make(&c->request, &s, err);
    if (status == GDRQ_OK) {
        status = check_request(&c->request, s, err);
        c->live = s->live;
        if (status == GDRQ_OK)
            status = open_first(c, s, err);
        else
            s->methods->free(s);
    }
    if (status != GDRQ_OK) {
        camera_close(c);
        return status;
    }
    set_phase(c, PLAYING, 0);
    *opened = c;
    return GDRQ_OK;
}

static camera_event next_of_file(camera *c, frame_buffer *frame, double *captured,
                                 const atomic_bool *stop) {
    gdrq_error err;
    while (!atomic_load(stop)) {
        const source_event event = c->file->methods->next(c->file, frame, captured, &err);
        if (event == SOURCE_FRAME)
            return CAMERA_FRAME;
        if (event == SOURCE_END)
            return CAMERA_END;
        set_message(c, "", &err, 0);
        c->skipped++;
        if (event == SOURCE_LOST)
            return CAMERA_END;
    }
    return CAMERA_STOPPED;
}

/* The reader keeps each frame until it is taken: none is lost. */
static camera_event next_of_slow_file(camera *c, frame_buffer *frame, double *captured,
                                      const atomic_bool *stop) {
    gdrq_error why = {""};
    const reader_event event =
        reader_next(c->reader, frame, captured, c->request.stall, stop, &why);
    if (event == READER_FRAME)
        return CAMERA_FRAME;
    if (event == READER_STOPPED)
        return CAMERA_STOPPED;
    if (event != READER_END) {
        explain(c, event, "no frame", &why);
        set_message(c, "", &why, 0);
        c->skipped++;
    }
    return CAMERA_END;
}

/* False: stopped. */
static bool wait_to_retry(camera *c, double seconds, const atomic_bool *stop) {
    const double until = seconds_now() + seconds;
    set_phase(c, RECONNECTING, until);
    while (seconds_now() < until && !atomic_load(stop))
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    return !atomic_load(stop);
}

/* Until it is open again; false: stopped. `why` is what has happened so far. */
static bool reconnect(camera *c, gdrq_error *why, const atomic_bool *stop) {
    while (!c->reader) {
        const double wait = backoff_next(&c->backoff);
        set_message(c, "lost: ", why, wait);
        if (!wait_to_retry(c, wait, stop))
            return false;
        source *s;
        if (source_make(&c->request, &s, why) == GDRQ_OK &&
            open_reader(c, s, stop, why) == READER_STOPPED)
            return false;
    }
    return true;
}

/* A live source ends only where it says so itself, as the fake camera can. */
static camera_event next_of_live(camera *c, frame_buffer *frame, double *captured,
                                 const atomic_bool *stop) {
    gdrq_error why = {""};
    while (c->reader || reconnect(c, &why, stop)) {
        const reader_event event =
            reader_next(c->reader, frame, captured, c->request.stall, stop, &why);
        if (event == READER_FRAME) {
            backoff_reset(&c->backoff);
            set_phase(c, PLAYING, 0);
            return CAMERA_FRAME;
        }
        if (event == READER_END)
            return CAMERA_END;
        if (event == READER_STOPPED)
            return CAMERA_STOPPED;
        explain(c, event, "no frame", &why);
        drop_reader(c);
    }
    return CAMERA_STOPPED;
}

camera_event camera_next(camera *c, frame_buffer *frame, double *captured,
                         const atomic_bool *stop) {
    const camera_event event = c->live     ? next_of_live(c, frame, captured, stop)
                               : c->reader ? next_of_slow_file(c, frame, captured, stop)
                                           : next_of_file(c, frame, captured, stop);
    if (event != CAMERA_FRAME)
        set_phase(c, ENDED, 0);
    return event;
}

bool camera_is_live(const camera *c) {
    return c->live;
}

double camera_fps(const camera *c) {
    return c->fps;
}

int camera_skipped(const camera *c) {
    return c->skipped;
}

const char *camera_state(camera *c, char text[CAMERA_STATE_SIZE]) {
    pthread_mutex_lock(&c->mutex);
    const double now = seconds_now(), silent = now - c->last_frame, left = c->retry - now;
    if (c->phase == ENDED)
        snprintf(text, CAMERA_STATE_SIZE, "ended");
    else if (c->phase == RECONNECTING)
        snprintf(text, CAMERA_STATE_SIZE, "reconnecting in %.0f s", left > 0 ? left : 0);
    else if (c->live && silent > noticeable)
        snprintf(text, CAMERA_STATE_SIZE, "no frame for %.0f s", silent);
    else
        snprintf(text, CAMERA_STATE_SIZE, "playing");
    pthread_mutex_unlock(&c->mutex);
    return text;
}

bool camera_message(camera *c, gdrq_error *message) {
    pthread_mutex_lock(&c->mutex);
    const bool has = c->has_message;
    if (has)
        *message = c->message;
    c->has_message = false;
    pthread_mutex_unlock(&c->mutex);
    return has;
}

bool camera_close(camera *c) {
    if (!c)
        return true;
    drop_reader(c);
    if (c->file)
        c->file->methods->free(c->file);
    return release(c);
}
