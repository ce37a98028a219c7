/* How long a picture takes from its pixels to the boxes on it, or the classes of its pixels, step
   by step. */
#ifndef DARKNET_FRAME_BENCH_H
#define DARKNET_FRAME_BENCH_H

#include "base/times.h"
#include "darknet.h"
#include "image/picture.h"

typedef struct frame_times {
    gdrq_times letterbox; /* pixels to the network's input */
    gdrq_times network;
    gdrq_times findings; /* outputs to boxes, non-maximum suppression included, or to classes */
    gdrq_times total;    /* of frames as a whole */
    int found;           /* boxes of the picture that have a class, or classes that occur */
} frame_times;

/* The network must find boxes or give pixels a class, of colour pictures. */
gdrq_status frame_bench_check(const network *net, const char *cfg_path, gdrq_error *err);

/*
 * The picture's way through a network that passed the check, `runs` times; boxes are those with
 * scores above thresh.
 */
gdrq_status frame_bench(network *net, const picture *p, float thresh, int runs, frame_times *times,
                        gdrq_error *err);

#endif
