#include "eval/map.h"

#include "base/alloc.h"
#include "base/status.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A truth or a detection; the score of a truth is 0. */
typedef struct item {
    int class_id, image;
    double score;
    size_t order; /* in which it was added */
    map_box box;
} item;

typedef struct item_list {
    item *items;
    size_t n, capacity;
} item_list;

/* A threshold of 1 would be out of reach for rounding; pycocotools' number. */
static const double highest_iou = 1 - 1e-10;

struct map_eval {
    int classes;
    item_list truths, detections;
};

/* A detection after matching. */
typedef struct outcome {
    double score;
    size_t order;     /* by image, then by descending score */
    uint16_t matched; /* bit t: matched to a truth at the t-th IoU threshold */
} outcome;

typedef struct workspace {
    double *iou;       /* [MAP_MAX_DETECTIONS][truths of one image and class], of COCO */
    uint16_t *taken;   /* [truths of one image and class] */
    outcome *outcomes; /* [detections of one class] */
    double *recall;    /* [detections of one class] */
    double *precision; /* [detections of one class] */
    const map_options *options;
} workspace;

gdrq_status map_begin(int classes, map_eval **eval, gdrq_error *err) {
    *eval = NULL;
    if (classes < 1)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%d classes can't be evaluated: at least 1",
                         classes);
    *eval = gdrq_alloc(1, sizeof **eval);
    if (!*eval)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the evaluation");
    (*eval)->classes = classes;
    return GDRQ_OK;
}

void map_free(map_eval *eval) {
    if (!eval)
        return;
    free(eval->truths.items);
    free(eval->detections.items);
    free(eval);
}

void map_result_free(map_result *result) {
    free(result->classes);
    *result = (map_result){0};
}

static gdrq_status check_item(const map_eval *eval, const char *what, const item *it,
                              gdrq_error *err) {
    if (it->image < 0)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s: image number %d is negative", what,
                         it->image);
    if (it->class_id < 0 || it->class_id >= eval->classes)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s in image %d: class %d is not in 0..%d", what,
                         it->image, it->class_id, eval->classes - 1);
    const map_box *b = &it->box;
    if (!isfinite(it->score) || !isfinite(b->left) || !isfinite(b->top) || !isfinite(b->w) ||
        !isfinite(b->h))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "%s in image %d: score %g, box %g %g %g %g: not finite numbers", what,
                         it->image, it->score, b->left, b->top, b->w, b->h);
    if (b->w < 0 || b->h < 0)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s in image %d: negative box size %g x %g",
                         what, it->image, b->w, b->h);
    return GDRQ_OK;
}

static gdrq_status append(item_list *list, item it, gdrq_error *err) {
    if (list->n == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 256;
        item *items = gdrq_realloc(list->items, capacity, sizeof *items);
        if (!items)
            return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %zu boxes", capacity);
        list->items = items;
        list->capacity = capacity;
    }
    it.order = list->n;
    list->items[list->n++] = it;
    return GDRQ_OK;
}

gdrq_status map_add_truth(map_eval *eval, int image, int class_id, const map_box *box,
                          gdrq_error *err) {
    const item it = {.class_id = class_id, .image = image, .box = *box};
    const gdrq_status status = check_item(eval, "truth", &it, err);
    return status == GDRQ_OK ? append(&eval->truths, it, err) : status;
}

gdrq_status map_add_detection(map_eval *eval, int image, int class_id, double score,
                              const map_box *box, gdrq_error *err) {
    const item it = {.class_id = class_id, .image = image, .score = score, .box = *box};
    const gdrq_status status = check_item(eval, "detection", &it, err);
    return status == GDRQ_OK ? append(&eval->detections, it, err) : status;
}

