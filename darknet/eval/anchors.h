/* Anchors for yolo and region layers: k-means over the sizes of labelled boxes. Pure. */
#ifndef EVAL_ANCHORS_H
#define EVAL_ANCHORS_H

#include "gdrq.h"

#include <stdint.h>

/* Width and height, both above 0, in any unit. */
typedef struct box_size {
    float w, h;
} box_size;

enum { ANCHORS_MOST = 1000 };

/* Intersection over union of two boxes with the same centre: 1 for equal sizes. */
float box_size_iou(box_size a, box_size b);

/* The anchor with the highest IoU, of equals the first; *iou, which may be NULL, receives it. */
int anchors_nearest(box_size size, const box_size *anchors, int k, float *iou);

/* The mean over the sizes of the nearest anchor's IoU. */
double anchors_mean_iou(const box_size *sizes, size_t n, const box_size *anchors, int k);

/*
 * Finds k anchors with a high mean IoU, sorted by area: k-means with 1 - IoU as the distance
 * (Redmon, Farhadi: YOLO9000, 2017) from several starts that k-means++ draws (Arthur, Vassilvitskii
 * 2007); then the anchors' sides are moved as long as that raises the mean IoU, of which k-means'
 * means are no optimum; the best is kept. The same seed gives the same anchors, whatever the number
 * of threads. Refused: k outside 1..ANCHORS_MOST, fewer sizes than k, sizes that are not finite and
 * above 0.
 */
gdrq_status anchors_fit(const box_size *sizes, size_t n, int k, uint64_t seed, box_size *anchors,
                        gdrq_error *err);

#endif
