/*
 * The checked outline of a network: what every layer is, what it reads and its shapes, worked out
 * from the cfg text before the host's parser sees it. The host's parser exits, asserts or writes
 * out of bounds on much that a cfg can say (indices, counts, shapes); a cfg that has an outline has
 * none of that. Pure: no host calls, no I/O but reading the file.
 */
#ifndef GDRQ_HOST_OUTLINE_H
#define GDRQ_HOST_OUTLINE_H

#include "darknet.h"
#include "gdrq.h"
#include "host/cfg.h"
#include "quant/options.h"

#include <stdint.h>

typedef struct gdrq_outline_layer {
    const gdrq_cfg_section *section;
    LAYER_TYPE type;   /* of the stock section that it becomes */
    bool quantised;    /* a gdrq_ or folded_ section; then `options` holds */
    bool folded;       /* a folded_ section */
    bool segmentation; /* [segmentation] */
    gdrq_layer_options options;
    ACTIVATION activation;
    float alpha, beta; /* shortcut's factors, both 1 by default */
    bool keeps_values; /* every output value is one of the input's values: maxpool, route,
                          upsample with scale 1, reorg with extra 0, dropout (at inference),
                          crop with noadjust=1 */
    int *reads;        /* indices of the layers that it reads; -1 is the network's input */
    int n_reads;
    int w, h, c, inputs; /* of the input, per image; w = h = c = 0 where it is no image */
    int out_w, out_h, out_c, outputs; /* of the output */
    size_t workspace; /* bytes of the network's scratch that the host's functions for it use */
    int filters;      /* convolutional and deconvolutional; outputs of connected */
    int size, stride, pad,
        groups; /* of convolutions; of pooling, upsample and reorg what they have */
} gdrq_outline_layer;

typedef struct gdrq_outline {
    gdrq_cfg cfg;
    int w, h, c, inputs; /* of the network's input, per image; w = h = c = 0: no image */
    int batch;           /* images per forward pass: [net] batch / subdivisions * time_steps */
    gdrq_outline_layer *layers;
    int n;
    char **notes; /* remarks that are no errors, one line each */
    int n_notes;
    char *untrainable; /* why training would crash the host, one line; NULL if it can be trained */
} gdrq_outline;

/*
 * Reads and checks a cfg. Errors name file, section number (layer index), line, key and what is
 * allowed. On failure *outline is empty. Free with gdrq_outline_free().
 */
gdrq_status gdrq_outline_read(const char *path, gdrq_outline *outline, gdrq_error *err);

/* The same from text. */
gdrq_status gdrq_outline_parse(const char *path, const char *text, size_t n, gdrq_outline *outline,
                               gdrq_error *err);

void gdrq_outline_free(gdrq_outline *outline);

/*
 * Whether the network's input is an image, so that its values are 8-bit pixels: code/255. Of an
 * input that [net] inputs= alone describes nothing is known.
 */
bool gdrq_outline_reads_pixels(const gdrq_outline *outline);

/* Whether it has folded sections; then all its quantised sections are folded ones. */
bool gdrq_outline_is_folded(const gdrq_outline *outline);

/*
 * A hash of what a folded network's numbers depend on: the layers, their connections, channels and
 * kernels, bits and ranges; not the size of the input, nor what only training or the choice of
 * detections looks at.
 */
uint64_t gdrq_outline_hash(const gdrq_outline *outline);

/*
 * The cfg that the host's parser gets: our sections become their stock namesakes, our keys are
 * left out, every line is "key=value" without blanks. Folded sections carry GDRQ_FOLDED_MARK as a
 * value that no checked cfg can have, by which our hooks for the host's constructors know them.
 * *text is allocated; free() it.
 */
#define GDRQ_FOLDED_MARK 0x46445247 /* "GRDF" */
gdrq_status gdrq_outline_translate(const gdrq_outline *outline, char **text, gdrq_error *err);

#endif
