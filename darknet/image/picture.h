/* Pictures of 8 bits per channel: files, resizing and drawing. OpenCV stays behind this header. */
#ifndef DARKNET_IMAGE_PICTURE_H
#define DARKNET_IMAGE_PICTURE_H

#include "gdrq.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes behind the last pixel: libswscale, which writes videos, reads whole vectors. */
enum { PICTURE_SLACK = 64 };

/* Interleaved BGR, rows without padding. A zeroed picture is empty. */
typedef struct picture {
    unsigned char *data; /* w * h * 3 codes and PICTURE_SLACK bytes, from malloc() */
    int w, h;
} picture;

/*
 * Reads any image format that OpenCV knows, as 8-bit colour, turned upright where the file says how
 * (EXIF). Fails on a missing, unreadable, undecodable, truncated or very large (2^28 pixels) image;
 * *p is then empty.
 */
gdrq_status picture_load(const char *path, picture *p, gdrq_error *err);

/* Writes .png, or .jpg / .jpeg of quality 95, by the path's extension; complete or not at all. */
gdrq_status picture_save(const picture *p, const char *path, gdrq_error *err);

/* Whether picture_save() knows the path's extension. */
bool picture_can_save(const char *path);

/* w x h pixels of one colour (b, g, r), each 0..255. */
gdrq_status picture_make(int w, int h, const unsigned char bgr[3], picture *p, gdrq_error *err);

/* Bilinear with pixel centres at half integers. */
gdrq_status picture_resize(const picture *in, int w, int h, picture *out, gdrq_error *err);

/*
 * Draws a rectangle, whose corners may lie outside of the picture, in the colour of class `index`;
 * above it, or inside where there is no room, the label on a ground of that colour. A class always
 * has the same colour.
 */
gdrq_status picture_draw_box(picture *p, float left, float top, float right, float bottom,
                             int index, const char *label, gdrq_error *err);

/* That colour (b, g, r). */
void picture_class_colour(int index, unsigned char bgr[3]);

void picture_free(picture *p);

#ifdef __cplusplus
}
#endif
#endif
