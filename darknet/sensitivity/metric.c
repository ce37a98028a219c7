#include "sensitivity/metric.h"

#include "base/alloc.h"
#include "base/status.h"
#include "classifier.h"
#include "eval/detector_map.h"
#include "eval/topk.h"

#include <stdlib.h>

struct metric {
    bool detector; /* else a classifier */
    int classes;
    data_cfg data;
    labelled_images labelled;     /* of a detector */
    classified_images classified; /* of a classifier */
};

static gdrq_status read_labelled(metric *m, gdrq_error *err) {
    const char *valid;
    const gdrq_status status = data_cfg_require(&m->data, "valid", &valid, err);
    return status == GDRQ_OK ? labelled_images_read(valid, m->classes, &m->labelled, err) : status;
}

static gdrq_status read_classified(metric *m, network *net, gdrq_error *err) {
    const classifier c = {.data = m->data, .net = net, .classes = m->classes};
    return classifier_images(&c, "valid", &m->classified, err);
}

static gdrq_status find_kind(metric *m, const network *net, const char *cfg_path, gdrq_error *err) {
    const layer *last = &net->layers[net->n - 1];
    m->detector = last->type == YOLO || last->type == REGION;
    m->classes = m->detector ? last->classes : net->outputs;
    if (m->detector || last->type == SOFTMAX || last->type == LOGXENT || last->type == COST)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%s: has no metric: its last section must be [yolo] or [region] of a "
                     "detector, or [softmax], [logistic] or [cost] of a classifier",
                     cfg_path);
}

static gdrq_status read_data(metric *m, const char *data_path, network *net, gdrq_error *err) {
    const gdrq_status status = data_cfg_read(data_path, &m->data, err);
    if (status != GDRQ_OK)
        return status;
    return m->detector ? read_labelled(m, err) : read_classified(m, net, err);
}

gdrq_status metric_open(const char *data_path, const char *cfg_path, network *net, metric **out,
                        gdrq_error *err) {
    metric *m = *out = gdrq_alloc(1, sizeof *m);
    if (!m)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    const gdrq_status status = find_kind(m, net, cfg_path, err);
    return status == GDRQ_OK ? read_data(m, data_path, net, err) : status;
}

const char *metric_name(const metric *m) {
    return m->detector ? "mAP@0.50" : "top-1";
}

int metric_images(const metric *m) {
    return m->detector ? m->labelled.list.n : m->classified.list.n;
}

typedef struct watch {
    metric_progress *progress;
    void *user;
} watch;

static bool after_detection(void *user, int done, int total) {
    (void)done;
    (void)total;
    const watch *w = user;
    return w->progress(w->user);
}

static bool after_classification(void *user, const topk_step *step) {
    return after_detection(user, step->r->images, step->total);
}

static gdrq_status measure_detector(const metric *m, network *net, watch *w, double *points,
                                    gdrq_error *err) {
    const map_options options = {.method = MAP_COCO, .confidence = .25};
    map_result result;
    const gdrq_status status =
        detector_measure(net, &m->labelled, m->classes, &options, after_detection, w, &result, err);
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

gdrq_status metric_measure(const metric *m, network *net, metric_progress *progress, void *user,
                           double *points, gdrq_error *err) {
    watch w = {progress, user};
    return (m->detector ? measure_detector : measure_classifier)(m, net, &w, points, err);
}

void metric_free(metric *m) {
    if (!m)
        return;
    labelled_images_free(&m->labelled);
    classified_images_free(&m->classified);
    data_cfg_free(&m->data);
    free(m);
}
