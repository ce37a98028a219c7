/* A frame on its way through the pipeline, with what is found in it and when things happened. */
#ifndef DARKNET_DEMO_FRAME_H
#define DARKNET_DEMO_FRAME_H

#include "demo/frame_buffer.h"
#include "demo/jpeg.h"
#include "demo/result.h"

/* How long each stage worked on it, in seconds. */
typedef struct demo_times {
    double prepare;
    double network; /* alone */
    double infer;   /* with boxes and the mean of frames */
    double draw;    /* with the JPEG */
} demo_times;

typedef struct frame {
    unsigned long number; /* of the source's frames, from 1; those that were dropped count, too */
    double captured;      /* moment of seconds_now() */
    double done;          /* the moment that the output took it */
    frame_buffer image;   /* as captured, then drawn on */
    unsigned char *input; /* fitted into the network's input, RGB */
    demo_result result;
    bool drawn;
    jpeg_buffer jpeg; /* of the drawn picture; empty if nobody wants it */
    demo_times times;
} frame;

#endif
