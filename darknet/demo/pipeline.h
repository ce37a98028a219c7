/*
 * From a camera's frames to what is found in them, on four threads (capture, prepare, infer, draw)
 * and the caller's, which takes the results in order. Between two of them lies a bounded queue, in
 * which a live source's newest frame replaces those that wait; all frames of a file are kept, and
 * the slowest stage sets the pace. Frames are allocated once and go round.
 */
#ifndef DARKNET_DEMO_PIPELINE_H
#define DARKNET_DEMO_PIPELINE_H

#include "demo/camera.h"
#include "demo/frame.h"
#include "demo/task.h"

typedef struct pipeline pipeline;

typedef struct pipeline_setup {
    camera *camera;
    demo_task *task;
    int skip; /* frames of the source that are left out after each one */
    demo_thresholds thresholds;
    /* Whether a frame that is being drawn shall be encoded, too; NULL: never. Called by the drawing
       thread. */
    bool (*wants_jpeg)(void *user);
    void *user;
} pipeline_setup;

/* Camera and task stay the caller's, who leaves them alone until pipeline_end(). */
gdrq_status pipeline_start(const pipeline_setup *setup, pipeline **started, gdrq_error *err);

/* The next result, waiting `seconds` at most; NULL: not yet or, with *ended, never again. */
frame *pipeline_next(pipeline *p, double seconds, bool *ended);

/* Every frame must come back, the first of two at the latest with the next; its memory is used
   again. */
void pipeline_give_back(pipeline *p, frame *frame);

/* Any time: what scores must be above, and whether frames shall be drawn on; those that are encoded
   are, anyhow. */
void pipeline_set_thresholds(pipeline *p, demo_thresholds thresholds);
void pipeline_want(pipeline *p, bool drawing);

/* Frames that a live source gave and that the network, or the caller, had no time for. */
unsigned long pipeline_dropped(const pipeline *p);

/* No more frames are captured, nor given to the network; those that it has had still come. */
void pipeline_stop(pipeline *p);

/* Stops, waits for the threads and frees all. Returns the first error of a stage. */
gdrq_status pipeline_end(pipeline *p, gdrq_error *err);

#endif
