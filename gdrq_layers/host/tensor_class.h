/*
 * Activation quantisers belong to tensors, not to layers: tensors joined by operations that keep
 * values (maxpool, route, upsample, reorg, dropout) form one class with one threshold, because at
 * deployment those operations run on the codes.
 */
#ifndef GDRQ_HOST_TENSOR_CLASS_H
#define GDRQ_HOST_TENSOR_CLASS_H

#include "gdrq.h"
#include "host/outline.h"
#include "quant/running_threshold.h"

typedef struct gdrq_tensor_classes {
    gdrq_running_threshold *classes; /* one per class that a quantised layer reads */
    int n;
    int *of_layer; /* per layer: index of the class that it reads, or -1 if it isn't quantised */
} gdrq_tensor_classes;

/*
 * Works out the classes of an outline. Readers of one class that disagree on its bits, range, k or
 * momentum are an error that names two of them. Free with gdrq_tensor_classes_free().
 */
gdrq_status gdrq_tensor_classes_build(const gdrq_outline *outline, gdrq_tensor_classes *out,
                                      gdrq_error *err);

void gdrq_tensor_classes_free(gdrq_tensor_classes *classes);

#endif
