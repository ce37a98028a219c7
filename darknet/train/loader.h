/*
 * Prepares augmented samples on background threads while the network trains on the batch before.
 * Sample k of a run (k counts images from the start of the training) is the same for the same seed,
 * whatever the number of threads.
 */
#ifndef DARKNET_TRAIN_LOADER_H
#define DARKNET_TRAIN_LOADER_H

#include "train/augment.h"

#include <stddef.h>
#include <stdint.h>

typedef struct loader loader;

/* A labelled image; boxes are as its label file has them. */
typedef struct loader_image {
    const char *path;
    const augment_box *boxes;
    int n_boxes;
} loader_image;

typedef struct loader_options {
    const loader_image *images; /* borrowed */
    int n_images;
    augment_options augment;
    int max_boxes; /* per sample */
    int truths;    /* floats of truth per sample, >= 5 * max_boxes; the rest is 0 */
    uint64_t seed;
    int threads;
    size_t cache_bytes; /* for decoded images */
} loader_options;

/* n samples: codes are planar RGB, 3 * h * w each; truth has x, y, w, h, class per box. */
typedef struct loader_batch {
    int n, w, h;
    unsigned char *codes;
    float *truth;
} loader_batch;

gdrq_status loader_open(const loader_options *options, loader **l, gdrq_error *err);

/*
 * Starts to prepare samples first..first+n-1 for a network input of w x h. Each request is to be
 * followed by loader_take() before the next one.
 */
gdrq_status loader_request(loader *l, uint64_t first, int n, int w, int h, gdrq_error *err);

/*
 * Waits for what was requested. The batch stays valid until the second request from here. Fails if
 * an image can't be read, with the first such sample's message.
 */
gdrq_status loader_take(loader *l, const loader_batch **batch, gdrq_error *err);

/* Stops the threads; NULL is allowed. */
void loader_close(loader *l);

#endif
