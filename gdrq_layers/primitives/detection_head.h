/*
 * What the losses of yolo and region layers share. A head predicts, for every cell of a w x h grid
 * and every anchor, `coords` box entries (x, y, w, h and, in region layers, a mask), an objectness
 * and `classes` class scores. Its tensors are laid out [batch][anchor][entry][h][w].
 */
#ifndef GDRQ_PRIMITIVES_DETECTION_HEAD_H
#define GDRQ_PRIMITIVES_DETECTION_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "darknet.h"

typedef struct gdrq_head {
    int w, h;            /* cells */
    int unit_w, unit_h;  /* the image's size in the unit of anchor sizes: pixels or cells */
    int batch, anchors;  /* anchors predicted per cell */
    int coords, classes; /* entries per anchor: coords + 1 + classes */
    size_t cells;        /* w * h: the distance between entries of one cell */
    size_t outputs;      /* floats per image */
    const float *output; /* activated predictions */
    float *delta;        /* minus the loss's gradient */
} gdrq_head;

/* Unit sizes are the caller's to choose; the rest is the layer's. */
gdrq_head gdrq_head_of(const layer *l, int coords, int unit_w, int unit_h);

/* Index of an entry of an anchor at cell 0; entry 0 is x, `coords` the objectness. */
size_t gdrq_head_index(const gdrq_head *head, int image, int anchor, int entry);

/* A prediction: an anchor (two floats: width, height in the head's unit) at a cell. */
typedef struct gdrq_slot {
    const float *anchor;
    size_t box; /* index of its x entry */
    int col, row;
} gdrq_slot;

gdrq_slot gdrq_head_slot(const gdrq_head *head, int image, int anchor, const float *anchor_size,
                         int col, int row);

/* Index of another entry of the slot. */
size_t gdrq_slot_entry(const gdrq_head *head, const gdrq_slot *slot, int entry);

/* The predicted box, relative to the image. */
box gdrq_head_box(const gdrq_head *head, const gdrq_slot *slot);

/* Sets the slot's box deltas: scale times the way from the prediction to the truth. */
void gdrq_head_box_delta(gdrq_head *head, const gdrq_slot *slot, const box *truth, float scale);

/*
 * Sets the slot's class deltas towards class_id. With `keep`, a slot that already has a class (a
 * delta of its first one) keeps it: the truths of a slot with several become several labels.
 */
void gdrq_head_class_delta(gdrq_head *head, const gdrq_slot *slot, int class_id, float scale,
                           bool keep);

/*
 * The squared length of delta; NaN if an output is NaN even where no delta shows it, so that a
 * trainer can stop. The same for any number of threads.
 */
float gdrq_head_cost(const gdrq_head *head);

/* input_delta += delta, for all images. */
void gdrq_head_backward(const gdrq_head *head, float *input_delta);

#endif
