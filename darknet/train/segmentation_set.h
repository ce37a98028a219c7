/* The samples of a segmentation training: pictures and masks augmented alike. */
#ifndef DARKNET_TRAIN_SEGMENTATION_SET_H
#define DARKNET_TRAIN_SEGMENTATION_SET_H

#include "data/masked_images.h"
#include "train/augment_crop.h"
#include "train/loader.h"

typedef struct segmentation_set {
    image_list images;
    mask_rules rules;
    crop_options augment;
    int w, h; /* of the network's output: truth has a class per pixel of it */
} segmentation_set;

/*
 * Makes samples for a loader of `images` whose user is a segmentation_set. The picture lies on the
 * grey that the letterbox has at inference. The truth is the class of the mask's nearest pixel, -1
 * where it is void or lies outside.
 */
loader_make segmentation_sample;

#endif
