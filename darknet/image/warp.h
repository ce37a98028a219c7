/* Pictures turned, scaled and moved in one step. */
#ifndef DARKNET_IMAGE_WARP_H
#define DARKNET_IMAGE_WARP_H

#include "image/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The point (xu * u + xv * v + x0, yu * u + yv * v + y0) of a picture belongs at (u, v) of the
 * result. In pixels; the first one's centre is (1/2, 1/2).
 */
typedef struct picture_map {
    double xu, xv, x0;
    double yu, yv, y0;
} picture_map;

/* w x h pixels, bilinear; of grey level `ground` where the map leaves the picture. */
gdrq_status picture_warp(const picture *in, const picture_map *map, int w, int h,
                         unsigned char ground, picture *out, gdrq_error *err);

#ifdef __cplusplus
}
#endif
#endif
