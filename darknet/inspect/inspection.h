/* What quantising does to each layer of a network: the numbers of `darknet gdrq inspect`. */
#ifndef INSPECT_INSPECTION_H
#define INSPECT_INSPECTION_H

#include "darknet.h"
#include "gdrq.h"
#include "image/picture_paths.h"

/* The thresholds T of a layer's groups of weights. */
typedef struct threshold_span {
    double mean, least, most;
} threshold_span;

typedef struct inspected_layer {
    gdrq_quantisation quantisation; /* without pointers */
    char shape[64];                 /* "3x3, 16 to 32": channels in and out */
    threshold_span threshold, threshold_before;
    gdrq_distribution weights;
    gdrq_distribution before; /* of other weights of the layer; empty if there are none */
    /* NULL: no pictures or, of before, no weights for all layers. */
    const gdrq_distribution *input, *input_before;
    float input_threshold_before;
} inspected_layer;

typedef struct inspection {
    const char *cfg, *weights, *before, *images; /* paths; NULL: not given */
    inspected_layer *layers;                     /* the quantised ones */
    int n;
    /* Per layer of the network; NULL where those of layers are. */
    gdrq_distribution *inputs, *inputs_before;
    int pictures;
    network *net, *net_before; /* NULL: nothing to compare with */
    bool rule_before;          /* `before` has no T of inputs: found by the cfg's rule */
} inspection;

/*
 * Reads the network, whose cfg and weights *in names, and gathers all about its weights, and those
 * of `before`, which may be a backbone. Free with inspection_free(), whatever it returns.
 */
gdrq_status inspection_open(inspection *in, gdrq_error *err);

/*
 * Runs the network on the pictures, and gathers all about the inputs of its layers; before, the
 * same with the weights of `before` if they are those of all layers. Where these have no
 * thresholds, as float ones, each gets what the cfg's rule for it gives on the pictures.
 */
gdrq_status inspection_run(inspection *in, const picture_paths *paths, gdrq_error *err);

void inspection_free(inspection *in);

/* One line that says what was inspected: the names of the files. */
void inspection_files(const inspection *in, char *line, size_t size);

#endif
