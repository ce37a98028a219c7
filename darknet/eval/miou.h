/* Runs a segmentation network over images with masks and counts what it takes for what. */
#ifndef EVAL_MIOU_H
#define EVAL_MIOU_H

#include "darknet.h"
#include "data/masked_images.h"
#include "eval/confusion.h"

/* Called after each image; false stops the measurement. */
typedef bool miou_watch(void *user, int done, int total);

/*
 * Pictures are fitted into the network's input by gdrq_letterbox(), and classes are compared pixel
 * by pixel at the picture's own size. May be called in the middle of a training: the network's
 * batch, input size and mode are as before afterwards; layers' outputs are not. `watch` may be
 * NULL. On failure *counts is empty: activation thresholds that were never set, a bad image or
 * mask, no pixel with a class at all, scores that are not finite (GDRQ_ERROR_STATE), stopped by
 * `watch` (GDRQ_ERROR_STATE).
 */
gdrq_status miou_measure(network *net, const image_list *images, const mask_rules *rules,
                         miou_watch *watch, void *user, confusion *counts, gdrq_error *err);

#endif
