/* A picture through a network, as evaluation and deployment see it. */
#ifndef DARKNET_DETECT_H
#define DARKNET_DETECT_H

#include "darknet.h"
#include "gdrq.h"
#include "image/picture.h"

/*
 * Letterboxes the picture to the network's input (8-bit codes, each divided by 255) and runs it
 * with a batch of 1; afterwards the network's batch is as before. *seconds, which may be NULL,
 * receives the time of the run alone.
 */
gdrq_status predict_picture(network *net, const picture *p, double *seconds, gdrq_error *err);

/* After non-maximum suppression; boxes are in fractions of the picture's sides. */
typedef struct detections {
    detection *at;
    int n;
    double seconds; /* of the network's run */
} detections;

/*
 * Everything whose score is above `threshold`; scores of suppressed classes are 0. `hierarchy` is
 * the threshold for going down a class tree. Free with detections_free().
 */
gdrq_status detect_picture(network *net, const picture *p, float threshold, float hierarchy,
                           detections *found, gdrq_error *err);

void detections_free(detections *found);

/* Whether all four numbers of the box are finite; an overflowing width has no place in results. */
bool detection_is_finite(const detection *d);

#endif
