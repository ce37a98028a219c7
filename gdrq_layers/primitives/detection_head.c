#include "primitives/detection_head.h"

#include <math.h>

gdrq_head gdrq_head_of(const layer *l, int coords, int unit_w, int unit_h) {
    return (gdrq_head){
        .w = l->w,
        .h = l->h,
        .unit_w = unit_w,
        .unit_h = unit_h,
        .batch = l->batch,
        .anchors = l->n,
        .coords = coords,
        .classes = l->classes,
        .cells = (size_t)l->w * l->h,
        .outputs = (size_t)l->outputs,
        .output = l->output,
        .delta = l->delta,
    };
}

size_t gdrq_head_index(const gdrq_head *head, int image, int anchor, int entry) {
    const size_t entries = (size_t)head->coords + 1 + head->classes;
    return image * head->outputs + (anchor * entries + entry) * head->cells;
}

gdrq_slot gdrq_head_slot(const gdrq_head *head, int image, int anchor, const float *anchor_size,
                         int col, int row) {
    const size_t cell = (size_t)row * head->w + col;
    return (gdrq_slot){anchor_size, gdrq_head_index(head, image, anchor, 0) + cell, col, row};
}

size_t gdrq_slot_entry(const gdrq_head *head, const gdrq_slot *slot, int entry) {
    return slot->box + entry * head->cells;
}

/*
 * Types matter here: positions in float, sizes in double, each rounded once, as in the host, so
 * that comparisons with the layers' IoU thresholds agree.
 */
box gdrq_head_box(const gdrq_head *head, const gdrq_slot *slot) {
    const float *x = head->output + slot->box;
    const size_t stride = head->cells;
    return (box){
        .x = (slot->col + x[0]) / head->w,
        .y = (slot->row + x[stride]) / head->h,
        .w = (float)(exp(x[2 * stride]) * slot->anchor[0] / head->unit_w),
        .h = (float)(exp(x[3 * stride]) * slot->anchor[1] / head->unit_h),
    };
}

void gdrq_head_box_delta(gdrq_head *head, const gdrq_slot *slot, const box *truth, float scale) {
    const float target[4] = {
        truth->x * head->w - slot->col,
        truth->y * head->h - slot->row,
        (float)log(truth->w * head->unit_w / slot->anchor[0]),
        (float)log(truth->h * head->unit_h / slot->anchor[1]),
    };
    for (int i = 0; i < 4; i++) {
        const size_t at = gdrq_slot_entry(head, slot, i);
        head->delta[at] = scale * (target[i] - head->output[at]);
    }
}

void gdrq_head_class_delta(gdrq_head *head, const gdrq_slot *slot, int class_id, float scale,
                           bool keep) {
    const size_t first = gdrq_slot_entry(head, slot, head->coords + 1);
    const size_t truth = first + class_id * head->cells;
    if (!keep || head->delta[first] == 0) {
        for (int i = 0; i < head->classes; i++) {
            const size_t at = first + i * head->cells;
            head->delta[at] = scale * -head->output[at];
        }
    }
    head->delta[truth] = scale * (1 - head->output[truth]);
}

/* Lanes are summed in a fixed order, so that the result does not depend on the compiler's SIMD. */
enum { LANES = 8 };

float gdrq_head_cost(const gdrq_head *head) {
    const size_t n = head->batch * head->outputs;
    double sum[LANES] = {0};
    unsigned nan[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int lane = 0; lane < LANES; lane++) {
            const double d = head->delta[i + lane];
            sum[lane] += d * d;
            nan[lane] |= isnan(head->output[i + lane]);
        }
    }
    for (int lane = 0; i < n; i++, lane++) {
        sum[lane] += (double)head->delta[i] * head->delta[i];
        nan[lane] |= isnan(head->output[i]);
    }
    for (int lane = 1; lane < LANES; lane++) {
        sum[0] += sum[lane];
        nan[0] |= nan[lane];
    }
    return nan[0] ? NAN : (float)sum[0];
}

void gdrq_head_backward(const gdrq_head *head, float *input_delta) {
    const size_t n = head->batch * head->outputs;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++)
        input_delta[i] += head->delta[i];
}
