/*
 * What the numbers of a folded network must be, wherever they come from: the writer checks what it
 * gets, the reader what it finds. Errors are of the given status and name `path` and the field.
 */
#ifndef GDRQ_MODEL_CHECK_H
#define GDRQ_MODEL_CHECK_H

#include "model/folded.h"

/* Network files have no more layers than this; an index is below it. */
enum { GDRQ_FOLDED_MAX_LAYERS = 65536 };

typedef struct gdrq_folded_checker {
    const char *path;
    gdrq_status status; /* of errors */
    const gdrq_folded *folded;
} gdrq_folded_checker;

/* The number of classes and layers; nothing else may be looked at before. */
gdrq_status gdrq_folded_check_counts(const gdrq_folded_checker *c, gdrq_error *err);

/* All classes. */
gdrq_status gdrq_folded_check_classes(const gdrq_folded_checker *c, gdrq_error *err);

/* Layer i but for its arrays, whose sizes are sane afterwards. The layers before i are good. */
gdrq_status gdrq_folded_check_fields(const gdrq_folded_checker *c, int i, gdrq_error *err);

/* The arrays of layer i: codes in their range, numbers finite. */
gdrq_status gdrq_folded_check_arrays(const gdrq_folded_checker *c, int i, gdrq_error *err);

/* The grid of a class but for its steps; all 0 if bits (2..8) or range (not AUTO) is wrong. */
gdrq_grid gdrq_folded_grid(int bits, gdrq_range range);

#endif
