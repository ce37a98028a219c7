/*
 * The host's .weights layout as a sequence of float arrays: a header, then layer by layer what each
 * type keeps, in the host's order. One walk serves for sizes, loading and saving.
 */
#ifndef GDRQ_HOST_WEIGHT_SPANS_H
#define GDRQ_HOST_WEIGHT_SPANS_H

#include <stdbool.h>
#include <stddef.h>

#include "darknet.h"

/* Which of the cfg's flags apply: dontload, numload and dontloadscales; dontsave; or none. */
typedef enum gdrq_direction { GDRQ_LOADING, GDRQ_SAVING, GDRQ_ALL } gdrq_direction;

typedef struct gdrq_weight_span {
    const layer *owner; /* a recurrent layer's parts own their arrays */
    float *data;
    size_t count;
    /* Where nonzero, data is a rows x cols matrix that old files hold transposed: connected
       weights in files of early versions, convolutional ones with flipped=1. */
    int rows, cols;
    bool flipped; /* transposed in any file, not only in early ones */
} gdrq_weight_span;

/* Calls visit for each array of the layer; stops at and returns the first false. */
typedef bool gdrq_visit_span(void *user, const gdrq_weight_span *span);
bool gdrq_visit_weight_spans(const layer *l, gdrq_direction direction, gdrq_visit_span *visit,
                             void *user);

/* Number of floats that the layer takes in a file. */
size_t gdrq_count_weights(const layer *l, gdrq_direction direction);

#endif
