/* The bars that the values of a distribution are drawn as. */
#ifndef INSPECT_VALUE_BARS_H
#define INSPECT_VALUE_BARS_H

#include "gdrq.h"

#include <stdbool.h>

typedef struct value_bar {
    int first, last; /* bins */
    double from, to; /* steps */
    double share;    /* of all numbers */
    bool clipped;    /* beyond T */
    bool far;        /* the outermost: 3T and more, or -3T and less, wherever that is */
} value_bar;

/* How many bins hold numbers enough for no noise and span `least` steps, but no more than a code.
 */
int value_bars_bins(const gdrq_distribution *d, double least);

/*
 * The bar behind *b, which is zeroed for the first, of `bins` bins or of fewer up to an end of the
 * grid; false if there is none. Without numbers there are no bars.
 */
bool value_bars_next(const gdrq_distribution *d, int bins, value_bar *b);

/* The share of all numbers per step; that of the outermost, whose width says nothing, as on one. */
double value_bar_height(const value_bar *b);

#endif
