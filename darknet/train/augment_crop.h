/*
 * Augmentation for classification and segmentation, after upstream's: the picture is turned and its
 * proportions change, it is scaled so that its shorter side has a random length, a random part of
 * it of the size of the network's input is cut out, its colours change in HSV, and half of the time
 * it is mirrored.
 */
#ifndef DARKNET_TRAIN_AUGMENT_CROP_H
#define DARKNET_TRAIN_AUGMENT_CROP_H

#include "image/warp.h"
#include "train/augment_colours.h"
#include "train/random.h"

/* As in [net]. 0, 1, 1, 1, false, 0, 1, 1, 0 cut a random part of the largest possible size. */
typedef struct crop_options {
    float angle;                /* degrees, either way */
    float aspect;               /* > 0; factor, up to which or whose inverse */
    float min_ratio, max_ratio; /* > 0; shorter side, in lengths of the network's input */
    bool center;                /* none of the above: the largest part in the middle */
    float hue, saturation, exposure;
    int max_shift; /* >= 0; whole pixels of the result, up to which a random part moves on, either
                      way and past the picture's edges */
} crop_options;

/* What happens to one picture. */
typedef struct crop_plan {
    int net_w, net_h; /* of the result */
    picture_map map;
    unsigned char ground; /* grey level where there is no picture; 0 as upstream's */
    bool mirrored;        /* afterwards */
    colour_change colours;
} crop_plan;

/* Draws a plan for a picture of w x h pixels. */
crop_plan crop_draw(random_stream *random, const crop_options *options, int w, int h, int net_w,
                    int net_h);

/* codes: 3 * net_h * net_w, planar RGB. */
gdrq_status crop_picture(const crop_plan *plan, const picture *in, unsigned char *codes,
                         gdrq_error *err);

#endif
