#include "primitives/detection_truths.h"

#include <malloc.h>
#include <math.h>

#include "base/alloc.h"
#include "base/status.h"

gdrq_status gdrq_truths_init(gdrq_truths *truths, const layer *l, int coords, gdrq_error *err) {
    const int rows = l->truths / (coords + 1);
    const int wanted = l->max_boxes < rows ? l->max_boxes : rows;
    const size_t capacity = wanted > 0 ? wanted : 0;
    *truths = (gdrq_truths){.capacity = (int)capacity};
    truths->list = gdrq_alloc(capacity, sizeof *truths->list);
    float *const edges = gdrq_alloc(capacity, 5 * sizeof *edges);
    truths->edges = (gdrq_box_edges){.left = edges};
    if (!truths->list || !edges) {
        gdrq_truths_free(truths);
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %zu truths per image",
                         capacity);
    }
    truths->edges.right = edges + capacity;
    truths->edges.top = edges + 2 * capacity;
    truths->edges.bottom = edges + 3 * capacity;
    truths->edges.area = edges + 4 * capacity;
    return GDRQ_OK;
}

void gdrq_truths_free(gdrq_truths *truths) {
    free(truths->list);
    free(truths->edges.left);
    *truths = (gdrq_truths){0};
}

int gdrq_class_of(float label, const int *map, int limit) {
    const size_t labels = map ? malloc_usable_size((void *)map) / sizeof *map : (size_t)limit;
    if (!(label >= 0 && label < (float)labels)) /* so that NaN is refused as well */
        return -1;
    const size_t number = (size_t)label;
    if (number >= labels) /* (float)labels may have been rounded up */
        return -1;
    const int class_id = map ? map[number] : (int)number;
    return class_id >= 0 && class_id < limit ? class_id : -1;
}

static bool learnable(const box *b) {
    return isfinite(b->x) && isfinite(b->y) && isfinite(b->w) && isfinite(b->h) && b->w > 0 &&
           b->h > 0 && b->x >= 0 && b->x < 1 && b->y >= 0 && b->y < 1;
}

static void append(gdrq_truths *truths, const gdrq_truth *truth) {
    const box *const b = &truth->box;
    const gdrq_box_edges *const edges = &truths->edges;
    const int i = truths->n++;
    truths->list[i] = *truth;
    edges->left[i] = b->x - b->w / 2;
    edges->right[i] = b->x + b->w / 2;
    edges->top[i] = b->y - b->h / 2;
    edges->bottom[i] = b->y + b->h / 2;
    edges->area[i] = b->w * b->h;
}

void gdrq_truths_collect(gdrq_truths *truths, const gdrq_head *head, const float *rows,
                         const int *map, int limit) {
    truths->n = 0;
    for (int i = 0; i < truths->capacity; i++) {
        const float *const fields = rows + (size_t)i * (head->coords + 1);
        gdrq_truth truth = {.box = {fields[0], fields[1], fields[2], fields[3]}, .fields = fields};
        if (truth.box.x == 0)
            break;
        truth.class_id = gdrq_class_of(fields[head->coords], map, limit);
        if (truth.class_id < 0 || !learnable(&truth.box))
            continue;
        /* A coordinate is at most 1 - 2^-24, and its product with a size rounds to below it. */
        truth.col = (int)(truth.box.x * head->w);
        truth.row = (int)(truth.box.y * head->h);
        append(truths, &truth);
    }
}

static inline float iou_with(const gdrq_box_edges *edges, int i, float left, float right, float top,
                             float bottom, float area) {
    const float l = left > edges->left[i] ? left : edges->left[i];
    const float r = right < edges->right[i] ? right : edges->right[i];
    const float t = top > edges->top[i] ? top : edges->top[i];
    const float b = bottom < edges->bottom[i] ? bottom : edges->bottom[i];
    const float w = r - l, h = b - t;
    const float both = w < 0 || h < 0 ? 0 : w * h;
    return both / (area + edges->area[i] - both);
}

float gdrq_truths_best_iou(const gdrq_truths *truths, const box *b) {
    const gdrq_box_edges edges = truths->edges;
    const float left = b->x - b->w / 2, right = b->x + b->w / 2;
    const float top = b->y - b->h / 2, bottom = b->y + b->h / 2;
    const float area = b->w * b->h;
    float best = 0;
#pragma omp simd reduction(max : best)
    for (int i = 0; i < truths->n; i++) {
        const float iou = iou_with(&edges, i, left, right, top, bottom, area);
        best = iou > best ? iou : best;
    }
    return best;
}

const gdrq_truth *gdrq_truths_nearest(const gdrq_truths *truths, const box *b) {
    float best = 0;
    int nearest = 0;
    for (int i = 0; i < truths->n; i++) {
        const float iou = box_iou(*b, truths->list[i].box);
        if (iou > best) {
            best = iou;
            nearest = i;
        }
    }
    return &truths->list[nearest];
}
