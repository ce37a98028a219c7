/* What a yolo layer found, from its output: the host's get_yolo_detections(). */
#ifndef GDRQ_PRIMITIVES_YOLO_BOXES_H
#define GDRQ_PRIMITIVES_YOLO_BOXES_H

#include "darknet.h"

/*
 * Writes the boxes of image 0 whose objectness is above thresh to found[0..return value), at most
 * l->w * l->h * l->n, in the order of cells and, in each, of anchors. Box, objectness, number of
 * classes and prob, which has room for it: objectness times probability, 0 where that is not above
 * thresh. Boxes are relative to the network's input of net_w x net_h. An objectness that is not a
 * number is not above.
 */
int gdrq_yolo_boxes(const layer *l, int net_w, int net_h, float thresh, detection *found);

#endif
