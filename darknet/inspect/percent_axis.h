/* An upright axis of shares, in per cent. */
#ifndef INSPECT_PERCENT_AXIS_H
#define INSPECT_PERCENT_AXIS_H

#include "image/axis.h"
#include "image/plot.h"

/*
 * Draws an axis from 0 to the share `top` at the left of the box, with level lines through it, at
 * most `most` of them. Its values are per cent.
 */
axis percent_axis_draw(canvas *c, plot_box box, double top, int most);

#endif
