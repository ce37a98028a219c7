#include "demo/pipeline.h"

#include "base/alloc.h"
#include "base/status.h"
#include "demo/frame_queue.h"
#include "seconds.h"

#include <omp.h>
#include <stdlib.h>

enum {
    LIVE_CAPACITY = 1, /* of each queue: what waits in one gets old */
    FILE_CAPACITY = 2,
    JPEG_QUALITY = 80,
};

typedef enum stage { CAPTURE, PREPARE, INFER, DRAW, N_STAGES } stage;

/* Queue i lies behind stage i; that of the last one holds the results. */
struct pipeline {
    pipeline_setup setup;
    frame *frames;
    int n_frames;
    frame_queue idle, behind[N_STAGES];
    pthread_t threads[N_STAGES];
    int n_threads;
    atomic_bool stop, drawing;
    atomic_ulong dropped;
    frame last;            /* of the infer stage: size and moment of the frame before */
    pthread_mutex_t mutex; /* of what follows */
    demo_thresholds thresholds;
    gdrq_status status; /* of the first stage that failed */
    gdrq_error error;
};

static void fail(pipeline *p, gdrq_status status, const gdrq_error *err) {
    pthread_mutex_lock(&p->mutex);
    if (p->status == GDRQ_OK) {
        p->status = status;
        p->error = *err;
    }
    pthread_mutex_unlock(&p->mutex);
    atomic_store(&p->stop, true);
}

static gdrq_pixels pixels_of(const picture *p) {
    return (gdrq_pixels){p->data, p->w, p->h, 3 * (size_t)p->w, GDRQ_BGR};
}

static gdrq_status prepare(pipeline *p, frame *f, gdrq_error *err) {
    const demo_task *task = p->setup.task;
    const double start = seconds_now();
    const gdrq_pixels pixels = pixels_of(&f->image.picture);
    const gdrq_status status = gdrq_letterbox_pixels(&pixels, task->w, task->h, f->input, err);
    f->times.prepare = seconds_now() - start;
    return status;
}

/* Seconds between two frames that don't belong together any more. */
static const double gap = 1;

/* How far apart a file's frames are read tells nothing of what they show. */
static bool is_a_new_scene(pipeline *p, const frame *f) {
    frame *last = &p->last;
    const bool late = camera_is_live(p->setup.camera) && f->captured - last->captured > gap;
    const picture *now = &f->image.picture, *before = &last->image.picture;
    const bool is_new = now->w != before->w || now->h != before->h || late;
    last->image.picture = (picture){.w = now->w, .h = now->h};
    last->captured = f->captured;
    return is_new;
}

static gdrq_status infer(pipeline *p, frame *f, gdrq_error *err) {
    demo_task *task = p->setup.task;
    const double start = seconds_now();
    if (is_a_new_scene(p, f))
        task->forget(task);
    const gdrq_pixels fitted = {f->input, task->w, task->h, 3 * (size_t)task->w, GDRQ_RGB};
    pthread_mutex_lock(&p->mutex);
    const demo_thresholds thresholds = p->thresholds;
    pthread_mutex_unlock(&p->mutex);
    const gdrq_status status = task->infer(task, &fitted, f->image.picture.w, f->image.picture.h,
                                           thresholds, &f->result, &f->times.network, err);
    f->times.infer = seconds_now() - start;
    return status;
}

static gdrq_status draw(pipeline *p, frame *f, gdrq_error *err) {
    demo_task *task = p->setup.task;
    const double start = seconds_now();
    const bool jpeg = p->setup.wants_jpeg && p->setup.wants_jpeg(p->setup.user);
    gdrq_status status = GDRQ_OK;
    f->jpeg.n = 0;
    f->drawn = jpeg || atomic_load(&p->drawing);
    if (f->drawn)
        status = task->draw(task, &f->result, &f->image.picture, err);
    if (status == GDRQ_OK && jpeg)
        status = jpeg_encode(&f->image.picture, JPEG_QUALITY, &f->jpeg, err);
    f->times.draw = seconds_now() - start;
    return status;
}

static void drop(pipeline *p, frame *f) {
    if (!f)
        return;
    p->dropped++;
    frame_queue_push(&p->idle, f);
}

/* Into the queue behind a stage. There are frames enough for all queues: `idle` is never full. */
static void pass_on(pipeline *p, stage from, frame *f) {
    if (camera_is_live(p->setup.camera))
        drop(p, frame_queue_push_newest(&p->behind[from], f));
    else
        frame_queue_push(&p->behind[from], f);
}

/* Once it is stopped the network has no more work; what it has done is still drawn. After a failure
   of a stage the frames that come to it are only let through. */
static void work(pipeline *p, stage which,
                 gdrq_status (*do_it)(pipeline *p, frame *f, gdrq_error *err)) {
    gdrq_error err = {""};
    bool failed = false;
    for (frame *f; (f = frame_queue_take(&p->behind[which - 1]));) {
        if (which <= INFER && atomic_load(&p->stop)) {
            frame_queue_push(&p->idle, f);
            continue;
        }
        const gdrq_status status = failed ? GDRQ_OK : do_it(p, f, &err);
        if (status != GDRQ_OK) {
            failed = true;
            fail(p, status, &err);
        }
        if (failed)
            frame_queue_push(&p->idle, f);
        else
            pass_on(p, which, f);
    }
    frame_queue_close(&p->behind[which]);
}

