#include "demo/task.h"

#include "base/alloc.h"
#include "base/status.h"
#include "demo/average.h"
#include "detector.h"
#include "results/json_object.h"
#include "results/print_detections.h"

#include <stdlib.h>

typedef struct detector_task {
    demo_task base;
    detector detector;
    average average;
    gdrq_boxes *boxes;
} detector_task;

static detector_task *task_of(demo_task *t) {
    return (detector_task *)t;
}

static gdrq_status infer(demo_task *base, const gdrq_pixels *fitted, int frame_w, int frame_h,
                         demo_thresholds thresholds, demo_result *result, double *seconds,
                         gdrq_error *err) {
    detector_task *t = task_of(base);
    network *net = t->detector.net;
    const gdrq_box_options options = {
        .thresh = thresholds.thresh, .hier = thresholds.hier, .nms = detect_nms};
    detection *found;
    int n;
    gdrq_status status = gdrq_network_predict_pixels(net, fitted, seconds, err);
    if (status != GDRQ_OK)
        return status;
    average_apply(&t->average);
    status = gdrq_network_boxes(net, frame_w, frame_h, &options, t->boxes, &found, &n, err);
    return status == GDRQ_OK ? demo_result_keep_boxes(result, found, n, thresholds.thresh, err)
                             : status;
}

static void forget(demo_task *base) {
    average_forget(&task_of(base)->average);
}

static detections view(const demo_result *result) {
    return (detections){.at = result->boxes, .n = result->n_boxes};
}

static gdrq_status draw(demo_task *base, const demo_result *result, picture *p, gdrq_error *err) {
    const detector *d = &task_of(base)->detector;
    const detections found = view(result);
    return detections_draw(&found, &d->names, d->classes, result->thresh, p, err);
}

static void put_json(demo_task *base, const demo_result *result, int w, int h, FILE *out) {
    const detector *d = &task_of(base)->detector;
    demo_cut cut = demo_result_cut(result);
    const char *comma = "";
    fputs("\"objects\":[", out);
    for (int i = 0; i < result->n_boxes; i++)
        for (int k = 0; k < d->classes; k++) {
            const detection *found = &result->boxes[i];
            if (!demo_cut_keeps(&cut, found->prob[k]))
                continue;
            fputs(comma, out);
            json_put_object(out, &found->bbox, k, d->names.names[k], found->prob[k], w, h);
            comma = ",";
        }
    putc(']', out);
}

static void print(demo_task *base, const demo_result *result, const picture *p) {
    const detector *d = &task_of(base)->detector;
    const detections found = view(result);
    detections_print(&found, &d->names, d->classes, result->thresh, p);
}

static void free_task(demo_task *base) {
    detector_task *t = task_of(base);
    average_free(&t->average);
    gdrq_boxes_free(t->boxes);
    detector_close(&t->detector);
    free(t);
}

static const demo_task functions = {.infer = infer,
                                    .forget = forget,
                                    .draw = draw,
                                    .put_json = put_json,
                                    .print = print,
                                    .free = free_task};

gdrq_status detector_task_open(const char *data, const char *cfg, const char *weights,
                               int average_frames, demo_task **task, gdrq_error *err) {
    *task = NULL;
    detector_task *t = gdrq_alloc(1, sizeof *t);
    if (!t)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    gdrq_status status = detector_open_trained(data, cfg, weights, &t->detector, err);
    if (status == GDRQ_OK)
        status = average_open(&t->average, t->detector.net, average_frames, err);
    t->boxes = gdrq_boxes_new();
    if (status == GDRQ_OK && !t->boxes)
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for boxes");
    return demo_task_opened(status, &functions, t->detector.net, &t->base, task);
}
