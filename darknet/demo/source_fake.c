/*
 * The fake camera of tests and measurements: "fake:" and any of these, separated by commas.
 *
 *     size=640x480   frames=N   then it ends (0: never)   fps=30   0: as fast as they are taken
 *     live=1         0: a file, whose frames wait
 *     stall_at=N     behind frame N none comes for stall=2 seconds
 *     vanish_at=N    behind frame N it is lost, and can't be opened for gone=1 seconds
 *     resize_at=N    frames behind N have resize=320x240
 *
 * Frames are grey ramps with a square that moves; the first pixel is the frame's number (from 1).
 */
#include "demo/source.h"

#include "base/alloc.h"
#include "base/status.h"
#include "seconds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct picture_size {
    int w, h;
} picture_size;

typedef struct fake_plan {
    picture_size size, resize;
    double frames, fps, live;
    double stall_at, stall, vanish_at, gone, resize_at;
} fake_plan;

typedef struct fake_source {
    source base;
    fake_world *world;
    fake_plan plan;
    frame_buffer ground; /* a frame without square and number */
    double due;          /* the next frame's moment; 0: there was none yet */
} fake_source;

static fake_source *fake_of(source *s) {
    return (fake_source *)s;
}

static bool read_size(const char *text, picture_size *size) {
    int end = 0;
    return sscanf(text, "%5dx%5d%n", &size->w, &size->h, &end) == 2 && !text[end] && size->w > 0 &&
           size->h > 0;
}

static bool read_number(const char *text, double *number) {
    char *end;
    *number = strtod(text, &end);
    return end != text && !*end && *number >= 0 && *number <= 1e9;
}

static bool set_value(fake_plan *p, const char *key, const char *value) {
    const struct {
        const char *key;
        double *number;
        picture_size *size;
    } known[] = {
        {"size", NULL, &p->size},
        {"frames", &p->frames, NULL},
        {"fps", &p->fps, NULL},
        {"live", &p->live, NULL},
        {"stall_at", &p->stall_at, NULL},
        {"stall", &p->stall, NULL},
        {"vanish_at", &p->vanish_at, NULL},
        {"gone", &p->gone, NULL},
        {"resize_at", &p->resize_at, NULL},
        {"resize", NULL, &p->resize},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(key, known[i].key))
            return known[i].number ? read_number(value, known[i].number)
                                   : read_size(value, known[i].size);
    return false;
}

static gdrq_status read_plan(const char *text, fake_plan *p, gdrq_error *err) {
    *p = (fake_plan){
        .size = {640, 480}, .resize = {320, 240}, .fps = 30, .live = 1, .stall = 2, .gone = 1};
    char *copy = gdrq_strdup(text), *rest = copy;
    if (!copy)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    gdrq_status status = GDRQ_OK;
    for (char *item; status == GDRQ_OK && (item = strtok_r(rest, ",", &rest));) {
        char *value = strchr(item, '=');
        if (value)
            *value++ = '\0';
        if (!value || !set_value(p, item, value))
            status =
                gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                          "fake:%s: '%s' is no key with a value of the fake camera", text, item);
    }
    free(copy);
    return status;
}

static gdrq_status open_fake(source *s, gdrq_error *err) {
    fake_source *f = fake_of(s);
    pthread_mutex_lock(&f->world->mutex);
    const double back = f->world->back;
    pthread_mutex_unlock(&f->world->mutex);
    if (seconds_now() < back)
        return gdrq_fail(err, GDRQ_ERROR_IO, "%s: there is no camera", s->name);
    s->fps = f->plan.fps;
    return GDRQ_OK;
}

static void sleep_for(double seconds) {
    if (seconds <= 0)
        return;
    const time_t whole = (time_t)seconds;
    const struct timespec span = {.tv_sec = whole,
                                  .tv_nsec = (long)((seconds - (double)whole) * 1e9)};
    nanosleep(&span, NULL);
}

/* Frames come at equal distances, unless none was asked for in time. */
static void wait_for_frame(fake_source *f) {
    const double now = seconds_now();
    if (f->plan.fps <= 0)
        return;
    if (f->due < now - 1)
        f->due = now;
    sleep_for(f->due - now);
    f->due += 1 / f->plan.fps;
}