/* The threads of the network's team are all that may compute side by side: the other stages would
   only take the cores from them. */
static void stay_single(void) {
    omp_set_num_threads(1);
}

/* False: there are no more. Those that are left out are read into the same memory. */
static bool capture_one(pipeline *p, unsigned long *number, frame *f) {
    const unsigned long wanted = *number ? *number + (unsigned long)p->setup.skip + 1 : 1;
    for (; *number < wanted; ++*number)
        if (camera_next(p->setup.camera, &f->image, &f->captured, &p->stop) != CAMERA_FRAME)
            return false;
    f->number = wanted;
    return true;
}

static void *capture_all(void *user) {
    pipeline *p = user;
    unsigned long number = 0;
    stay_single();
    for (frame *f; (f = frame_queue_take(&p->idle));) {
        if (!capture_one(p, &number, f)) {
            frame_queue_push(&p->idle, f);
            break;
        }
        pass_on(p, CAPTURE, f);
    }
    frame_queue_close(&p->behind[CAPTURE]);
    return NULL;
}

static void *prepare_all(void *user) {
    stay_single();
    work(user, PREPARE, prepare);
    return NULL;
}

static void *infer_all(void *user) {
    work(user, INFER, infer);
    return NULL;
}

static void *draw_all(void *user) {
    stay_single();
    work(user, DRAW, draw);
    return NULL;
}

static void free_all(pipeline *p) {
    for (int i = 0; i < p->n_frames && p->frames; i++) {
        frame_buffer_free(&p->frames[i].image);
        demo_result_free(&p->frames[i].result);
        jpeg_free(&p->frames[i].jpeg);
        free(p->frames[i].input);
    }
    free(p->frames);
    frame_queue_free(&p->idle);
    for (int i = 0; i < N_STAGES; i++)
        frame_queue_free(&p->behind[i]);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

/* One for each place in a queue and in each hand: the stages' and the caller's, who may keep one
   while another is taken. */
static gdrq_status make_frames(pipeline *p, int capacity, gdrq_error *err) {
    const size_t bytes = 3 * (size_t)p->setup.task->w * (size_t)p->setup.task->h;
    p->n_frames = N_STAGES * capacity + N_STAGES + 2;
    p->frames = gdrq_alloc((size_t)p->n_frames, sizeof *p->frames);
    gdrq_status status = frame_queue_open(&p->idle, p->n_frames, err);
    for (int i = 0; i < N_STAGES && status == GDRQ_OK; i++)
        status = frame_queue_open(&p->behind[i], capacity, err);
    for (int i = 0; i < p->n_frames && p->frames && status == GDRQ_OK; i++) {
        p->frames[i].input = gdrq_alloc(bytes, 1);
        if (!p->frames[i].input)
            status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for frames");
        else
            frame_queue_push(&p->idle, &p->frames[i]);
    }
    return status != GDRQ_OK || p->frames
               ? status
               : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for frames");
}

static gdrq_status start_threads(pipeline *p, gdrq_error *err) {
    void *(*const stages[N_STAGES])(void *) = {capture_all, prepare_all, infer_all, draw_all};
    for (; p->n_threads < N_STAGES; p->n_threads++)
        if (pthread_create(&p->threads[p->n_threads], NULL, stages[p->n_threads], p) != 0)
            return gdrq_fail(err, GDRQ_ERROR_MEMORY, "can't start the threads of the pipeline");
    return GDRQ_OK;
}

gdrq_status pipeline_start(const pipeline_setup *setup, pipeline **started, gdrq_error *err) {
    *started = NULL;
    pipeline *p = gdrq_alloc(1, sizeof *p);
    if (!p)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    p->setup = *setup;
    p->thresholds = setup->thresholds;
    pthread_mutex_init(&p->mutex, NULL);
    gdrq_status status =
        make_frames(p, camera_is_live(setup->camera) ? LIVE_CAPACITY : FILE_CAPACITY, err);
    if (status != GDRQ_OK) {
        free_all(p);
        return status;
    }
    status = start_threads(p, err);
    if (status != GDRQ_OK)
        pipeline_end(p, NULL);
    else
        *started = p;
    return status;
}

frame *pipeline_next(pipeline *p, double seconds, bool *ended) {
    frame *f = frame_queue_pop(&p->behind[DRAW], seconds, ended);
    if (f)
        f->done = seconds_now();
    return f;
}

void pipeline_give_back(pipeline *p, frame *f) {
    frame_queue_push(&p->idle, f);
}

void pipeline_set_thresholds(pipeline *p, demo_thresholds thresholds) {
    pthread_mutex_lock(&p->mutex);
    p->thresholds = thresholds;
    pthread_mutex_unlock(&p->mutex);
}

void pipeline_want(pipeline *p, bool drawing) {
    atomic_store(&p->drawing, drawing);
}

unsigned long pipeline_dropped(const pipeline *p) {
    return p->dropped;
}

void pipeline_stop(pipeline *p) {
    atomic_store(&p->stop, true);
}

/* Threads that wait for a place, or for a frame of a stage that never started, see closed queues.
 */
gdrq_status pipeline_end(pipeline *p, gdrq_error *err) {
    pipeline_stop(p);
    for (int i = 0; i < N_STAGES; i++)
        frame_queue_close(&p->behind[i]);
    frame_queue_close(&p->idle);
    for (int i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    const gdrq_status status = p->status;
    if (status != GDRQ_OK && err)
        *err = p->error;
    free_all(p);
    return status;
}
