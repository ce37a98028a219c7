/*
 * Augmentation for detection, after upstream's: the picture's proportions change by up to `jitter`,
 * it is scaled to fit the network's input and put at a random place on a grey ground, its colours
 * change in HSV, and half of the time it is mirrored; the boxes follow.
 */
#ifndef DARKNET_TRAIN_AUGMENT_H
#define DARKNET_TRAIN_AUGMENT_H

#include "image/picture.h"
#include "train/random.h"

/* As in the cfg: jitter of the last layer, the others of [net]. 0, 0, 1, 1 change nothing. */
typedef struct augment_options {
    float jitter;
    float hue;                  /* of a full circle */
    float saturation, exposure; /* factors, up to which or whose inverse */
} augment_options;

/* What happens to one picture. */
typedef struct augment_plan {
    int net_w, net_h;        /* of the result */
    int x, y, w, h;          /* where the scaled picture lies on it; may reach beyond its edges */
    bool mirrored;           /* afterwards */
    float hue;               /* is added; in full circles, [0, 1] */
    float saturation, value; /* factors */
} augment_plan;

/* A box in fractions of the picture's sides: centre and size. */
typedef struct augment_box {
    int id;
    float x, y, w, h;
} augment_box;

/* Draws a plan for a picture of w x h pixels. */
augment_plan augment_draw(random_stream *random, const augment_options *options, int w, int h,
                          int net_w, int net_h);

/* codes: 3 * net_h * net_w, planar RGB. */
gdrq_status augment_picture(const augment_plan *plan, const picture *in, unsigned char *codes,
                            gdrq_error *err);

/*
 * Shuffles boxes[0..n), keeps the first max_boxes, moves them with the picture, clips them to the
 * network's input and drops what is then thinner than a thousandth of it. truth receives
 * x, y, w, h, class for each of the rest; returns their number.
 */
int augment_boxes(const augment_plan *plan, random_stream *random, augment_box *boxes, int n,
                  int max_boxes, float *truth);

#endif
