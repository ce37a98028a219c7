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
    json_line line;
    FILE *json; /* NULL: none */
    web_sink web;
    bool started;
    double first; /* moment of the first frame */
    char title[64];
} outputs;

gdrq_status outputs_open(outputs *out, const demo_options *o, demo_task *task, double fps,
                         bool live, gdrq_error *err);

/* Whether frames shall be drawn on, and encoded as JPEG, now. */
bool outputs_want_drawing(const outputs *out);
bool outputs_want_jpeg(const outputs *out);

/* Whether results are printed where the status line may be, too. */
bool outputs_print(const outputs *out);

gdrq_status outputs_put(outputs *out, const frame *f, const demo_statistics *statistics,
                        gdrq_error *err);

/* Saves the frame beside everything else, and says where. */
gdrq_status outputs_save(const frame *f, gdrq_error *err);

/* Ends all files and frees everything; the first error counts. */
gdrq_status outputs_finish(outputs *out, gdrq_error *err);

#endif
