/* How long a picture takes from its pixels to the boxes on it, step by step. */
#ifndef DARKNET_FRAME_BENCH_H
#define DARKNET_FRAME_BENCH_H

#include "base/times.h"
#include "darknet.h"
#include "image/picture.h"

typedef struct frame_times {
    gdrq_times letterbox; /* pixels to the network's input */
    gdrq_times network;
    gdrq_times boxes; /* outputs to boxes, non-maximum suppression included */
    gdrq_times total; /* of frames as a whole */
    int found;        /* boxes of the picture that have a class */
} frame_times;

/*
 * The picture's way through the network `runs` times, with boxes of scores above thresh. The
 * network must have a detection layer: else GDRQ_ERROR_ARGUMENT.
 */
gdrq_status frame_bench(network *net, const picture *p, float thresh, int runs, frame_times *times,
                        gdrq_error *err);

#endif
