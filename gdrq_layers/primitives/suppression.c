#include "primitives/suppression.h"

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "primitives/kernels.h"

/* Boxes are compared in groups of so many: whole vectors, and not many more than needed. */
enum { LANES = 16, ALIGNMENT = 64 };

/* Boxes as arrays of their edges and areas. */
typedef struct edges {
    float *left, *top, *right, *bottom, *area;
} edges;
enum { EDGE_ARRAYS = 5 };

/* One of them. */
typedef struct edge_box {
    float left, top, right, bottom, area;
} edge_box;

/* What one thread needs for a class. */
typedef struct workspace {
    uint64_t *order; /* key_of() of the boxes that have a score */
    edges kept;      /* of those that stay; behind the last one empty boxes fill the lanes */
} workspace;

static size_t padded(int n) {
    return ((size_t)n + LANES - 1) / LANES * LANES;
}

static size_t order_bytes(int n) {
    return padded(n) * sizeof(uint64_t);
}

static size_t edges_bytes(int n) {
    return EDGE_ARRAYS * padded(n) * sizeof(float);
}

static size_t workspace_bytes(int n) {
    return order_bytes(n) + edges_bytes(n);
}

size_t gdrq_suppression_bytes(int n, int threads) {
    return edges_bytes(n) + (size_t)threads * workspace_bytes(n);
}

static edges edges_at(void *memory, int n) {
    float *const first = memory;
    const size_t pitch = padded(n);
    return (edges){first, first + pitch, first + 2 * pitch, first + 3 * pitch, first + 4 * pitch};
}

/* Behind the edges of all boxes. */
static workspace workspace_at(void *memory, int n, int thread) {
    char *const at = (char *)memory + edges_bytes(n) + (size_t)thread * workspace_bytes(n);
    return (workspace){(uint64_t *)at, edges_at(at + order_bytes(n), n)};
}

static edge_box get(const edges *e, size_t i) {
    return (edge_box){e->left[i], e->top[i], e->right[i], e->bottom[i], e->area[i]};
}

static void set(const edges *e, size_t i, const edge_box *b) {
    e->left[i] = b->left;
    e->top[i] = b->top;
    e->right[i] = b->right;
    e->bottom[i] = b->bottom;
    e->area[i] = b->area;
}

/* As the host's box_iou() computes them. */
static void find_edges(const detection *found, int n, const edges *e) {
    for (int i = 0; i < n; i++) {
        const box b = found[i].bbox;
        const edge_box edge = {b.x - b.w / 2, b.y - b.h / 2, b.x + b.w / 2, b.y + b.h / 2,
                               b.w * b.h};
        set(e, (size_t)i, &edge);
    }
}

/* Whether any of n boxes, rounded up to whole groups, overlaps b by more than thresh. */
GDRQ_KERNEL int overlaps_any(const float *restrict left, const float *restrict top,
                             const float *restrict right, const float *restrict bottom,
                             const float *restrict area, size_t n, edge_box b, float thresh) {
    for (size_t group = 0; group < n; group += LANES) {
        int hit = 0;
        for (size_t i = group; i < group + LANES; i++) {
            const float l = left[i] > b.left ? left[i] : b.left;
            const float r = right[i] < b.right ? right[i] : b.right;
            const float t = top[i] > b.top ? top[i] : b.top;
            const float u = bottom[i] < b.bottom ? bottom[i] : b.bottom;
            const float w = r - l, h = u - t;
            const float shared = (w < 0) | (h < 0) ? 0 : w * h;
            hit |= shared / (area[i] + b.area - shared) > thresh;
        }
        if (hit)
            return 1;
    }
    return 0;
}

static void keep(const edges *kept, size_t n, const edge_box *b) {
    static const edge_box empty = {.left = INFINITY, .right = -INFINITY, .area = 1};
    for (size_t i = n; n % LANES == 0 && i < n + LANES; i++)
        set(kept, i, &empty);
    set(kept, n, b);
}

