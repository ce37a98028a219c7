/* The samples of a detection training: pictures augmented by train/augment.h, with their boxes. */
#ifndef DARKNET_TRAIN_DETECTION_SAMPLES_H
#define DARKNET_TRAIN_DETECTION_SAMPLES_H

#include "train/augment.h"
#include "train/loader.h"

/* The objects of an image, as its label file has them. */
typedef struct detection_boxes {
    const augment_box *at;
    int n;
} detection_boxes;

typedef struct detection_samples {
    const detection_boxes *boxes; /* of each image of the loader; borrowed */
    augment_options augment;
    int max_boxes; /* per sample; 5 * max_boxes <= loader_options.truths */
} detection_samples;

/*
 * Makes samples for a loader whose user is a detection_samples. The truth is x, y, w, h, class per
 * box.
 */
loader_make detection_sample;

#endif
