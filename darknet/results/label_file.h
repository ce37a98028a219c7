/* Detections as a label file, to correct by hand and train on. */
#ifndef RESULTS_LABEL_FILE_H
#define RESULTS_LABEL_FILE_H

#include "detect.h"
#include "gdrq.h"

/*
 * Whether the label file that belongs to an image may be written: with `force` always, else only if
 * there is none, since it may be someone's handiwork. The error names it and the way out.
 */
gdrq_status label_file_check(const char *image, bool force, gdrq_error *err);

/*
 * Writes the label file that belongs to an image (label_path()): for each box the likeliest class
 * above thresh and the part of the box that lies in the image. Complete or not at all; an image
 * without detections gets an empty file. label_file_check() is done again.
 */
gdrq_status label_file_write(const char *image, const detections *found, int classes, float thresh,
                             bool force, gdrq_error *err);

#endif
