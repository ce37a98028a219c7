/*
 * How often pixels of each class were taken for each: the confusion matrix, and what is derived of
 * it. Pure. Where nothing is to be divided by, the result is NAN.
 */
#ifndef EVAL_CONFUSION_H
#define EVAL_CONFUSION_H

#include "gdrq.h"

#include <stddef.h>
#include <stdint.h>

typedef struct confusion {
    int classes;
    uint64_t *counts; /* [true class][found class] */
} confusion;

/* All 0. On failure *c is empty. */
gdrq_status confusion_make(int classes, confusion *c, gdrq_error *err);
void confusion_free(confusion *c);

/* n pixels; those whose truth is not below `classes` are void and don't count. `found` is. */
void confusion_add(confusion *c, const unsigned char *truth, const unsigned char *found, size_t n);

uint64_t confusion_at(const confusion *c, int truth, int found);

/* Pixels of a class, by the truth and as found. */
uint64_t confusion_true_pixels(const confusion *c, int class_id);
uint64_t confusion_found_pixels(const confusion *c, int class_id);

/*
 * Pixels that are of the class and were found to be, in parts of those that are one or the other.
 * NAN if the class neither occurs nor was found.
 */
double confusion_iou(const confusion *c, int class_id);

/* Of the classes that occur or were found; and how many these are. */
double confusion_mean_iou(const confusion *c);
int confusion_measured_classes(const confusion *c);

/* Pixels found rightly, in parts of all; and the mean of the classes' own. */
double confusion_pixel_accuracy(const confusion *c);
double confusion_class_accuracy(const confusion *c);

#endif
