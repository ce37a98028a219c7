/* Classes of pixels drawn over the picture that they were found in. */
#ifndef DARKNET_IMAGE_OVERLAY_H
#define DARKNET_IMAGE_OVERLAY_H

#include "image/index_png.h"
#include "image/picture.h"

/*
 * Blends each pixel with the colour of its class, classes[y * p->w + x] as of
 * gdrq_network_classes(); opacity 0 leaves the picture, 1 hides it. Pixels of void_index stay; -1:
 * there are none. Threaded; allocates nothing, so that it can draw on frames of a video.
 */
void overlay_draw(picture *p, const unsigned char *classes, const palette *colours, float opacity,
                  int void_index);

#endif
