/* A confusion matrix for people: as text and as a picture. */
#ifndef RESULTS_CONFUSION_TABLE_H
#define RESULTS_CONFUSION_TABLE_H

#include "eval/confusion.h"

#include <stdio.h>

/*
 * How often pixels of each class were taken for each, in per cent of the true class's pixels. names
 * may be NULL: classes have their numbers in any case.
 */
void confusion_print(const confusion *c, const char *const *names, FILE *out);

/* The same as a PNG (or JPEG) with a cell per pair of classes, the darker the more. Names that are
   not ASCII are left out. */
gdrq_status confusion_draw(const confusion *c, const char *const *names, const char *path,
                           gdrq_error *err);

#endif