/* Ascending keys are descending scores, which are positive, and of equal ones ascending indices. */
static uint64_t key_of(float score, int index) {
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    return (uint64_t)~bits << 32 | (uint32_t)index;
}

static int index_of(uint64_t key) {
    return (int)(uint32_t)key;
}

/* Lets keys[i] sink to its place in the heap of n, whose greatest is the first. */
static void sink(uint64_t *keys, size_t i, size_t n) {
    const uint64_t key = keys[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && keys[child + 1] > keys[child])
            child++;
        if (keys[child] <= key)
            break;
        keys[i] = keys[child];
    }
    keys[i] = key;
}

/* By a heap: in place, where the C library's qsort() allocates. */
static void sort(uint64_t *keys, size_t n) {
    for (size_t i = n / 2; i-- > 0;)
        sink(keys, i, n);
    for (size_t last = n; last-- > 1;) {
        const uint64_t greatest = keys[0];
        keys[0] = keys[last];
        keys[last] = greatest;
        sink(keys, 0, last);
    }
}

/* In the order of the scores; order[0..return value) then holds what is suppressed. */
static size_t suppress(const workspace *space, size_t n, const edges *all, float thresh) {
    size_t kept = 0, gone = 0;
    const edges *k = &space->kept;
    sort(space->order, n);
    for (size_t i = 0; i < n; i++) {
        const edge_box b = get(all, (size_t)index_of(space->order[i]));
        if (overlaps_any(k->left, k->top, k->right, k->bottom, k->area, kept, b, thresh))
            space->order[gone++] = space->order[i];
        else
            keep(k, kept++, &b);
    }
    return gone;
}

static void suppress_class(detection *found, int n, int class_id, float thresh, const edges *all,
                           const workspace *space) {
    size_t scored = 0;
    for (int i = 0; i < n; i++)
        if (found[i].objectness != 0 && found[i].prob[class_id] > 0)
            space->order[scored++] = key_of(found[i].prob[class_id], i);
    const size_t gone = suppress(space, scored, all, thresh);
    for (size_t i = 0; i < gone; i++)
        found[index_of(space->order[i])].prob[class_id] = 0;
}

void gdrq_suppress_by_class(detection *found, int n, int classes, float thresh, int threads,
                            void *memory) {
    const edges all = edges_at(memory, n);
    find_edges(found, n, &all);
#pragma omp parallel for schedule(dynamic) \
    num_threads(threads) if ((size_t)n * (size_t)classes >= GDRQ_PARALLEL_FROM)
    for (int class_id = 0; class_id < classes; class_id++) {
        const workspace space = workspace_at(memory, n, omp_get_thread_num());
        suppress_class(found, n, class_id, thresh, &all, &space);
    }
}

gdrq_status gdrq_suppress(detection *found, int n, int classes, float thresh, gdrq_error *err) {
    if (n <= 0)
        return GDRQ_OK;
    const int threads = omp_get_max_threads();
    void *const memory = aligned_alloc(ALIGNMENT, gdrq_suppression_bytes(n, threads));
    if (!memory)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for suppressing among %d boxes", n);
    gdrq_suppress_by_class(found, n, classes, thresh, threads, memory);
    free(memory);
    return GDRQ_OK;
}

void gdrq_suppress_by_objectness(detection *found, int n, int classes, float thresh, void *memory) {
    const edges all = edges_at(memory, n);
    const workspace space = workspace_at(memory, n, 0);
    size_t scored = 0;
    find_edges(found, n, &all);
    for (int i = 0; i < n; i++)
        if (found[i].objectness > 0)
            space.order[scored++] = key_of(found[i].objectness, i);
    const size_t gone = suppress(&space, scored, &all, thresh);
    for (size_t i = 0; i < gone; i++) {
        detection *const d = &found[index_of(space.order[i])];
        d->objectness = 0;
        memset(d->prob, 0, (size_t)classes * sizeof *d->prob);
    }
}
