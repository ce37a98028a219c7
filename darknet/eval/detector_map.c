#include "eval/detector_map.h"

#include "base/status.h"
#include "detect.h"

#include <math.h>

/* Upstream's threshold for results that are to be ranked. */
static const float least_score = .005f;

static gdrq_status add_truths(map_eval *eval, int image, const label_list *list, const picture *p,
                              gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < list->n && status == GDRQ_OK; i++) {
        const label *t = &list->labels[i];
        const map_box box = {(t->x - t->w / 2.) * p->w, (t->y - t->h / 2.) * p->h,
                             (double)t->w * p->w, (double)t->h * p->h};
        status = map_add_truth(eval, image, t->class_id, &box, err);
    }
    return status;
}

/* In pixels, cut off at the picture's edges as upstream does for its results. */
static map_box pixel_box(const box *b, const picture *p) {
    const double left = fmax((b->x - b->w / 2.) * p->w, 0),
                 top = fmax((b->y - b->h / 2.) * p->h, 0);
    const double right = fmin((b->x + b->w / 2.) * p->w, p->w);
    const double bottom = fmin((b->y + b->h / 2.) * p->h, p->h);
    return (map_box){left, top, fmax(right - left, 0), fmax(bottom - top, 0)};
}

static gdrq_status add_detections(map_eval *eval, int image, const detections *found, int classes,
                                  const picture *p, gdrq_error *err) {
    for (int i = 0; i < found->n; i++) {
        const detection *d = &found->at[i];
        if (!detection_is_finite(d))
            continue;
        const map_box box = pixel_box(&d->bbox, p);
        for (int class_id = 0; class_id < classes; class_id++) {
            if (!(d->prob[class_id] > 0))
                continue;
            const gdrq_status status =
                map_add_detection(eval, image, class_id, d->prob[class_id], &box, err);
            if (status != GDRQ_OK)
                return status;
        }
    }
    return GDRQ_OK;
}

static gdrq_status add_image(map_eval *eval, network *net, int image, const char *path,
                             const label_list *labels, int classes, gdrq_error *err) {
    picture p;
    detections found = {0};
    gdrq_status status = picture_load(path, &p, err);
    if (status == GDRQ_OK)
        status = add_truths(eval, image, labels, &p, err);
    if (status == GDRQ_OK)
        status = detect_picture(net, &p, least_score, .5f, &found, err);
    if (status == GDRQ_OK)
        status = add_detections(eval, image, &found, classes, &p, err);
    detections_free(&found);
    picture_free(&p);
    return status;
}

gdrq_status detector_measure(network *net, const labelled_images *images, int classes,
                             const map_options *options, detector_measure_progress *progress,
                             void *user, map_result *result, gdrq_error *err) {
    *result = (map_result){0};
    if (!labelled_images_objects(images))
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "no image of the valid list has an object: mAP is not defined");
    map_eval *eval = NULL;
    const int n = images->list.n;
    gdrq_status status = gdrq_network_ready(net, err);
    if (status == GDRQ_OK)
        status = map_begin(classes, &eval, err);
    for (int i = 0; i < n && status == GDRQ_OK; i++) {
        status = add_image(eval, net, i, images->list.paths[i], &images->labels[i], classes, err);
        if (status == GDRQ_OK && progress && !progress(user, i + 1, n))
            status = gdrq_fail(err, GDRQ_ERROR_STATE, "stopped after %d of %d images", i + 1, n);
    }
    if (status == GDRQ_OK)
        status = map_finish(eval, options, result, err);
    map_free(eval);
    return status;
}
