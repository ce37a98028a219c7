#include "primitives/region_layer.h"

#include "base/fatal.h"
#include "base/status.h"
#include "primitives/activation.h"
#include "primitives/detection_head.h"
#include "primitives/detection_truths.h"
#include "primitives/stock_detection.h"

/* Below this many images seen, every slot is also drawn to its anchor's own box. */
enum { WARM_UP_IMAGES = 12800 };
static const float warm_up_scale = .01f;

/* Centres beyond this mean "this class is somewhere in the image", as the host's loader says it. */
static const float nowhere = 100000;

static const float *anchor_of(const layer *l, int anchor) {
    return l->biases + 2 * anchor;
}

static void activate_logistics(const layer *l, const gdrq_head *head) {
    const bool logistic_classes = !l->softmax && !l->softmax_tree;
    for (int image = 0; image < head->batch; image++) {
        for (int anchor = 0; anchor < head->anchors; anchor++) {
            float *const first = l->output + gdrq_head_index(head, image, anchor, 0);
            float *const objectness = first + head->coords * head->cells;
            gdrq_activate(first, 2 * head->cells, LOGISTIC);
            if (!l->background)
                gdrq_activate(objectness, head->cells, LOGISTIC);
            if (logistic_classes)
                gdrq_activate(objectness + head->cells, head->classes * head->cells, LOGISTIC);
        }
    }
}

/* The softmax over n entries from `entry` on, for every cell of an anchor. */
static void softmax_entries(const layer *l, const gdrq_head *head, float *input, int image,
                            int anchor, int entry, int n) {
    const size_t at = gdrq_head_index(head, image, anchor, entry);
    const int cells = (int)head->cells;
    softmax_cpu(input + at, n, 1, 0, cells, 1, cells, 1, l->output + at);
}

static void activate_classes(const layer *l, const gdrq_head *head, float *input) {
    if (!l->softmax_tree && !l->softmax)
        return;
    const int classes = head->coords + 1;
    const int blocks = head->batch * head->anchors;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < blocks; i++) {
        const int image = i / head->anchors, anchor = i % head->anchors;
        if (!l->softmax_tree) {
            /* The background takes the objectness's place as one more class. */
            softmax_entries(l, head, input, image, anchor, classes - !!l->background,
                            head->classes + !!l->background);
            continue;
        }
        const tree *const hierarchy = l->softmax_tree;
        for (int group = 0; group < hierarchy->groups; group++) {
            softmax_entries(l, head, input, image, anchor, classes + hierarchy->group_offset[group],
                            hierarchy->group_size[group]);
        }
    }
}

/* Class ids below this are indices of the head's entries, and of the tree's nodes if there is one.
 */
static int class_limit(const layer *l) {
    return l->softmax_tree && l->softmax_tree->n < l->classes ? l->softmax_tree->n : l->classes;
}

/* The class and its ancestors, each within its group of siblings. */
static void learn_tree_class(const layer *l, gdrq_head *head, const gdrq_slot *slot, int class_id) {
    const tree *const hierarchy = l->softmax_tree;
    const size_t classes = gdrq_slot_entry(head, slot, head->coords + 1);
    for (int node = class_id; node >= 0; node = hierarchy->parent[node]) {
        const int group = hierarchy->group[node];
        const int first = hierarchy->group_offset[group];
        for (int i = first; i < first + hierarchy->group_size[group]; i++) {
            const size_t at = classes + i * head->cells;
            head->delta[at] = l->class_scale * ((i == node) - head->output[at]);
        }
    }
}

static void learn_class(const layer *l, gdrq_head *head, const gdrq_slot *slot, int class_id) {
    if (l->softmax_tree)
        learn_tree_class(l, head, slot, class_id);
    else
        gdrq_head_class_delta(head, slot, class_id, l->class_scale, !l->softmax);
}

/* A label that names a class of the image without a box; tree layers learn these. -1: none. */
static int class_without_box(const layer *l, const gdrq_truths *truths, const float *rows) {
    for (int i = 0; i < truths->capacity; i++) {
        const float *const fields = rows + (size_t)i * (l->coords + 1);
        if (fields[0] == 0)
            break;
        if (!(fields[0] > nowhere && fields[1] > nowhere))
            continue;
        const int class_id = gdrq_class_of(fields[l->coords], NULL, class_limit(l));
        if (class_id >= 0)
            return class_id;
    }
    return -1;
}

