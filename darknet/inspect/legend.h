/* What the colours of histograms mean. */
#ifndef INSPECT_LEGEND_H
#define INSPECT_LEGEND_H

#include "image/plot.h"

/* On one line that ends at `right`, on the baseline y; returns its left end less a gap. */
float legend_draw(canvas *c, float right, float y, float unit);

/* One entry of such a line: a square of the colour, or a dash, and its name. */
float legend_entry(canvas *c, float right, float y, float unit, unsigned colour, bool dashed,
                   const char *name);

#endif
