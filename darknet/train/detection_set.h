/* The labelled images of a detection training, checked and with their labels in memory. */
#ifndef DARKNET_TRAIN_DETECTION_SET_H
#define DARKNET_TRAIN_DETECTION_SET_H

#include "data/image_list.h"
#include "train/detection_samples.h"

typedef struct detection_set {
    image_list list;
    detection_boxes *boxes; /* of list.paths[i] */
} detection_set;

/* Every image must exist and have a good label file. On failure *set is empty. */
gdrq_status detection_set_read(const char *list_path, int classes, detection_set *set,
                               gdrq_error *err);

void detection_set_free(detection_set *set);

#endif
