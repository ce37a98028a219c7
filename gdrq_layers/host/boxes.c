/* From a network's outputs to boxes (gdrq_network_boxes()). */
#include "gdrq.h"

#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "darknet.h"
#include "infer/letterbox.h"
#include "primitives/suppression.h"
#include "primitives/yolo_boxes.h"

enum {
    ALIGNMENT = 64,
    MAP_CLASSES = 200, /* entries of a map; the host's code knows this number only */
};

/* How much room a network's boxes take. */
typedef struct extent {
    int boxes; /* of all heads */
    int classes, masks;
    int threads;
} extent;

struct gdrq_boxes {
    extent extent;
    detection *at;
    float *values; /* of each box: classes, then masks */
    void *memory;  /* of the suppression */
};

gdrq_boxes *gdrq_boxes_new(void) {
    return gdrq_alloc(1, sizeof(gdrq_boxes));
}

static void drop(gdrq_boxes *boxes) {
    free(boxes->at);
    free(boxes->values);
    free(boxes->memory);
    *boxes = (gdrq_boxes){0};
}

void gdrq_boxes_free(gdrq_boxes *boxes) {
    if (boxes)
        drop(boxes);
    free(boxes);
}

static bool is_head(const layer *l) {
    return l->type == YOLO || l->type == REGION || l->type == DETECTION;
}

static int most(int a, int b) {
    return a > b ? a : b;
}

static int boxes_of(const layer *l) {
    return l->w * l->h * l->n;
}

static extent extent_of(const network *net, const int *map) {
    extent e = {.classes = map ? MAP_CLASSES : 0, .threads = omp_get_max_threads()};
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        if (!is_head(l))
            continue;
        e.boxes += boxes_of(l);
        e.classes = most(e.classes, l->classes);
        e.masks = most(e.masks, l->type == REGION ? l->coords - 4 : 0);
    }
    return e;
}

static bool fits(const extent *needed, const extent *room) {
    return needed->boxes <= room->boxes && needed->classes <= room->classes &&
           needed->masks <= room->masks && needed->threads <= room->threads;
}

static void share_out_values(const gdrq_boxes *boxes) {
    const extent *e = &boxes->extent;
    for (int i = 0; i < e->boxes; i++) {
        float *const values = boxes->values + (size_t)i * (size_t)(e->classes + e->masks);
        boxes->at[i].prob = values;
        boxes->at[i].mask = e->masks > 0 ? values + e->classes : NULL;
    }
}

/* For the worst case, of which only what is used is ever touched. */
static gdrq_status reserve(gdrq_boxes *boxes, const extent *needed, gdrq_error *err) {
    if (fits(needed, &boxes->extent))
        return GDRQ_OK;
    drop(boxes);
    const size_t n = (size_t)needed->boxes + 1; /* never 0 */
    const size_t memory = gdrq_suppression_bytes((int)n, needed->threads);
    boxes->at = gdrq_alloc(n, sizeof *boxes->at);
    boxes->values = gdrq_alloc(n, (size_t)(needed->classes + needed->masks) * sizeof(float));
    boxes->memory = aligned_alloc(ALIGNMENT, memory);
    if (!boxes->at || !boxes->values || !boxes->memory) {
        drop(boxes);
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d boxes of %d classes",
                         needed->boxes, needed->classes);
    }
    boxes->extent = *needed;
    share_out_values(boxes);
    return GDRQ_OK;
}

/* From parts of the network's input to parts of the picture, with the letterbox's geometry. */
static void map_back(const network *net, int w, int h, detection *found, int n) {
    const gdrq_placement p = gdrq_letterbox_place(w, h, net->w, net->h);
    const double left = (net->w - p.w) / 2. / net->w, top = (net->h - p.h) / 2. / net->h;
    const float across = (float)p.w / (float)net->w, down = (float)p.h / (float)net->h;
    for (int i = 0; i < n; i++) {
        box *const b = &found[i].bbox;
        b->x = (float)((b->x - left) / across);
        b->y = (float)((b->y - top) / down);
        b->w *= (float)net->w / (float)p.w;
        b->h *= (float)net->h / (float)p.h;
    }
}

/*
 * The boxes of one head, to found[0..return value). The host averages the two images of a batch of
 * 2, taking the second for the first one's mirror image: it gets to see one.
 */
static int read_head(const network *net, const layer *head, int w, int h, const gdrq_box_options *o,
                     detection *found) {
    layer l = *head;
    l.batch = 1;
    if (l.type == YOLO) {
        const int n = gdrq_yolo_boxes(&l, net->w, net->h, o->thresh, found);
        map_back(net, w, h, found, n);
        return n;
    }
    if (l.type == REGION)
        get_region_detections(l, w, h, net->w, net->h, o->thresh, (int *)o->map, o->hier, 1, found);
    else
        get_detection_detections(l, w, h, o->thresh, found);
    for (int i = 0; i < boxes_of(&l); i++)
        found[i].classes = l.classes;
    return boxes_of(&l);
}

/* A head with fewer classes than another has none of the rest. */
static void clear_rest(const extent *e, detection *found, int n) {
    for (int i = 0; i < n && found[i].classes < e->classes; i++)
        memset(found[i].prob + found[i].classes, 0,
               (size_t)(e->classes - found[i].classes) * sizeof *found[i].prob);
}

gdrq_status gdrq_network_boxes(struct network *net, int w, int h, const gdrq_box_options *options,
                               gdrq_boxes *boxes, struct detection **found, int *n,
                               gdrq_error *err) {
    *found = NULL;
    *n = 0;
    if (w <= 0 || h <= 0)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "boxes: a picture can't be of %d x %d", w, h);
    const extent needed = extent_of(net, options->map);
    const gdrq_status status = reserve(boxes, &needed, err);
    *found = boxes->at;
    if (status != GDRQ_OK)
        return status;
    for (int i = 0; i < net->n; i++) {
        if (!is_head(&net->layers[i]))
            continue;
        detection *const first = boxes->at + *n;
        const int count = read_head(net, &net->layers[i], w, h, options, first);
        clear_rest(&needed, first, count);
        *n += count;
    }
    if (options->nms > 0 && options->nms_objectness)
        gdrq_suppress_by_objectness(boxes->at, *n, needed.classes, options->nms, boxes->memory);
    else if (options->nms > 0)
        gdrq_suppress_by_class(boxes->at, *n, needed.classes, options->nms, needed.threads,
                               boxes->memory);
    return GDRQ_OK;
}
