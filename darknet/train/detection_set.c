#include "train/detection_set.h"

#include "base/alloc.h"
#include "base/status.h"
#include "data/labels.h"

#include <stdlib.h>

static gdrq_status read_boxes(const char *path, int classes, detection_boxes *out,
                              gdrq_error *err) {
    label_list labels;
    const gdrq_status status = labels_read_for(path, classes, &labels, err);
    if (status != GDRQ_OK)
        return status;
    augment_box *boxes = gdrq_alloc((size_t)labels.n, sizeof *boxes);
    *out = (detection_boxes){boxes, boxes ? labels.n : 0};
    for (int i = 0; i < out->n; i++) {
        const label *l = &labels.labels[i];
        boxes[i] = (augment_box){l->class_id, l->x, l->y, l->w, l->h};
    }
    labels_free(&labels);
    return boxes ? GDRQ_OK
                 : gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory for its labels", path);
}

gdrq_status detection_set_read(const char *list_path, int classes, detection_set *set,
                               gdrq_error *err) {
    *set = (detection_set){0};
    gdrq_status status = image_list_read(list_path, &set->list, err);
    if (status == GDRQ_OK)
        status = labels_check_all(&set->list, classes, NULL, NULL, err);
    if (status == GDRQ_OK) {
        set->boxes = gdrq_alloc((size_t)set->list.n, sizeof *set->boxes);
        if (!set->boxes)
            status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", list_path);
    }
    for (int i = 0; i < set->list.n && status == GDRQ_OK; i++)
        status = read_boxes(set->list.paths[i], classes, &set->boxes[i], err);
    if (status != GDRQ_OK)
        detection_set_free(set);
    return status;
}

void detection_set_free(detection_set *set) {
    for (int i = 0; set->boxes && i < set->list.n; i++)
        free((void *)set->boxes[i].at);
    free(set->boxes);
    image_list_free(&set->list);
    *set = (detection_set){0};
}
