#include "eval/miou.h"

#include "base/status.h"
#include "segment.h"

#include <math.h>

static gdrq_status measure_image(network *net, const char *path, const mask_rules *rules,
                                 confusion *counts, gdrq_error *err) {
    picture p;
    index_picture mask, found;
    gdrq_status status = masked_image_load(path, rules, &p, &mask, err);
    if (status != GDRQ_OK)
        return status;
    status = index_picture_make(p.w, p.h, &found, err);
    if (status == GDRQ_OK)
        status = segment_picture(net, path, &p, found.at, NULL, err);
    if (status == GDRQ_OK)
        confusion_add(counts, mask.at, found.at, (size_t)p.w * (size_t)p.h);
    index_picture_free(&found);
    index_picture_free(&mask);
    picture_free(&p);
    return status;
}

gdrq_status miou_measure(network *net, const image_list *images, const mask_rules *rules,
                         miou_watch *watch, void *user, confusion *counts, gdrq_error *err) {
    gdrq_status status = confusion_make(rules->classes, counts, err);
    if (status == GDRQ_OK)
        status = gdrq_network_ready(net, err);
    for (int i = 0; i < images->n && status == GDRQ_OK; i++) {
        status = measure_image(net, images->paths[i], rules, counts, err);
        if (status == GDRQ_OK && watch && !watch(user, i + 1, images->n))
            status =
                gdrq_fail(err, GDRQ_ERROR_STATE, "stopped after %d of %d images", i + 1, images->n);
    }
    if (status == GDRQ_OK && isnan(confusion_mean_iou(counts)))
        status = gdrq_fail(err, GDRQ_ERROR_FORMAT,
                           "no pixel of the %d images to measure on has a class", images->n);
    if (status != GDRQ_OK)
        confusion_free(counts);
    return status;
}
