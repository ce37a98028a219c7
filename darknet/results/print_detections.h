/* Detections as lines of text and as boxes on the picture. */
#ifndef RESULTS_PRINT_DETECTIONS_H
#define RESULTS_PRINT_DETECTIONS_H

#include "data/names.h"
#include "detect.h"
#include "gdrq.h"

/*
 * Prints "NAME: 97%" for every class above thresh of every box, as upstream does; with `p`, which
 * may be NULL, also the box in its pixels.
 */
void detections_print(const detections *found, const class_names *names, int classes, float thresh,
                      const picture *p);

/* Draws every box with a class above thresh, with the names of all of them. */
gdrq_status detections_draw(const detections *found, const class_names *names, int classes,
                            float thresh, picture *p, gdrq_error *err);

#endif
