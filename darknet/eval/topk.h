/*
 * Top-k accuracy of a classifier: how often the class of an image is among the k likeliest. Equal
 * probabilities rank by class number, as upstream's.
 */
#ifndef EVAL_TOPK_H
#define EVAL_TOPK_H

#include "darknet.h"
#include "data/class_labels.h"
#include "gdrq.h"

typedef struct topk_result {
    int images;
    int k;
    int first;   /* images whose class is the likeliest */
    int among_k; /* or among the k likeliest */
} topk_result;

/* Shares of the images, 0..1. */
double topk_first(const topk_result *r);
double topk_among(const topk_result *r);

/* One image. */
typedef struct topk_step {
    const char *path;
    int class_id, total;  /* of all images */
    const float *p;       /* the network's outputs; with a hierarchy, of leaves, 0 for others */
    const topk_result *r; /* with this one */
} topk_step;

/* Called after each image; false stops the measurement. */
typedef bool topk_watch(void *user, const topk_step *step);

/*
 * Runs the network over the images' largest parts in the middle that have its input's proportions,
 * resized by gdrq_letterbox(), net->batch at a time. May be called in the middle of a training: the
 * network's batch, input size and mode are as before afterwards; layers' outputs are not. 1 <= k <=
 * net->outputs, and the images' classes are below that. `watch` may be NULL. Errors: activation
 * thresholds that were never set (GDRQ_ERROR_STATE), an image that can't be read, outputs that are
 * not finite (GDRQ_ERROR_STATE), stopped by `watch` (GDRQ_ERROR_STATE).
 */
gdrq_status topk_measure(network *net, const classified_images *images, int k, topk_watch *watch,
                         void *user, topk_result *result, gdrq_error *err);

#endif
