/* The mean of the last frames' outputs, in place of the newest. */
#ifndef DARKNET_DEMO_AVERAGE_H
#define DARKNET_DEMO_AVERAGE_H

#include "darknet.h"
#include "gdrq.h"

typedef struct average {
    network *net;
    int frames;    /* that count */
    int n, next;   /* kept so far; the place of the next */
    size_t floats; /* of a frame */
    float *kept;   /* frames x floats */
} average;

/* Of the outputs of [yolo], [region] and [detection] layers or, without any, of the network's.
   For frames = 1 nothing is kept and nothing changes. */
gdrq_status average_open(average *a, network *net, int frames, gdrq_error *err);

/* Behind each run of the network. At the beginning there are fewer frames to take the mean of. */
void average_apply(average *a);

void average_forget(average *a);
void average_free(average *a);

#endif
