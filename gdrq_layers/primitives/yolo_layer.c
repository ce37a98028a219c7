#include "primitives/yolo_layer.h"

#include "base/fatal.h"
#include "base/status.h"
#include "primitives/detection_head.h"
#include "primitives/detection_truths.h"
#include "primitives/kernels.h"

enum { COORDS = 4 };

static const float *anchor_of(const layer *l, int mask) {
    return l->biases + 2 * l->mask[mask];
}

/*
 * x, y, objectness and classes are probabilities; w and h stay logarithms. Plane by plane, so that
 * what was copied is still in the cache when it is activated.
 */
static void activate_entries(const gdrq_head *head, const float *input, float *output) {
    const int entries = COORDS + 1 + head->classes;
    const int planes = head->batch * head->anchors * entries;
#pragma omp parallel for schedule(static) if ((size_t)planes * head->cells >= GDRQ_PARALLEL_FROM)
    for (int plane = 0; plane < planes; plane++) {
        const int entry = plane % entries;
        float *const out = output + (size_t)plane * head->cells;
        memcpy(out, input + (size_t)plane * head->cells, head->cells * sizeof *out);
        if (entry < 2 || entry >= COORDS)
            gdrq_activate_block(out, head->cells, LOGISTIC);
    }
}

/* Sets all deltas of the slot that the truth claims. */
static void learn_truth(gdrq_head *head, const gdrq_slot *slot, const gdrq_truth *truth) {
    const size_t objectness = gdrq_slot_entry(head, slot, COORDS);
    head->delta[objectness] = 1 - head->output[objectness];
    /* Small boxes count up to twice: an error of their edges matters more to their IoU. */
    gdrq_head_box_delta(head, slot, &truth->box, 2 - truth->box.w * truth->box.h);
    gdrq_head_class_delta(head, slot, truth->class_id, 1, true);
}

/* The objectness of a slot before truths claim theirs: "no object" unless it overlaps one. */
static void learn_overlap(const layer *l, gdrq_head *head, const gdrq_truths *truths,
                          const gdrq_slot *slot) {
    const size_t objectness = gdrq_slot_entry(head, slot, COORDS);
    head->delta[objectness] = -head->output[objectness];
    if (truths->n == 0)
        return;
    const box predicted = gdrq_head_box(head, slot);
    const float iou = gdrq_truths_best_iou(truths, &predicted);
    if (iou > l->ignore_thresh)
        head->delta[objectness] = 0;
    if (iou > l->truth_thresh)
        learn_truth(head, slot, gdrq_truths_nearest(truths, &predicted));
}

static void learn_overlaps(const layer *l, gdrq_head *head, const gdrq_truths *truths, int image) {
    const int rows = head->anchors * head->h;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < rows; i++) {
        const int mask = i / head->h, row = i % head->h;
        for (int col = 0; col < head->w; col++) {
            const gdrq_slot slot = gdrq_head_slot(head, image, mask, anchor_of(l, mask), col, row);
            learn_overlap(l, head, truths, &slot);
        }
    }
}

/* The anchor, of all that the network has, whose shape is nearest to the truth's. */
static int nearest_anchor(const layer *l, const gdrq_head *head, const box *truth) {
    const box shape = {.w = truth->w, .h = truth->h};
    float best = 0;
    int nearest = 0;
    for (int i = 0; i < l->total; i++) {
        const box anchor = {.w = l->biases[2 * i] / head->unit_w,
                            .h = l->biases[2 * i + 1] / head->unit_h};
        const float iou = box_iou(anchor, shape);
        if (iou > best) {
            best = iou;
            nearest = i;
        }
    }
    return nearest;
}

/* -1: another yolo layer predicts with that anchor. */
static int mask_of(const layer *l, int anchor) {
    for (int i = 0; i < l->n; i++) {
        if (l->mask[i] == anchor)
            return i;
    }
    return -1;
}

/* Every truth claims one slot, in the order of the labels: of several at one slot the last wins. */
static void learn_truths(const layer *l, gdrq_head *head, const gdrq_truths *truths, int image) {
    for (int i = 0; i < truths->n; i++) {
        const gdrq_truth *const truth = &truths->list[i];
        const int mask = mask_of(l, nearest_anchor(l, head, &truth->box));
        if (mask < 0)
            continue;
        const gdrq_slot slot =
            gdrq_head_slot(head, image, mask, anchor_of(l, mask), truth->col, truth->row);
        learn_truth(head, &slot, truth);
    }
}

void gdrq_forward_yolo_layer(layer l, network net) {
    const gdrq_head head = gdrq_head_of(&l, COORDS, net.w, net.h);
    activate_entries(&head, net.input, l.output);
    if (net.train)
        gdrq_learn_yolo_layer(l, net);
}

void gdrq_learn_yolo_layer(layer l, network net) {
    gdrq_head head = gdrq_head_of(&l, COORDS, net.w, net.h);
    memset(l.delta, 0, (size_t)l.batch * l.outputs * sizeof *l.delta);

    gdrq_error err;
    gdrq_truths truths;
    if (gdrq_truths_init(&truths, &l, COORDS, &err))
        gdrq_fatal(&err);
    for (int image = 0; image < l.batch; image++) {
        gdrq_truths_collect(&truths, &head, net.truth + (size_t)image * l.truths, l.map, l.classes);
        learn_overlaps(&l, &head, &truths, image);
        learn_truths(&l, &head, &truths, image);
    }
    gdrq_truths_free(&truths);
    *l.cost = gdrq_head_cost(&head);
}

void gdrq_backward_yolo_layer(layer l, network net) {
    const gdrq_head head = gdrq_head_of(&l, COORDS, net.w, net.h);
    gdrq_head_backward(&head, net.delta);
}