/*
 * An image of which only a class is known: the slot that is surest of it learns the class and has
 * no objectness to learn, all others learn that they hold no object.
 */
static void learn_class_somewhere(const layer *l, gdrq_head *head, int image, int class_id) {
    float best = 0;
    gdrq_slot surest = gdrq_head_slot(head, image, 0, anchor_of(l, 0), 0, 0);
    const int slots = head->anchors * (int)head->cells;
    for (int i = 0; i < slots; i++) {
        const int anchor = i / (int)head->cells, cell = i % (int)head->cells;
        const gdrq_slot slot = gdrq_head_slot(head, image, anchor, anchor_of(l, anchor),
                                              cell % head->w, cell / head->w);
        const size_t objectness = gdrq_slot_entry(head, &slot, head->coords);
        head->delta[objectness] = l->noobject_scale * -head->output[objectness];
        float *const classes = l->output + gdrq_slot_entry(head, &slot, head->coords + 1);
        const float p = head->output[objectness] *
                        get_hierarchy_probability(classes, l->softmax_tree, class_id, head->cells);
        if (p > best) {
            best = p;
            surest = slot;
        }
    }
    learn_class(l, head, &surest, class_id);
    head->delta[gdrq_slot_entry(head, &surest, head->coords)] = 0;
}

/* "No object" (or "background") unless the slot's box overlaps a truth. */
static void learn_overlap(const layer *l, gdrq_head *head, const gdrq_truths *truths,
                          const gdrq_slot *slot) {
    const size_t objectness = gdrq_slot_entry(head, slot, head->coords);
    const float target = l->background ? 1 : 0;
    head->delta[objectness] = l->noobject_scale * (target - head->output[objectness]);
    if (truths->n == 0)
        return;
    const box predicted = gdrq_head_box(head, slot);
    if (gdrq_truths_best_iou(truths, &predicted) > l->thresh)
        head->delta[objectness] = 0;
}

static void learn_anchor_box(gdrq_head *head, const gdrq_slot *slot) {
    const box own = {
        .x = (float)((slot->col + .5) / head->w),
        .y = (float)((slot->row + .5) / head->h),
        .w = slot->anchor[0] / head->unit_w,
        .h = slot->anchor[1] / head->unit_h,
    };
    gdrq_head_box_delta(head, slot, &own, warm_up_scale);
}

static void learn_overlaps(const layer *l, gdrq_head *head, const gdrq_truths *truths, int image,
                           bool warm_up) {
    const int rows = head->anchors * head->h;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < rows; i++) {
        const int anchor = i / head->h, row = i % head->h;
        for (int col = 0; col < head->w; col++) {
            const gdrq_slot slot =
                gdrq_head_slot(head, image, anchor, anchor_of(l, anchor), col, row);
            learn_overlap(l, head, truths, &slot);
            if (warm_up)
                learn_anchor_box(head, &slot);
        }
    }
}

/* Of the slots at the truth's cell, the one whose predicted shape (or anchor) is nearest. */
static gdrq_slot nearest_slot(const layer *l, const gdrq_head *head, const gdrq_truth *truth,
                              int image) {
    const box shape = {.w = truth->box.w, .h = truth->box.h};
    float best = 0;
    int nearest = 0;
    for (int anchor = 0; anchor < head->anchors; anchor++) {
        const float *const size = anchor_of(l, anchor);
        const gdrq_slot slot = gdrq_head_slot(head, image, anchor, size, truth->col, truth->row);
        box candidate = {.w = size[0] / head->unit_w, .h = size[1] / head->unit_h};
        if (!l->bias_match) {
            candidate = gdrq_head_box(head, &slot);
            candidate.x = candidate.y = 0;
        }
        const float iou = box_iou(candidate, shape);
        if (iou > best) {
            best = iou;
            nearest = anchor;
        }
    }
    return gdrq_head_slot(head, image, nearest, anchor_of(l, nearest), truth->col, truth->row);
}

