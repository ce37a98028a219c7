/*
 * Histograms of what quantising does to numbers, drawn into a box of a picture. Sideways a value in
 * steps of its grid, upwards the share of all numbers per step: so values and codes, which are one
 * step apart, have the same scale.
 */
#ifndef INSPECT_HISTOGRAM_H
#define INSPECT_HISTOGRAM_H

#include "gdrq.h"
#include "image/plot.h"

/* 0xrrggbb; the first four are Okabe and Ito's, which people with colour vision deficiencies can
 * tell apart. */
enum {
    HISTOGRAM_CODES = 0x0072b2,
    HISTOGRAM_CLIPPED = 0xd55e00,
    HISTOGRAM_UNIFORM = 0x009e73,
    HISTOGRAM_INPUT = 0xe69f00,
    HISTOGRAM_BEFORE = 0x9fc3de,
    HISTOGRAM_INPUT_BEFORE = 0xf5dba3,
    HISTOGRAM_VALUES = 0xaab4c2,
    HISTOGRAM_SHADE = 0xdfe3e9,
    HISTOGRAM_OUTLINE = 0x55606e,
};

/* What part of a distribution is shown. */
typedef struct histogram_view {
    double from, to; /* steps */
    double top;      /* share of numbers per step; what is higher is cut */
} histogram_view;

typedef struct histogram {
    canvas *canvas;
    plot_box box;
    float unit; /* pixels per pixel of a picture in its usual size */
    const gdrq_distribution *of;
    histogram_view view;
    bool small; /* with few and short labels */
} histogram;

/* Shows the grid and all but very few of the numbers, and all bars but those far higher than most.
 */
histogram_view histogram_view_of(const gdrq_distribution *d);

/* Shows two of the same kind, so that they can be compared; either may be empty, a also NULL. */
histogram_view histogram_view_of_both(const gdrq_distribution *a, const gdrq_distribution *b);

/* The pixel of a value in steps. */
float histogram_x(const histogram *h, double steps);

/*
 * The numbers as they were; those that clipping moves in another colour, and not at all if that is
 * white. What lies beyond 3T is one bar there, as high as a code with so many numbers.
 */
void histogram_draw_values(const histogram *h, unsigned colour, unsigned clipped);

/* Marks bars of values that are cut, with the share of numbers in them, and what lies beyond 3T. */
void histogram_mark_values(const histogram *h);

/* The line around the bars of values, to be seen before codes whose bars would hide them. */
void histogram_outline_values(const histogram *h);

/* The numbers as codes; on the outermost, in another colour, what clipping moved there. */
void histogram_draw_codes(const histogram *h);

/* Marks bars of codes that are cut, with their share where there is room: after all other bars. */
void histogram_mark_codes(const histogram *h);

/* Lines: all codes as frequent as any other; the ends of the grid. */
void histogram_draw_uniform(const histogram *h);
void histogram_draw_thresholds(const histogram *h);

#endif
