/* A detector's average precision on labelled images: the network, the images, and eval/map.h. */
#ifndef EVAL_DETECTOR_MAP_H
#define EVAL_DETECTOR_MAP_H

#include "darknet.h"
#include "data/labelled_images.h"
#include "eval/map.h"

/* Called after each image; false stops the measurement. */
typedef bool detector_measure_progress(void *user, int done, int total);

/*
 * Runs the network over the images, with upstream's threshold for results that are to be ranked and
 * its non-maximum suppression, and evaluates what it finds; boxes are cut off at the images' edges.
 * The images' labels must be below `classes`, which is the network's number. May be called in the
 * middle of a training: the network is run with a batch of 1 as at inference, and afterwards its
 * batch, input size and mode are as before; layers' outputs and the sequence of rand() are not part
 * of that promise. `progress` may be NULL. Errors: activation thresholds that were never set
 * (GDRQ_ERROR_STATE), an image that can't be read, no truths at all (GDRQ_ERROR_FORMAT), stopped by
 * progress (GDRQ_ERROR_STATE). *result is to be freed with map_result_free(); on failure it is
 * empty.
 */
gdrq_status detector_measure(network *net, const labelled_images *images, int classes,
                             const map_options *options, detector_measure_progress *progress,
                             void *user, map_result *result, gdrq_error *err);

#endif
