#include "demo/options.h"

#include "base/same_file.h"
#include "base/status.h"
#include "data/folder.h"
#include "demo/numbered.h"
#include "demo/source.h"
#include "demo/video_writer.h"

#include <limits.h>
#include <string.h>

enum { MOST_PORT = 65535, MOST_SIDE = 1 << 16, MOST_AVERAGE = 100 };

demo_options demo_defaults(void) {
    return (demo_options){
        .stall = 5, .hier = .5f, .average = 1, .http = -1, .mjpeg_port = -1, .json_port = -1};
}

/* Returns how many were added. */
static int add_flags(arg_flag *flags, const arg_flag *added, size_t n) {
    memcpy(flags, added, n * sizeof *added);
    return (int)n;
}

/* Of findings with scores. */
static int score_flags(demo_options *o, arg_flag *flags) {
    const arg_flag all[] = {
        {.name = "avg",
         .value_name = "N",
         .integer = &o->average,
         .min = 1,
         .max = MOST_AVERAGE,
         .help = "results come from the mean of the network's outputs for the last N frames "
                 "(upstream: always 3)"},
        {.name = "thresh",
         .value_name = "P",
         .real = &o->thresh,
         .max = 1,
         .help = "score above which something is shown"},
    };
    return add_flags(flags, all, sizeof all / sizeof *all);
}

static int common_flags(demo_options *o, arg_flag *flags) {
    const arg_flag all[] = {
        {.name = "c",
         .value_name = "N",
         .integer = &o->camera,
         .max = 1023,
         .help = "the camera, where no SOURCE is named"},
        {.name = "w",
         .value_name = "N",
         .integer = &o->w,
         .max = MOST_SIDE,
         .help = "width to ask the camera for; 0: its own"},
        {.name = "h",
         .value_name = "N",
         .integer = &o->h,
         .max = MOST_SIDE,
         .help = "height to ask it for; 0: its own (without a number: this help)"},
        {.name = "fps",
         .value_name = "N",
         .real = &o->camera_fps,
         .max = 1000,
         .help = "frames per second to ask it for; 0: its own"},
        {.name = "stall",
         .value_name = "S",
         .real = &o->stall,
         .min = .1,
         .max = 3600,
         .help = "seconds without a frame after which a camera or stream is opened anew"},
        {.name = "s",
         .value_name = "N",
         .integer = &o->skip,
         .max = 1000000,
         .help = "frames to leave out after each one"},
        {.name = "out_filename",
         .value_name = "FILE",
         .text = &o->out_filename,
         .help = "write a video (.avi, .mp4 or .mkv) with what was found drawn"},
        {.name = "prefix",
         .value_name = "P",
         .text = &o->prefix,
         .help = "write each frame to P_NUMBER.jpg, and open no window"},
        {.name = "json",
         .value_name = "FILE",
         .text = &o->json,
         .help = "write a line of JSON per frame; -: to standard output"},
        {.name = "ext_output", .on = &o->ext_output, .help = "print what is found, frame by frame"},
        {.name = "http",
         .value_name = "PORT",
         .integer = &o->http,
         .min = -1,
         .max = MOST_PORT,
         .help = "serve a web page with picture and results; 0: any free port"},
        {.name = "mjpeg_port",
         .value_name = "PORT",
         .integer = &o->mjpeg_port,
         .min = -1,
         .max = MOST_PORT,
         .help = "serve the pictures alone (Motion JPEG)"},
        {.name = "json_port",
         .value_name = "PORT",
         .integer = &o->json_port,
         .min = -1,
         .max = MOST_PORT,
         .help = "serve the lines of JSON alone"},
        {.name = "http_bind",
         .value_name = "ADDRESS",
         .text = &o->http_bind,
         .help = "the address of these ports; without, 127.0.0.1: this machine alone"},
        {.name = "fullscreen", .on = &o->fullscreen, .help = "let the window fill the screen"},
        {.name = "benchmark",
         .on = &o->benchmark,
         .help = "only measure: no output but the last line"},
        {.name = "time_limit_sec",
         .value_name = "N",
         .integer = &o->time_limit,
         .max = INT_MAX,
         .help = "stop after so many seconds; 0: never"},
    };
    return add_flags(flags, all, sizeof all / sizeof *all);
}

