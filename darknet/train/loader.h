/*
 * Prepares augmented samples on background threads while the network trains on the batch before.
 * Sample k of a run (k counts images from the start of the training) is the same for the same seed,
 * whatever the number of threads.
 */
#ifndef DARKNET_TRAIN_LOADER_H
#define DARKNET_TRAIN_LOADER_H

#include "image/picture.h"
#include "train/random.h"

#include <stddef.h>
#include <stdint.h>

typedef struct loader loader;

/* Where one sample goes. */
typedef struct loader_sample {
    int w, h;             /* of the network's input */
    unsigned char *codes; /* planar RGB, 3 * h * w */
    float *truth;         /* loader_options.truths floats, 0 before the sample is made */
} loader_sample;

/*
 * What a task makes of image number `image`, decoded: augmentation and truth. Called by several
 * threads at once; what it draws comes from `random` alone.
 */
typedef gdrq_status loader_make(const void *user, random_stream *random, int image,
                                const picture *p, const loader_sample *sample, gdrq_error *err);

typedef struct loader_options {
    char *const *paths; /* of the images; borrowed */
    int n_images;
    loader_make *make;
    const void *user; /* the first argument of make */
    int truths;       /* floats of truth per sample */
    uint64_t seed;
    int threads;
    size_t cache_bytes; /* for decoded images */
} loader_options;

/* What suits a training on this machine: threads and cache_bytes; the rest is 0. */
loader_options loader_options_default(void);

/* n samples: 3 * h * w codes and loader_options.truths floats each. */
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
