/*
 * Average precision of object detection, as COCO or as PASCAL VOC define it. Pure: no Darknet, no
 * I/O. Boxes are left, top, width, height in pixels.
 */
#ifndef EVAL_MAP_H
#define EVAL_MAP_H

#include "gdrq.h"

enum {
    MAP_THRESHOLDS = 10,      /* IoU 0.50, 0.55 ... 0.95 */
    MAP_RECALL_POINTS = 101,  /* recall 0.00, 0.01 ... 1.00 */
    MAP_VOC2007_POINTS = 11,  /* recall 0.0, 0.1 ... 1.0 */
    MAP_MAX_DETECTIONS = 100, /* of COCO, per image and class: those with the highest scores */
};

/*
 * In all of them detections choose truths of their class in order of their scores.
 * COCO (pycocotools' COCOeval, area "all", maxDets 100): the best of the truths that are still
 * free; AP is the mean of the precision envelope at 101 recall points.
 * PASCAL VOC (its development kit; without its "difficult" objects, which Darknet's labels don't
 * know, and without the one pixel that it adds to widths): a detection belongs to the truth that it
 * overlaps most, and is false where that one is taken. AP is the mean of the envelope at 11 points
 * (VOC 2007), or the area below the envelope (from VOC 2010 on).
 */
typedef enum map_method { MAP_COCO, MAP_VOC2007, MAP_VOC_AREA } map_method;

typedef struct map_options {
    map_method method;
    double confidence; /* score above which detections count in map_counts */
    int iou_index;     /* IoU of map_counts: 0.50 + 0.05 * iou_index, 0..MAP_THRESHOLDS-1 */
} map_options;

typedef struct map_eval map_eval;

typedef struct map_box {
    double left, top, w, h;
} map_box;

/*
 * Counts at one IoU threshold over the detections whose score is above a confidence threshold. A
 * ratio whose denominator is 0 is 0.
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
    double map_at[MAP_THRESHOLDS]; /* mean over the classes with truths; -1 if there is none */
    double map50;                  /* map_at[0] */
    double map;                    /* the same of mean_ap: mAP@[.50:.95] */
    map_counts total;              /* of all classes together */
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
 * Evaluates what was added so far. More may be added afterwards. *result is to be freed with
 * map_result_free(); on failure it is empty.
 */
gdrq_status map_finish(map_eval *eval, const map_options *options, map_result *result,
                       gdrq_error *err);

void map_free(map_eval *eval);
void map_result_free(map_result *result);

#endif
