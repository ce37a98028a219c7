/*
 * GDRQ_STOCK: which of the host's functions are left as they are, for comparison. The environment
 * variable is a comma-separated list of names, or "all"; it is read once.
 *
 *   name           what then stays the host's
 *   convolutional, connected, batchnorm, crnn, maxpool, avgpool, upsample, route, shortcut,
 *   reorg, dropout, softmax, activation, yolo, region
 *                  forward and backward of layers of that type, those inside of recurrent layers
 *                  included; "activation" and "batchnorm" also stand for the activations and the
 *                  batch norm of all other layers that the host computes
 *   update         the update of parameters, without adam and clip then
 *   gemm           matrix products
 *   blas           fill, copy, axpy and scal
 *   predict        the loop over the layers at inference, which zeroes all gradients then
 *   nms            do_nms_sort(), which sorts all boxes for each class then
 *
 * A function that is left to the host has the host's bugs again. Quantised layers have no stock
 * form: their functions are always ours.
 */
#ifndef GDRQ_PRIMITIVES_REPLACEMENTS_H
#define GDRQ_PRIMITIVES_REPLACEMENTS_H

#include <stdbool.h>

#include "gdrq.h"

typedef enum gdrq_replacement {
    GDRQ_REPLACES_CONVOLUTIONAL,
    GDRQ_REPLACES_CONNECTED,
    GDRQ_REPLACES_BATCHNORM,
    GDRQ_REPLACES_CRNN,
    GDRQ_REPLACES_MAXPOOL,
    GDRQ_REPLACES_AVGPOOL,
    GDRQ_REPLACES_UPSAMPLE,
    GDRQ_REPLACES_ROUTE,
    GDRQ_REPLACES_SHORTCUT,
    GDRQ_REPLACES_REORG,
    GDRQ_REPLACES_DROPOUT,
    GDRQ_REPLACES_SOFTMAX,
    GDRQ_REPLACES_ACTIVATION,
    GDRQ_REPLACES_YOLO,
    GDRQ_REPLACES_REGION,
    GDRQ_REPLACES_UPDATE,
    GDRQ_REPLACES_GEMM,
    GDRQ_REPLACES_BLAS,
    GDRQ_REPLACES_PREDICT,
    GDRQ_REPLACES_NMS,
    GDRQ_REPLACEMENTS,
} gdrq_replacement;

/* Whether ours runs: the variable doesn't name it, or is not valid (see the check). */
bool gdrq_replaces(gdrq_replacement replacement);

/* GDRQ_ERROR_ARGUMENT if the variable holds a name that is none; the message lists the names. */
gdrq_status gdrq_replacements_check(gdrq_error *err);

/* *stock gets bit r for each replacement r that the list (may be NULL) names, 0 on error. */
gdrq_status gdrq_replacements_parse(const char *list, unsigned *stock, gdrq_error *err);

#endif
