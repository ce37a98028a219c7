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

/* The same with the picture in a file, for what the network holds then. */
gdrq_status predict_picture_file(network *net, const char *path, gdrq_error *err);

/* Whether the network ends in a [yolo] or [region] layer: it finds boxes, and no one class. */
bool is_detector(const network *net);

/*
 * After non-maximum suppression; boxes are in fractions of the picture's sides. Zeroed before the
 * first use; filled again, they keep their memory.
 */
typedef struct detections {
    detection *at; /* in boxes */
    int n;
    gdrq_boxes *boxes;
    double seconds; /* of the network's run, or of both runs with `flip` */
} detections;

enum {
    DETECT_MAP_CLASSES = 200, /* entries of a map; the host's code knows this number only */
};

typedef struct detect_options {
    gdrq_box_options boxes;
    bool flip; /* run the mirrored picture, too, and average the outputs */
} detect_options;

/* The IoU that upstream uses for its class-by-class suppression. */
static const float detect_nms = .45f;

/*
 * What the network finds. Scores of suppressed classes are 0. With a map and a class tree, score i
 * is that of the tree's class map[i]. Free with detections_free().
 */
gdrq_status detect_with(network *net, const picture *p, const detect_options *options,
                        detections *found, gdrq_error *err);

/* The second half of it: the boxes of what the network has computed of the picture. */
gdrq_status detect_boxes(network *net, const picture *p, const gdrq_box_options *options,
                         detections *found, gdrq_error *err);

/* detect_with() upstream's suppression and nothing else. */
gdrq_status detect_picture(network *net, const picture *p, float threshold, float hierarchy,
                           detections *found, gdrq_error *err);

void detections_free(detections *found);

/* Whether all four numbers of the box are finite; an overflowing width has no place in results. */
bool detection_is_finite(const detection *d);

#endif
