/*
 * Anti-aliased lines, shapes and text on a picture. Coordinates are pixels from the picture's left
 * upper corner; pixel (i, j) covers [i, i + 1) x [j, j + 1). What lies outside is cut off.
 */
#ifndef DARKNET_IMAGE_CANVAS_H
#define DARKNET_IMAGE_CANVAS_H

#include "image/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct canvas_colour {
    unsigned char b, g, r;
    unsigned char opacity; /* 255: what lies below does not shine through */
} canvas_colour;

/* 0xrrggbb, opaque. */
static inline canvas_colour canvas_rgb(unsigned rgb) {
    return (canvas_colour){(unsigned char)rgb, (unsigned char)(rgb >> 8),
                           (unsigned char)(rgb >> 16), 255};
}

typedef struct canvas_point {
    float x, y;
} canvas_point;

typedef enum canvas_align { CANVAS_LEFT, CANVAS_CENTRE, CANVAS_RIGHT } canvas_align;

typedef struct canvas_font {
    float size; /* height of a capital letter, in pixels */
    bool bold;
} canvas_font;

/*
 * Set `on`, and `err` where a message is wanted. After a failure (memory) all further drawing does
 * nothing, so that it is enough to look at `status` once, at the end.
 */
typedef struct canvas {
    picture *on;
    gdrq_status status;
    gdrq_error *err;
} canvas;

/* An axis-parallel rectangle; edges between pixels are blended. */
void canvas_fill(canvas *c, float left, float top, float right, float bottom, canvas_colour colour);

/* The line through n points, with round joins and ends. Where it meets itself it blends once. */
void canvas_line(canvas *c, const canvas_point *points, int n, float width, canvas_colour colour);

void canvas_disc(canvas *c, canvas_point centre, float radius, canvas_colour colour);

/* ASCII text, on its baseline, to the right of `at`, centred on it, or to the left. */
void canvas_text(canvas *c, canvas_point at, canvas_align align, canvas_font font,
                 canvas_colour colour, const char *text);

/* Pixels from the first letter's left edge to the last one's right. */
float canvas_text_width(canvas_font font, const char *text);

#ifdef __cplusplus
}
#endif
#endif