/*
 * The host reads a mask from field 5 on, one behind where its loader puts it, and takes mask_scale
 * as an integer.
 */
static void learn_mask(const layer *l, gdrq_head *head, const gdrq_slot *slot,
                       const gdrq_truth *truth) {
    const int scale = (int)l->mask_scale;
    for (int i = 4; i < head->coords; i++) {
        const size_t at = gdrq_slot_entry(head, slot, i);
        head->delta[at] = scale * (truth->fields[i + 1] - head->output[at]);
    }
}

static void learn_objectness(const layer *l, gdrq_head *head, const gdrq_slot *slot,
                             const gdrq_truth *truth) {
    const size_t objectness = gdrq_slot_entry(head, slot, head->coords);
    float target = 1;
    if (l->background)
        target = 0;
    else if (l->rescore)
        target = box_iou(gdrq_head_box(head, slot), truth->box);
    head->delta[objectness] = l->object_scale * (target - head->output[objectness]);
}

/* Every truth claims one slot, in the order of the labels: of several at one slot the last wins. */
static void learn_truths(const layer *l, gdrq_head *head, const gdrq_truths *truths, int image) {
    for (int i = 0; i < truths->n; i++) {
        const gdrq_truth *const truth = &truths->list[i];
        const gdrq_slot slot = nearest_slot(l, head, truth, image);
        const float area = truth->box.w * truth->box.h;
        gdrq_head_box_delta(head, &slot, &truth->box, l->coord_scale * (2 - area));
        learn_mask(l, head, &slot, truth);
        learn_objectness(l, head, &slot, truth);
        learn_class(l, head, &slot, truth->class_id);
    }
}

static void learn_image(const layer *l, gdrq_head *head, gdrq_truths *truths, const float *rows,
                        int image, bool warm_up) {
    const int class_id = l->softmax_tree ? class_without_box(l, truths, rows) : -1;
    if (class_id >= 0) {
        learn_class_somewhere(l, head, image, class_id);
        return;
    }
    gdrq_truths_collect(truths, head, rows, l->map, class_limit(l));
    learn_overlaps(l, head, truths, image, warm_up);
    learn_truths(l, head, truths, image);
}

void gdrq_forward_region_layer(layer l, network net) {
    gdrq_head head = gdrq_head_of(&l, l.coords, l.w, l.h);
    const size_t bytes = (size_t)l.batch * l.outputs * sizeof(float);
    if (net.input != l.output)
        memcpy(l.output, net.input, bytes);
    activate_logistics(&l, &head);
    activate_classes(&l, &head, net.input);
    memset(l.delta, 0, bytes);
    if (!net.train)
        return;

    gdrq_error err;
    gdrq_truths truths;
    if (gdrq_truths_init(&truths, &l, l.coords, &err))
        gdrq_fatal(&err);
    const bool warm_up = *net.seen < WARM_UP_IMAGES;
    for (int image = 0; image < l.batch; image++) {
        const float *const rows = net.truth + (size_t)image * l.truths;
        learn_image(&l, &head, &truths, rows, image, warm_up);
    }
    gdrq_truths_free(&truths);
    *l.cost = gdrq_head_cost(&head);
}

void gdrq_region_input_gradient(const layer *l) {
    const gdrq_head head = gdrq_head_of(l, l->coords, l->w, l->h);
    for (int image = 0; image < head.batch; image++) {
        for (int anchor = 0; anchor < head.anchors; anchor++) {
            const size_t first = gdrq_head_index(&head, image, anchor, 0);
            const size_t objectness = gdrq_head_index(&head, image, anchor, head.coords);
            gdrq_activation_gradient(l->output + first, 2 * head.cells, LOGISTIC, l->delta + first);
            if (!l->background)
                gdrq_activation_gradient(l->output + objectness, head.cells, LOGISTIC,
                                         l->delta + objectness);
        }
    }
}

void gdrq_backward_region_layer(layer l, network net) {
    const gdrq_head head = gdrq_head_of(&l, l.coords, l.w, l.h);
    gdrq_region_input_gradient(&l);
    gdrq_head_backward(&head, net.delta);
}