/* Total orders, so that any sorting algorithm gives what a stable one would. */
static int compare_items(const void *pa, const void *pb) {
    const item *a = pa, *b = pb;
    if (a->class_id != b->class_id)
        return a->class_id < b->class_id ? -1 : 1;
    if (a->image != b->image)
        return a->image < b->image ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static int compare_outcomes(const void *pa, const void *pb) {
    const outcome *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* How many of the first items are of this class, or of this class's first image. */
static size_t class_run(const item *items, size_t n, int class_id) {
    size_t i = 0;
    while (i < n && items[i].class_id == class_id)
        ++i;
    return i;
}

static size_t image_run(const item *items, size_t n) {
    size_t i = 0;
    while (i < n && items[i].image == items[0].image && items[i].class_id == items[0].class_id)
        ++i;
    return i;
}

/* The doubles that numpy's linspace(.5, .95, 10) and linspace(0, 1, 101) hold. */
static double iou_threshold(int t) {
    return t == MAP_THRESHOLDS - 1 ? .95 : .5 + t * ((.95 - .5) / (MAP_THRESHOLDS - 1));
}

static double recall_point(int i) {
    return i * (1. / (MAP_RECALL_POINTS - 1));
}

static double voc2007_point(int i) {
    return i / (MAP_VOC2007_POINTS - 1.);
}

static double box_iou(const map_box *a, const map_box *b) {
    const double w = fmin(a->left + a->w, b->left + b->w) - fmax(a->left, b->left);
    const double h = fmin(a->top + a->h, b->top + b->h) - fmax(a->top, b->top);
    if (w <= 0 || h <= 0)
        return 0;
    const double intersection = w * h;
    return intersection / (a->w * a->h + b->w * b->h - intersection);
}

/*
 * The truth that a detection with these IoUs matches, or -1: the best of those that are free and
 * reach the threshold; of equals the last.
 */
static ptrdiff_t best_truth(const double *iou, const uint16_t *taken, size_t truths,
                            double threshold) {
    double best = fmin(threshold, highest_iou);
    ptrdiff_t match = -1;
    for (size_t g = 0; g < truths; ++g) {
        if (taken[g] || iou[g] < best)
            continue;
        best = iou[g];
        match = (ptrdiff_t)g;
    }
    return match;
}

/* Detections of one image and class, best score first, choose among its truths one by one. */
static void match_image_coco(workspace *work, const item *truths, size_t n_truths,
                             const item *detections, size_t n, outcome *out) {
    for (size_t d = 0; d < n; ++d) {
        out[d] = (outcome){.score = detections[d].score};
        for (size_t g = 0; g < n_truths; ++g)
            work->iou[d * n_truths + g] = box_iou(&detections[d].box, &truths[g].box);
    }
    for (int t = 0; t < MAP_THRESHOLDS; ++t) {
        memset(work->taken, 0, n_truths * sizeof *work->taken);
        for (size_t d = 0; d < n; ++d) {
            const ptrdiff_t g =
                best_truth(work->iou + d * n_truths, work->taken, n_truths, iou_threshold(t));
            if (g < 0)
                continue;
            work->taken[g] = 1;
            out[d].matched |= (uint16_t)(1u << t);
        }
    }
}

/* The first of those truths that overlap most; *iou is how much. -1 if none does. */
static ptrdiff_t most_overlapped(const map_box *box, const item *truths, size_t n_truths,
                                 double *iou) {
    ptrdiff_t best = -1;
    *iou = 0;
    for (size_t g = 0; g < n_truths; ++g) {
        const double overlap = box_iou(box, &truths[g].box);
        if (overlap > *iou) {
            *iou = overlap;
            best = (ptrdiff_t)g;
        }
    }
    return best;
}

/* work->taken holds a bit per threshold here. */
static void match_image_voc(workspace *work, const item *truths, size_t n_truths,
                            const item *detections, size_t n, outcome *out) {
    memset(work->taken, 0, n_truths * sizeof *work->taken);
    for (size_t d = 0; d < n; ++d) {
        double iou;
        const ptrdiff_t g = most_overlapped(&detections[d].box, truths, n_truths, &iou);
        out[d] = (outcome){.score = detections[d].score};
        for (int t = 0; g >= 0 && t < MAP_THRESHOLDS; ++t)
            if (iou >= fmin(iou_threshold(t), highest_iou))
                out[d].matched |= (uint16_t)(1u << t & ~work->taken[g]);
        if (g >= 0)
            work->taken[g] |= out[d].matched;
    }
}

/* Fills work->outcomes with the kept detections of one class, best score first; returns how many.
 */
static size_t match_class(workspace *work, const item *truths, size_t n_truths,
                          const item *detections, size_t n_detections) {
    const bool coco = work->options->method == MAP_COCO;
    size_t kept = 0, g = 0;
    for (size_t d = 0; d < n_detections;) {
        const size_t n = image_run(detections + d, n_detections - d);
        const size_t keep = coco && n > MAP_MAX_DETECTIONS ? MAP_MAX_DETECTIONS : n;
        while (g < n_truths && truths[g].image < detections[d].image)
            ++g;
        size_t here = 0;
        if (g < n_truths && truths[g].image == detections[d].image)
            here = image_run(truths + g, n_truths - g);
        (coco ? match_image_coco : match_image_voc)(work, truths + g, here, detections + d, keep,
                                                    work->outcomes + kept);
        kept += keep;
        d += n;
    }
    for (size_t i = 0; i < kept; ++i)
        work->outcomes[i].order = i;
    qsort(work->outcomes, kept, sizeof *work->outcomes, compare_outcomes);
    return kept;
}

/* Fills work->recall and work->precision, the latter with the envelope. */
static void make_curve(workspace *work, size_t n, size_t truths, int t) {
    double *precision = work->precision;
    size_t hits = 0;
    for (size_t i = 0; i < n; ++i) {
        hits += work->outcomes[i].matched >> t & 1;
        work->recall[i] = (double)hits / (double)truths;
        precision[i] = (double)hits / ((double)(i + 1) + DBL_EPSILON);
    }
    for (size_t i = n; i-- > 1;)
        precision[i - 1] = fmax(precision[i - 1], precision[i]);
}

/* The mean of the envelope at `points` values of recall; 0 where no score reaches that recall. */
static double mean_at_points(const workspace *work, size_t n, int points, double point(int)) {
    double sum = 0;
    size_t i = 0;
    for (int r = 0; r < points; ++r) {
        while (i < n && work->recall[i] < point(r))
            ++i;
        if (i == n)
            break;
        sum += work->precision[i];
    }
    return sum / points;
}

static double area_below(const workspace *work, size_t n) {
    double area = 0, before = 0;
    for (size_t i = 0; i < n; ++i) {
        area += (work->recall[i] - before) * work->precision[i];
        before = work->recall[i];
    }
    return area;
}

static double average_precision(workspace *work, size_t n, size_t truths, int t) {
    make_curve(work, n, truths, t);
    switch (work->options->method) {
    case MAP_COCO:
        return mean_at_points(work, n, MAP_RECALL_POINTS, recall_point);
    case MAP_VOC2007:
        return mean_at_points(work, n, MAP_VOC2007_POINTS, voc2007_point);
    case MAP_VOC_AREA:
        break;
    }
    return area_below(work, n);
}

static double ratio(size_t part, size_t whole) {
    return whole ? (double)part / (double)whole : 0;
}

static void fill_ratios(map_counts *c) {
    c->false_positives = c->detections - c->true_positives;
    c->precision = ratio(c->true_positives, c->detections);
    c->recall = ratio(c->true_positives, c->truths);
    c->f1 = ratio(2 * c->true_positives, c->detections + c->truths);
}

static void evaluate_class(workspace *work, const item *truths, size_t n_truths,
                           const item *detections, size_t n_detections, map_class *class) {
    const size_t n = match_class(work, truths, n_truths, detections, n_detections);
    map_counts *counts = &class->counts;
    counts->truths = n_truths;
    const map_options *options = work->options;
    for (size_t i = 0; i < n && work->outcomes[i].score > options->confidence; ++i) {
        ++counts->detections;
        counts->true_positives += work->outcomes[i].matched >> options->iou_index & 1;
    }
    fill_ratios(counts);
    double sum = 0;
    for (int t = 0; t < MAP_THRESHOLDS; ++t) {
        class->ap[t] = n_truths ? average_precision(work, n, n_truths, t) : -1;
        sum += class->ap[t];
    }
    class->mean_ap = sum / MAP_THRESHOLDS;
}

static void workspace_free(workspace *work) {
    free(work->iou);
    free(work->taken);
    free(work->outcomes);
    free(work->recall);
    free(work->precision);
}

/* `truths` are sorted. */
static gdrq_status workspace_make(workspace *work, const item_list *truths, size_t detections,
                                  gdrq_error *err) {
    size_t most = 1;
    for (size_t i = 0; i < truths->n;) {
        const size_t n = image_run(truths->items + i, truths->n - i);
        most = n > most ? n : most;
        i += n;
    }
    work->iou = gdrq_alloc(most, MAP_MAX_DETECTIONS * sizeof *work->iou);
    work->taken = gdrq_alloc(most, sizeof *work->taken);
    work->outcomes = gdrq_alloc(detections, sizeof *work->outcomes);
    work->recall = gdrq_alloc(detections, sizeof *work->recall);
    work->precision = gdrq_alloc(detections, sizeof *work->precision);
    if (work->iou && work->taken && work->outcomes && work->recall && work->precision)
        return GDRQ_OK;
    workspace_free(work);
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory to evaluate %zu detections",
                     detections);
}

static void summarise(map_result *result) {
    for (int k = 0; k < result->n; ++k) {
        const map_class *class = &result->classes[k];
        result->total.truths += class->counts.truths;
        result->total.detections += class->counts.detections;
        result->total.true_positives += class->counts.true_positives;
        if (!class->counts.truths)
            continue;
        ++result->classes_with_truths;
        for (int t = 0; t < MAP_THRESHOLDS; ++t)
            result->map_at[t] += class->ap[t];
        result->map += class->mean_ap;
    }
    fill_ratios(&result->total);
    const int n = result->classes_with_truths;
    for (int t = 0; t < MAP_THRESHOLDS; ++t)
        result->map_at[t] = n ? result->map_at[t] / n : -1;
    result->map50 = result->map_at[0];
    result->map = n ? result->map / n : -1;
}

static void sort_items(item_list *list) {
    if (list->n)
        qsort(list->items, list->n, sizeof *list->items, compare_items);
}

gdrq_status map_finish(map_eval *eval, const map_options *options, map_result *result,
                       gdrq_error *err) {
    *result = (map_result){0};
    if (options->iou_index < 0 || options->iou_index >= MAP_THRESHOLDS)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "IoU threshold number %d is not in 0..%d",
                         options->iou_index, MAP_THRESHOLDS - 1);
    sort_items(&eval->truths);
    sort_items(&eval->detections);
    workspace work = {.options = options};
    const gdrq_status status = workspace_make(&work, &eval->truths, eval->detections.n, err);
    if (status != GDRQ_OK)
        return status;
    result->classes = gdrq_alloc((size_t)eval->classes, sizeof *result->classes);
    if (!result->classes) {
        workspace_free(&work);
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d classes", eval->classes);
    }
    result->n = eval->classes;
    const item *truths = eval->truths.items, *detections = eval->detections.items;
    size_t g = 0, d = 0;
    for (int k = 0; k < eval->classes; ++k) {
        const size_t n_truths = class_run(truths + g, eval->truths.n - g, k);
        const size_t n_detections = class_run(detections + d, eval->detections.n - d, k);
        evaluate_class(&work, truths + g, n_truths, detections + d, n_detections,
                       &result->classes[k]);
        g += n_truths;
        d += n_detections;
    }
    workspace_free(&work);
    summarise(result);
    return GDRQ_OK;
}
