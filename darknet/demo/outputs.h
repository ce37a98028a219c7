/* Where the results of a run go. Used by the main thread alone. */
#ifndef DARKNET_DEMO_OUTPUTS_H
#define DARKNET_DEMO_OUTPUTS_H

#include "demo/json_lines.h"
#include "demo/options.h"
#include "demo/recording.h"
#include "demo/web_sink.h"
#include "demo/window.h"

typedef struct outputs {
    const demo_options *options;
    demo_task *task;
    double fps; /* of the source; 0: unknown */
    bool live;
    bool has_window, has_web;
    recording recording;
    json_line line, web_line; /* of the newest frame; the web's has the best objects only */
    FILE *json;               /* NULL: none */
    web_sink web;
    bool started;
    double first;         /* moment of the first frame */
    unsigned long number; /* of the newest frame */
    double published;     /* when the web was told something last */
    char title[64];
} outputs;

gdrq_status outputs_open(outputs *out, const demo_options *o, demo_task *task, double fps,
                         bool live, gdrq_error *err);

/* Whether frames shall be drawn on now. */
bool outputs_want_drawing(const outputs *out);
/* Of outputs: whether the frame at hand shall be encoded as JPEG. For the drawing thread. */
bool outputs_want_jpeg(void *out);

/* Whether results are printed where the status line may be, too. */
bool outputs_print(const outputs *out);

gdrq_status outputs_put(outputs *out, const frame *f, const demo_statistics *statistics,
                        gdrq_error *err);

/* Without a frame, whether the source is away or the demo paused: tells the web how things stand,
   now and then. */
void outputs_put_state(outputs *out, const demo_statistics *statistics);

/* Saves the frame beside everything else, and says where. */
gdrq_status outputs_save(const frame *f, gdrq_error *err);

/* Ends all files and frees everything; the first error counts. */
gdrq_status outputs_finish(outputs *out, gdrq_error *err);

#endif
