#include "sensitivity/metric.h"

#include "base/alloc.h"
#include "base/status.h"
#include "classifier.h"
#include "detect.h"
#include "detector.h"
#include "eval/detector_map.h"
#include "eval/topk.h"

#include <stdlib.h>

struct metric {
    bool is_detector; /* else it is a classifier */
    detector detector;
    classifier classifier;
    labelled_images labelled;     /* of a detector */
    classified_images classified; /* of a classifier */
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

gdrq_status metric_open(const char *data_path, const char *cfg_path, network *net, metric **out,
                        gdrq_error *err) {
    metric *m = *out = gdrq_alloc(1, sizeof *m);
    if (!m)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    m->is_detector = is_detector(net);
    return (m->is_detector ? open_detector : open_classifier)(m, data_path, cfg_path, net, err);
}

const char *metric_name(const metric *m) {
    return m->is_detector ? "mAP@0.50" : "top-1";
}

int metric_images(const metric *m) {
    return m->is_detector ? m->labelled.list.n : m->classified.list.n;
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
    const gdrq_status status = detector_measure(net, &m->labelled, m->detector.classes, &options,
                                                after_detection, w, &result, err);
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
    return (m->is_detector ? measure_detector : measure_classifier)(m, net, &w, points, err);
}

void metric_free(metric *m) {
    if (!m)
        return;
    labelled_images_free(&m->labelled);
    classified_images_free(&m->classified);
    detector_leave(&m->detector);
    classifier_leave(&m->classifier);
    free(m);
}
