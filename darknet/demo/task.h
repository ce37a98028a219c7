/*
 * What is done with frames: detecting, classifying, segmenting, or what a test puts in its place.
 * infer is called on one thread and draw on another; put_json and print on a third, all on
 * different results at a time.
 */
#ifndef DARKNET_DEMO_TASK_H
#define DARKNET_DEMO_TASK_H

#include <stdio.h>

#include "demo/result.h"
#include "image/picture.h"

typedef struct demo_task demo_task;

typedef struct demo_thresholds {
    float thresh, hier;
} demo_thresholds;

struct demo_task {
    int w, h; /* of the network's input */
    /*
     * Finds what is in a frame of frame_w x frame_h that gdrq_letterbox_pixels() fitted into w x h.
     * *seconds receives the network's own time.
     */
    gdrq_status (*infer)(demo_task *task, const gdrq_pixels *fitted, int frame_w, int frame_h,
                         demo_thresholds thresholds, demo_result *result, double *seconds,
                         gdrq_error *err);
    /* The frames before have nothing to do with those that follow. */
    void (*forget)(demo_task *task);
    gdrq_status (*draw)(demo_task *task, const demo_result *result, picture *p, gdrq_error *err);
    /* A key and its array: "objects", or "classes" of pixels. */
    void (*put_json)(demo_task *task, const demo_result *result, int w, int h, FILE *out);
    void (*print)(demo_task *task, const demo_result *result, const picture *p);
    void (*free)(demo_task *task);
};

/*
 * What opening a task ends with, as far as it came: the task with these functions, for the input of
 * a network, or the status of its failure and nothing left of it.
 */
gdrq_status demo_task_opened(gdrq_status status, const demo_task *functions, const network *net,
                             demo_task *opened, demo_task **task);

/*
 * With the mean of the outputs of the last `average` frames, boxes or classes come from these. The
 * network must be ready; all files are checked and read.
 */
gdrq_status detector_task_open(const char *data, const char *cfg, const char *weights, int average,
                               demo_task **task, gdrq_error *err);
/* top: how many classes are told; 0: top= of the data file, or 1 */
gdrq_status classifier_task_open(const char *data, const char *cfg, const char *weights,
                                 int average, int top, demo_task **task, gdrq_error *err);
gdrq_status segmenter_task_open(const char *data, const char *cfg, const char *weights,
                                float opacity, demo_task **task, gdrq_error *err);

#endif