int demo_flags(demo_options *o, arg_flag flags[DEMO_MOST_FLAGS]) {
    const int n = common_flags(o, flags);
    return o->findings == DEMO_OBJECTS ? n + score_flags(o, flags + n) : n;
}

static gdrq_status refuse(const char *why, gdrq_error *err) {
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s", why);
}

static bool serves(const demo_options *o) {
    return o->http >= 0 || o->mjpeg_port >= 0 || o->json_port >= 0;
}

static bool same_port(int a, int b) {
    return a > 0 && a == b;
}

static gdrq_status check_outputs(const demo_options *o, gdrq_error *err) {
    const bool standard_output = o->json && !strcmp(o->json, "-");
    const bool any = o->out_filename || o->prefix || o->json || o->ext_output || serves(o);
    if (o->benchmark && any)
        return refuse("-benchmark has no output but its last line: leave out -out_filename, "
                      "-prefix, -json, -ext_output, -http, -mjpeg_port and -json_port",
                      err);
    if (o->benchmark && o->fullscreen)
        return refuse("-benchmark opens no window: -fullscreen makes no sense", err);
    if (o->fullscreen && (o->dont_show || o->prefix))
        return refuse("-fullscreen with -dont_show or -prefix makes no sense: they open no window",
                      err);
    if (standard_output && o->ext_output)
        return refuse("-json - and -ext_output would both print: give -json a file", err);
    if (o->http_bind && !serves(o))
        return refuse("-http_bind needs -http, -mjpeg_port or -json_port", err);
    if (same_port(o->http, o->mjpeg_port) || same_port(o->http, o->json_port) ||
        same_port(o->mjpeg_port, o->json_port))
        return refuse("-http, -mjpeg_port and -json_port need a port each", err);
    return GDRQ_OK;
}

static gdrq_status check_source(const demo_options *o, gdrq_error *err) {
    if (o->source && o->camera)
        return refuse("both -c and a SOURCE are given: which of them?", err);
    return o->source ? source_check(o->source, err) : GDRQ_OK;
}

/* The files of one run must not replace each other, nor what the source has. */
static gdrq_status check_files(const demo_options *o, gdrq_error *err) {
    const char *const json = o->json && strcmp(o->json, "-") ? o->json : NULL;
    const char *const outputs[] = {o->out_filename, json};
    if (o->out_filename && json && gdrq_same_file(o->out_filename, json))
        return refuse("-out_filename and -json name the same file", err);
    if (o->prefix && json && numbered_can_be(o->prefix, json))
        return refuse("-json names a picture that -prefix could write", err);
    const bool any = o->out_filename || json || o->prefix;
    return o->source && any ? source_check_outputs(o->source, outputs, 2, o->prefix, err) : GDRQ_OK;
}

gdrq_status demo_options_check(const demo_options *o, const char *const *inputs, int n_inputs,
                               gdrq_error *err) {
    gdrq_status status = check_source(o, err);
    if (status == GDRQ_OK)
        status = check_outputs(o, err);
    if (status == GDRQ_OK && o->out_filename)
        status = video_writer_check(o->out_filename, err);
    if (status == GDRQ_OK && o->out_filename)
        status = folder_check_output(o->out_filename, inputs, n_inputs, err);
    if (status == GDRQ_OK && o->json && strcmp(o->json, "-"))
        status = folder_check_output(o->json, inputs, n_inputs, err);
    if (status == GDRQ_OK && o->prefix)
        status = folder_check_file(o->prefix, err);
    return status == GDRQ_OK ? check_files(o, err) : status;
}
