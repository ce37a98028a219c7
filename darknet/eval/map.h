/*
 * Average precision of object detection as COCO defines it (pycocotools' COCOeval, area "all",
 * maxDets 100): per class and IoU threshold the mean of the precision envelope at 101 recall
 * points. Pure: no Darknet, no I/O. Boxes are left, top, width, height in pixels.
 */
#ifndef EVAL_MAP_H
#define EVAL_MAP_H

#include "gdrq.h"

enum {
    MAP_THRESHOLDS = 10,      /* IoU 0.50, 0.55 ... 0.95 */
    MAP_RECALL_POINTS = 101,  /* recall 0.00, 0.01 ... 1.00 */
    MAP_MAX_DETECTIONS = 100, /* per image and class: those with the highest scores */
};

typedef struct map_eval map_eval;

typedef struct map_box {
    double left, top, w, h;
} map_box;

/*
 * Counts at IoU 0.50 over the detections whose score is above a confidence threshold. A ratio whose
 * denominator is 0 is 0.
 */
typedef struct map_counts {
    size_t truths;
    size_t detections; /* true_positives + false_positives */
    size_t true_positives, false_positives;
    double precision, recall, f1;
} map_counts;

typedef struct map_class {
    double ap[MAP_THRESHOLDS]; /* -1 for a class without truths */
    double mean_ap;            /* mean of ap[] */
    map_counts counts;
} map_class;

typedef struct map_result {
    map_class *classes;
    int n;
    int classes_with_truths;
    double map50;     /* mean over the classes with truths of ap[0]; -1 if there is none */
    double map;       /* the same of mean_ap: mAP@[.50:.95] */
    map_counts total; /* of all classes together */
} map_result;

/* classes >= 1; *eval is to be freed with map_free(). */
gdrq_status map_begin(int classes, map_eval **eval, gdrq_error *err);

/*
 * `image` is any number >= 0 that stands for the image. Order matters to ties only, as in
 * pycocotools: equal scores rank by image number, then in the order in which they were added.
 * Refused: a class outside 0..classes-1, a box or score that is not finite, a negative size.
 */
gdrq_status map_add_truth(map_eval *eval, int image, int class_id, const map_box *box,
                          gdrq_error *err);
gdrq_status map_add_detection(map_eval *eval, int image, int class_id, double score,
                              const map_box *box, gdrq_error *err);

/*
 * Evaluates what was added so far; `confidence` concerns the counts only. More may be added
 * afterwards. *result is to be freed with map_result_free(); on failure it is empty.
 */
gdrq_status map_finish(map_eval *eval, double confidence, map_result *result, gdrq_error *err);

void map_free(map_eval *eval);
void map_result_free(map_result *result);

#endif
