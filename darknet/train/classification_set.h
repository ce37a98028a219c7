/* The samples of a classification training: pictures augmented by train/augment_crop.h. */
#ifndef DARKNET_TRAIN_CLASSIFICATION_SET_H
#define DARKNET_TRAIN_CLASSIFICATION_SET_H

#include "darknet.h"
#include "data/class_labels.h"
#include "train/augment_crop.h"
#include "train/loader.h"

typedef struct classification_set {
    classified_images images;
    const tree *hierarchy; /* borrowed; NULL: classes have no tree */
    crop_options augment;
} classification_set;

/*
 * Makes samples for a loader of images.list whose user is a classification_set. The truth is 1 for
 * the class, or that of the hierarchy (class_tree_truth()).
 */
loader_make classification_sample;

#endif
