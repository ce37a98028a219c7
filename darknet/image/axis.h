/* The axes of a diagram: which numbers stand at the ticks, and where values lie. */
#ifndef DARKNET_IMAGE_AXIS_H
#define DARKNET_IMAGE_AXIS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    AXIS_MOST_TICKS = 24,
    AXIS_LABEL_SIZE = 32,
};

typedef struct axis {
    double from, to; /* values at both ends, from < to */
    bool logarithmic;
    double ticks[AXIS_MOST_TICKS]; /* rising, within from..to */
    int n_ticks;
    double step;      /* between linear ticks */
    float begin, end; /* pixels of from and to; for the user of the axis to set */
} axis;

/*
 * From `from` to `to`, both within +-1e300; a range that is empty is widened. Ticks are multiples
 * of 1, 2 or 5 times a power of ten, `most` of them or fewer (2..AXIS_MOST_TICKS).
 */
axis axis_linear(double from, double to, int most);

/* As axis_linear() for 1e-290 < from. Ticks are 1, 2 and 5, or 1 and 3, or 1 times powers of ten.
 */
axis axis_logarithmic(double from, double to, int most);

/* The pixel of a value; values beyond the ends lie on them. */
float axis_at(const axis *a, double value);

/* What to write at tick i: as many decimals as the ticks need, thousands as 10k, millions as 2M. */
void axis_label(const axis *a, int i, char label[AXIS_LABEL_SIZE]);

#endif
