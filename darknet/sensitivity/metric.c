#include "sensitivity/metric.h"

#include "base/alloc.h"
#include "base/status.h"
#include "classifier.h"
#include "detector.h"
#include "eval/detector_map.h"
#include "eval/miou.h"
#include "eval/topk.h"
#include "segmenter.h"
#include "task.h"

#include <stdlib.h>

struct metric {
    task task;
    detector detector;
    classifier classifier;
    segmenter segmenter;
    labelled_images labelled;     /* of a detector */
    classified_images classified; /* of a classifier */
    image_list masked;            /* of a segmenter */
};

static gdrq_status open_detector(metric *m, const char *data_path, const char *cfg_path,
                                 network *net, gdrq_error *err) {
    detector *d = &m->detector;
    const char *valid;
    gdrq_status status = detector_of(data_path, cfg_path, net, d, err);
    if (status == GDRQ_OK)
        status = data_cfg_require(&d->data, "valid", &valid, err);
    return status == GDRQ_OK ? labelled_images_read(valid, d->classes, &m->labelled, err) : status;
}

static gdrq_status open_classifier(metric *m, const char *data_path, const char *cfg_path,
                                   network *net, gdrq_error *err) {
    const gdrq_status status = classifier_of(data_path, cfg_path, net, &m->classifier, err);
    return status == GDRQ_OK ? classifier_images(&m->classifier, "valid", &m->classified, err)
                             : status;
}

static gdrq_status open_segmenter(metric *m, const char *data_path, const char *cfg_path,
                                  network *net, gdrq_error *err) {
    const gdrq_status status = segmenter_of(data_path, cfg_path, net, &m->segmenter, err);
    return status == GDRQ_OK ? segmenter_images(&m->segmenter, "valid", &m->masked, err) : status;
}

typedef gdrq_status open_task(metric *m, const char *data_path, const char *cfg_path, network *net,
                              gdrq_error *err);

gdrq_status metric_open(const char *data_path, const char *cfg_path, network *net, metric **out,
                        gdrq_error *err) {
    metric *m = *out = gdrq_alloc(1, sizeof *m);
    if (!m)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    static open_task *const ways[] = {[TASK_DETECT] = open_detector,
                                      [TASK_CLASSIFY] = open_classifier,
                                      [TASK_SEGMENT] = open_segmenter};
    m->task = task_of(net);
    return ways[m->task](m, data_path, cfg_path, net, err);
}

const char *metric_name(const metric *m) {
    static const char *const names[] = {
        [TASK_DETECT] = "mAP@0.50", [TASK_CLASSIFY] = "top-1", [TASK_SEGMENT] = "mIoU"};
    return names[m->task];
}

int metric_images(const metric *m) {
    const int n[] = {[TASK_DETECT] = m->labelled.list.n,
                     [TASK_CLASSIFY] = m->classified.list.n,
                     [TASK_SEGMENT] = m->masked.n};
    return n[m->task];
}

typedef struct watch {
    metric_progress *progress;
    void *user;
} watch;

static bool after_image(void *user, int done, int total) {
    (void)done;
    (void)total;
    const watch *w = user;
    return w->progress(w->user);
}

static bool after_classification(void *user, const topk_step *step) {
    return after_image(user, step->r->images, step->total);
}

static gdrq_status measure_detector(const metric *m, network *net, watch *w, double *points,
                                    gdrq_error *err) {
    const map_options options = {.method = MAP_COCO, .confidence = .25};
    map_result result;
    const gdrq_status status = detector_measure(net, &m->labelled, m->detector.classes, &options,
                                                after_image, w, &result, err);
    *points = 100 * result.map50;
    map_result_free(&result);
    return status;
}

static gdrq_status measure_classifier(const metric *m, network *net, watch *w, double *points,
                                      gdrq_error *err) {
    topk_result result = {0};
    const gdrq_status status =
        topk_measure(net, &m->classified, 1, after_classification, w, &result, err);
    if (status == GDRQ_OK)
        *points = 100 * topk_first(&result);
    return status;
}

static gdrq_status measure_segmenter(const metric *m, network *net, watch *w, double *points,
                                     gdrq_error *err) {
    confusion counts;
    const gdrq_status status =
        miou_measure(net, &m->masked, &m->segmenter.rules, after_image, w, &counts, err);
    if (status == GDRQ_OK)
        *points = 100 * confusion_mean_iou(&counts);
    confusion_free(&counts);
    return status;
}

typedef gdrq_status measure_task(const metric *m, network *net, watch *w, double *points,
                                 gdrq_error *err);

gdrq_status metric_measure(const metric *m, network *net, metric_progress *progress, void *user,
                           double *points, gdrq_error *err) {
    static measure_task *const ways[] = {[TASK_DETECT] = measure_detector,
                                         [TASK_CLASSIFY] = measure_classifier,
                                         [TASK_SEGMENT] = measure_segmenter};
    watch w = {progress, user};
    return ways[m->task](m, net, &w, points, err);
}

void metric_free(metric *m) {
    if (!m)
        return;
    labelled_images_free(&m->labelled);
    classified_images_free(&m->classified);
    detector_leave(&m->detector);
    image_list_free(&m->masked);
    classifier_leave(&m->classifier);
    segmenter_leave(&m->segmenter);
    free(m);
}
