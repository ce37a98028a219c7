/* The ground truth of one image, as the losses of yolo and region layers need it. */
#ifndef GDRQ_PRIMITIVES_DETECTION_TRUTHS_H
#define GDRQ_PRIMITIVES_DETECTION_TRUTHS_H

#include "darknet.h"
#include "gdrq.h"
#include "primitives/detection_head.h"

typedef struct gdrq_truth {
    box box;             /* relative to the image */
    int col, row;        /* the cell that its centre lies in */
    int class_id;        /* after the layer's map; [0, limit) */
    const float *fields; /* coords + 1 floats: box, mask, label */
} gdrq_truth;

/* Edges and area of a truth's box, as arrays so that an IoU with all truths is vector code. */
typedef struct gdrq_box_edges {
    float *left, *right, *top, *bottom, *area;
} gdrq_box_edges;

typedef struct gdrq_truths {
    gdrq_truth *list;
    gdrq_box_edges edges; /* edges.left owns the memory of all five */
    int n, capacity;
} gdrq_truths;

/* Room for the truths that one image of the layer can have. Free with gdrq_truths_free(). */
gdrq_status gdrq_truths_init(gdrq_truths *truths, const layer *l, int coords, gdrq_error *err);
void gdrq_truths_free(gdrq_truths *truths);

/*
 * Collects an image's truths: rows of coords + 1 floats up to the first with x = 0. Left out are
 * rows that can't be learned: a box that is not finite or has no area, a centre outside of the
 * image, a class that gdrq_class_of() refuses.
 */
void gdrq_truths_collect(gdrq_truths *truths, const gdrq_head *head, const float *rows,
                         const int *map, int limit);

/*
 * The class that a label's number stands for, through the layer's map if it has one; -1 if the
 * number is not a class of the map, or the result not in [0, limit). A map must come from the
 * allocator, as the host's read_map() returns it: its length is known to nobody else.
 */
int gdrq_class_of(float label, const int *map, int limit);

/* The largest IoU of a box with the truths; 0 if there are none. A NaN is no IoU. */
float gdrq_truths_best_iou(const gdrq_truths *truths, const box *b);

/* The first truth with the largest IoU, or the first of all if none overlaps; n must not be 0. */
const gdrq_truth *gdrq_truths_nearest(const gdrq_truths *truths, const box *b);

#endif
