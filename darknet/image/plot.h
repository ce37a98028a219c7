/* What diagrams are made of: colours, sharp lines, text that fits. */
#ifndef DARKNET_IMAGE_PLOT_H
#define DARKNET_IMAGE_PLOT_H

#include "image/canvas.h"

/* 0xrrggbb */
enum {
    PLOT_WHITE = 0xffffff,
    PLOT_INK = 0x27303c,
    PLOT_MUTED = 0x77818f,
    PLOT_GRID = 0xe8ebf0,
    PLOT_FRAME = 0xb9c1cc,
};

typedef struct plot_box {
    float left, top, right, bottom;
} plot_box;

/*
 * A line of one unit's width (in pixels) that starts at a whole pixel, so that it is sharp: upright
 * if the box has no width, else level.
 */
void plot_rule(canvas *c, plot_box line, float unit, unsigned colour);

/* The same in dashes; dash and gap in units. */
void plot_dashes(canvas *c, plot_box line, float dash, float gap, float unit, unsigned colour);

/* canvas_text() in an opaque colour. */
void plot_text(canvas *c, float x, float y, canvas_align align, canvas_font font, unsigned colour,
               const char *text);

/* From the box's left end, on its bottom; cut, with dots, where it would pass the right end. */
void plot_text_within(canvas *c, plot_box line, canvas_font font, unsigned colour,
                      const char *text);

/*
 * A number with its name before it, from *left on, which moves behind it; false, and nothing, if it
 * would pass `right`.
 */
bool plot_figure(canvas *c, float *left, float right, float y, float unit, const char *name,
                 const char *value);

#endif
