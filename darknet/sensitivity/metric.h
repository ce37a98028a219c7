/* What a network is measured by: mAP@0.50 of a detector, top-1 of a classifier, mean IoU
 * of a segmenter, in points (0..100).
 */
#ifndef SENSITIVITY_METRIC_H
#define SENSITIVITY_METRIC_H

#include "darknet.h"
#include "gdrq.h"

typedef struct metric metric;

/* On the valid= list of a .data file. Free with metric_free(). */
gdrq_status metric_open(const char *data_path, const char *cfg_path, network *net, metric **m,
                        gdrq_error *err);

/* "mAP@0.50", "top-1" or "mIoU" */
const char *metric_name(const metric *m);

/* How many images one measurement takes. */
int metric_images(const metric *m);

/* Called after each image; false stops the measurement. */
typedef bool metric_progress(void *user);

gdrq_status metric_measure(const metric *m, network *net, metric_progress *progress, void *user,
                           double *points, gdrq_error *err);

void metric_free(metric *m);

#endif