static gdrq_status paint_ground(frame_buffer *ground, picture_size size, gdrq_error *err) {
    if (ground->picture.w == size.w && ground->picture.h == size.h)
        return GDRQ_OK;
    const gdrq_status status = frame_buffer_size(ground, size.w, size.h, err);
    for (int y = 0; y < size.h && status == GDRQ_OK; y++)
        for (int x = 0; x < size.w; x++)
            memset(ground->picture.data + 3 * ((size_t)y * (size_t)size.w + (size_t)x),
                   (x + y) * 255 / (size.w + size.h), 3);
    return status;
}

static void paint_square(picture *p, unsigned long number) {
    const int side = p->h < p->w ? p->h / 8 : p->w / 8;
    const int left = (int)(number * 4 % (unsigned long)(p->w - side));
    for (int y = p->h / 2; y < p->h / 2 + side; y++)
        memset(p->data + 3 * ((size_t)y * (size_t)p->w + (size_t)left), 220, 3 * (size_t)side);
    for (int i = 0; i < 3; i++)
        p->data[i] = (unsigned char)(number >> 8 * i);
}

static gdrq_status paint(fake_source *f, unsigned long number, frame_buffer *frame,
                         gdrq_error *err) {
    const bool resized = f->plan.resize_at > 0 && (double)number > f->plan.resize_at;
    const picture_size size = resized ? f->plan.resize : f->plan.size;
    gdrq_status status = paint_ground(&f->ground, size, err);
    if (status == GDRQ_OK)
        status = frame_buffer_size(frame, size.w, size.h, err);
    if (status != GDRQ_OK)
        return status;
    memcpy(frame->picture.data, f->ground.picture.data, 3 * (size_t)size.w * (size_t)size.h);
    paint_square(&frame->picture, number);
    return GDRQ_OK;
}

typedef enum incident { NOTHING, STALLS, VANISHES, ENDS } incident;

/* What happens now in place of a frame. The world's mutex is held. */
static incident incident_now(const fake_plan *p, fake_world *w) {
    const double frames = (double)w->frames;
    if (p->frames > 0 && frames >= p->frames)
        return ENDS;
    if (p->vanish_at > 0 && frames >= p->vanish_at && !w->vanished) {
        w->vanished = true;
        w->back = seconds_now() + p->gone;
        return VANISHES;
    }
    if (p->stall_at > 0 && frames >= p->stall_at && !w->stalled) {
        w->stalled = true;
        return STALLS;
    }
    return NOTHING;
}

static source_event next_fake(source *s, frame_buffer *frame, double *captured, gdrq_error *err) {
    fake_source *f = fake_of(s);
    pthread_mutex_lock(&f->world->mutex);
    const incident now = incident_now(&f->plan, f->world);
    pthread_mutex_unlock(&f->world->mutex);
    if (now == ENDS)
        return SOURCE_END;
    if (now == VANISHES) {
        gdrq_fail(err, GDRQ_ERROR_IO, "%s: the camera is gone", s->name);
        return SOURCE_LOST;
    }
    if (now == STALLS)
        sleep_for(f->plan.stall);
    wait_for_frame(f);
    pthread_mutex_lock(&f->world->mutex);
    const unsigned long number = ++f->world->frames;
    pthread_mutex_unlock(&f->world->mutex);
    *captured = seconds_now();
    return paint(f, number, frame, err) == GDRQ_OK ? SOURCE_FRAME : SOURCE_LOST;
}

static void free_fake(source *s) {
    frame_buffer_free(&fake_of(s)->ground);
    free(s);
}

gdrq_status source_fake_make(source_request *request, source **made, gdrq_error *err) {
    static const source_methods methods = {open_fake, next_fake, free_fake};
    fake_plan plan;
    const gdrq_status status = read_plan(request->what + 5, &plan, err);
    if (status != GDRQ_OK)
        return status;
    fake_source *f = gdrq_alloc(1, sizeof *f);
    if (!f)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    f->base = (source){.methods = &methods,
                       .name = request->name,
                       .live = plan.live > 0,
                       .may_block = plan.live > 0 || plan.stall_at > 0};
    f->plan = plan;
    f->world = &request->world;
    *made = &f->base;
    return GDRQ_OK;
}
