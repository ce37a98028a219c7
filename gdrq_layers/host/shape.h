/*
 * Shapes of layers as the host's constructors compute them, worked out from checked sections, with
 * the limits that those constructors do not check: a layer that passes can be made, run and
 * trained without an assertion, an overflow or an access out of bounds.
 *
 * The host leaves some shapes zero, and so do these: [route] and [dropout] have no input shape;
 * [cost] and the recurrent layers have neither; [softmax] (and so [segmentation]) and [detection]
 * have no output shape;
 * [reorg] with extra has no output shape; [crnn] swaps width and height.
 */
#ifndef GDRQ_HOST_SHAPE_H
#define GDRQ_HOST_SHAPE_H

#include "host/outline.h"
#include "host/section_value.h"

#include <stdint.h>

/* What a layer finds: the shape of the output before it, w = h = c = 0 where that is no image. */
typedef struct gdrq_layer_input {
    gdrq_place place;
    const gdrq_outline_layer *layers; /* those before it */
    int index;
    int w, h, c, inputs;
    int batch, time_steps; /* batch counts images, all time steps included */
} gdrq_layer_input;

/* What the network as a whole has to know about a layer. */
typedef struct gdrq_layer_facts {
    int64_t workspace_needed; /* bytes of shared scratch that the host's functions use */
    int truths;               /* truth per image if it is the last layer; 0: the net's outputs */
    int truth_read;           /* values of truth per image that it reads */
    int classes, coords;      /* of a layer that gives boxes */
    bool has_gradient;        /* keeps the gradient of its output */
    bool writes_gradient;     /* adds to its input's gradient even where none is kept */
} gdrq_layer_facts;

/*
 * Fills the layer's shapes, reads, activation, alpha, beta and keeps_values; layer->type and
 * layer->section are set. *facts is filled. Errors name the section and the key at fault.
 */
gdrq_status gdrq_layer_shape(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                             gdrq_layer_facts *facts, gdrq_error *err);

/* Of a maxpool: whether all windows along a side meet the image. Others have no maximum. */
bool gdrq_windows_meet_image(int64_t length, int64_t out, int size, int stride, int pad);

#endif
