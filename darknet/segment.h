/* A picture through a network that gives every pixel a class. */
#ifndef DARKNET_SEGMENT_H
#define DARKNET_SEGMENT_H

#include "darknet.h"
#include "gdrq.h"
#include "image/picture.h"

/*
 * The class of each of the picture's pixels, for which `classes` has room; an error names `path`.
 * *seconds, of the network's run, may be NULL.
 */
gdrq_status segment_picture(network *net, const char *path, const picture *p,
                            unsigned char *classes, double *seconds, gdrq_error *err);

/* The same for a frame of w x h that gdrq_letterbox_pixels() fitted into the network's input. */
gdrq_status segment_fitted(network *net, const gdrq_pixels *fitted, int w, int h,
                           unsigned char *classes, double *seconds, gdrq_error *err);

#endif
