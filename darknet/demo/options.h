/* The flags of the demos of detectors, classifiers and segmenters. */
#ifndef DARKNET_DEMO_OPTIONS_H
#define DARKNET_DEMO_OPTIONS_H

#include "args.h"
#include "demo/findings.h"

typedef struct demo_options {
    const char *source; /* the operand; NULL: camera number `camera` */
    int camera, w, h;
    float camera_fps, stall;
    demo_findings findings;
    float thresh, hier; /* of objects */
    int average, skip, top;
    float opacity; /* of colours over pixels */
    const char *prefix, *out_filename, *json;
    int http, mjpeg_port, json_port; /* -1: none */
    const char *http_bind;
    int time_limit;
    bool dont_show, fullscreen, ext_output, benchmark;
} demo_options;

demo_options demo_defaults(void);

enum { DEMO_MOST_FLAGS = 24 };

/* The flags that all demos with o->findings have, whose targets are in *o; returns how many. */
int demo_flags(demo_options *o, arg_flag flags[DEMO_MOST_FLAGS]);

/*
 * Options that contradict each other or name what can't be, with all of the files that are read.
 * Nothing has been opened yet.
 */
gdrq_status demo_options_check(const demo_options *o, const char *const *inputs, int n_inputs,
                               gdrq_error *err);

#endif
