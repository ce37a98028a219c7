#include "demo/demo.h"

#include "base/status.h"
#include "demo/outputs.h"
#include "demo/pipeline.h"
#include "demo/statistics.h"
#include "demo/status_line.h"
#include "output_check.h"
#include "report.h"
#include "seconds.h"
#include "train/stop.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long the main thread sleeps at most before it looks at keys, signals and the clock. */
static const double with_window = .01, without_window = .1;

static const float key_step = .02f;

typedef struct demo_state {
    const demo_options *options;
    camera *camera;
    pipeline *pipeline;
    outputs outputs;
    statistics statistics;
    status_line status_line;
    demo_thresholds thresholds;
    double started;
    frame *shown; /* the newest result that went out; NULL: none yet */
    bool paused, quits, saves;
} demo_state;

static void report_messages(demo_state *d) {
    gdrq_error message;
    if (!camera_message(d->camera, &message))
        return;
    status_line_end(&d->status_line);
    report("%s", message.message);
}

static float clamp(float x, float least) {
    return x < least ? least : x > 1 ? 1 : x;
}

/* Below, nearly each box of a detector would be one: keys don't lead there. */
static const float least_thresh = .01f;

static void change_thresholds(demo_state *d, float thresh, float hier) {
    if (d->options->findings != DEMO_OBJECTS)
        return;
    const float least = fminf(least_thresh, d->options->thresh);
    d->thresholds = (demo_thresholds){clamp(thresh, least), clamp(hier, 0)};
    pipeline_set_thresholds(d->pipeline, d->thresholds);
    web_sink_set_slider(&d->outputs.web, d->thresholds.thresh);
}

static void obey_key(demo_state *d, window_key key) {
    const demo_thresholds t = d->thresholds;
    switch (key) {
    case WINDOW_QUIT:
        d->quits = true;
        break;
    case WINDOW_PAUSE:
        d->paused = !d->paused;
        break;
    case WINDOW_SAVE:
        d->saves = true;
        break;
    case WINDOW_THRESH_UP:
        change_thresholds(d, t.thresh + key_step, t.hier);
        break;
    case WINDOW_THRESH_DOWN:
        change_thresholds(d, t.thresh - key_step, t.hier);
        break;
    case WINDOW_HIER_UP:
        change_thresholds(d, t.thresh, t.hier + key_step);
        break;
    case WINDOW_HIER_DOWN:
        change_thresholds(d, t.thresh, t.hier - key_step);
        break;
    case WINDOW_NOTHING:
        break;
    }
}

/* Keys, slider, signals, clock. */
static void look_around(demo_state *d) {
    float slider;
    if (d->outputs.has_window)
        obey_key(d, window_poll(d->outputs.title));
    if (d->outputs.has_web && web_sink_moved(&d->outputs.web, &slider))
        change_thresholds(d, slider, d->thresholds.hier);
    pipeline_want(d->pipeline, outputs_want_drawing(&d->outputs));
    report_messages(d);
    const int limit = d->options->time_limit;
    if (stop_signal() || (limit > 0 && seconds_now() - d->started >= limit))
        d->quits = true;
}

static const demo_statistics *show(demo_state *d, char state[CAMERA_STATE_SIZE]) {
    return statistics_show(&d->statistics, seconds_now(), pipeline_dropped(d->pipeline),
                           d->paused ? "paused" : camera_state(d->camera, state));
}

/* The frame is the demo's until the next one goes out, so that it can still be saved. */
static gdrq_status take_frame(demo_state *d, frame *f, gdrq_error *err) {
    char state[CAMERA_STATE_SIZE];
    if (d->shown)
        pipeline_give_back(d->pipeline, d->shown);
    d->shown = f;
    statistics_add(&d->statistics, f);
    if (outputs_print(&d->outputs))
        status_line_end(&d->status_line);
    return outputs_put(&d->outputs, f, show(d, state), err);
}

/* What was on the screen when the key was pressed. */
static gdrq_status save_shown(demo_state *d, gdrq_error *err) {
    if (!d->saves || !d->shown)
        return GDRQ_OK;
    d->saves = false;
    status_line_end(&d->status_line);
    return outputs_save(d->shown, err);
}

/* The next frame and all that goes with it. Paused, a file waits; a camera's frames are let go, so
   that afterwards they are new. */
static gdrq_status step(demo_state *d, bool *ended, gdrq_error *err) {
    char state[CAMERA_STATE_SIZE];
    const double patience = d->outputs.has_window ? with_window : without_window;
    *ended = false;
    look_around(d);
    gdrq_status status = save_shown(d, err);
    if (status != GDRQ_OK)
        return status;
    if (d->paused && !camera_is_live(d->camera)) {
        usleep((useconds_t)(1e6 * with_window));
        outputs_put_state(&d->outputs, show(d, state));
        return GDRQ_OK;
    }
    frame *f = pipeline_next(d->pipeline, patience, ended);
    if (f && d->paused)
        pipeline_give_back(d->pipeline, f);
    if (f && !d->paused)
        status = take_frame(d, f, err);
    else
        outputs_put_state(&d->outputs, show(d, state));
    status_line_show(&d->status_line, show(d, state));
    return status;
}

/* What was under way when it was told to stop still goes out. */
static gdrq_status drain(demo_state *d, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    bool ended = false;
    pipeline_stop(d->pipeline);
    while (!ended) {
        frame *f = pipeline_next(d->pipeline, without_window, &ended);
        if (f && status == GDRQ_OK && !d->paused)
            status = take_frame(d, f, err);
        else if (f)
            pipeline_give_back(d->pipeline, f);
    }
    return status;
}

static gdrq_status run(demo_state *d, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    bool ended = false;
    while (status == GDRQ_OK && !ended && !d->quits)
        status = step(d, &ended, err);
    if (status == GDRQ_OK)
        status = drain(d, err);
    report_messages(d);
    return status;
}

static gdrq_status start(demo_state *d, demo_task *task, gdrq_error *err) {
    const demo_options *o = d->options;
    const source_request request = {.what = o->source,
                                    .camera = o->camera,
                                    .w = o->w,
                                    .h = o->h,
                                    .fps = o->camera_fps,
                                    .stall = o->stall};
    gdrq_status status = camera_open(&request, &d->camera, err);
    /* Until here a signal ends the process at once: nothing has been begun. */
    stop_watch();
    if (status == GDRQ_OK)
        status = outputs_open(&d->outputs, o, task, camera_fps(d->camera),
                              camera_is_live(d->camera), err);
    const pipeline_setup setup = {.camera = d->camera,
                                  .task = task,
                                  .skip = o->skip,
                                  .thresholds = d->thresholds,
                                  .wants_jpeg = outputs_want_jpeg,
                                  .user = &d->outputs};
    d->started = seconds_now();
    return status == GDRQ_OK ? pipeline_start(&setup, &d->pipeline, err) : status;
}

/* Whatever went wrong, all that was begun is ended. */
static gdrq_status finish(demo_state *d, gdrq_status status, gdrq_error *err) {
    gdrq_error other;
    const unsigned long dropped = d->pipeline ? pipeline_dropped(d->pipeline) : 0;
    status_line_end(&d->status_line);
    if (d->pipeline)
        report_or_keep(pipeline_end(d->pipeline, &other), &other, &status, err);
    if (d->outputs.options)
        report_or_keep(outputs_finish(&d->outputs, &other), &other, &status, err);
    if (d->statistics.frames)
        status_line_sum_up(&d->statistics, dropped,
                           d->options->json && !strcmp(d->options->json, "-") ? stderr : stdout);
    return status;
}

/* A source that hangs might still be used while the process takes itself apart. */
static void leave_at_once(int status) {
    fflush(NULL);
    _exit(status);
}

static int exit_status(const demo_state *d, gdrq_status status, const gdrq_error *err) {
    if (status != GDRQ_OK)
        return report_error(err);
    if (camera_skipped(d->camera)) {
        report("frames that could not be read: %d", camera_skipped(d->camera));
        return 1;
    }
    if (!d->statistics.frames && !stop_signal()) {
        report("the source gave no frame");
        return 1;
    }
    return stop_signal() ? 128 + stop_signal() : 0;
}

int demo_run(const demo_options *options, demo_task *task) {
    gdrq_error err;
    demo_state *d = calloc(1, sizeof *d);
    if (!d) {
        task->free(task);
        report("out of memory");
        return 1;
    }
    d->options = options;
    d->thresholds = (demo_thresholds){options->thresh, options->hier};
    d->status_line = status_line_start();
    /* A reader of the results that goes away is an error of the write: files are still completed.
     */
    signal(SIGPIPE, SIG_IGN);
    gdrq_status status = start(d, task, &err);
    if (status == GDRQ_OK)
        status = run(d, &err);
    status = finish(d, status, &err);
    const int code = d->camera || status != GDRQ_OK ? exit_status(d, status, &err) : 0;
    const bool clean = camera_close(d->camera);
    task->free(task);
    free(d);
    if (!clean)
        leave_at_once(code);
    return code;
}

int demo_command(const demo_verb *verb, demo_options *o, int argc, char **argv) {
    enum { DATA, SOURCE = 3 };
    arg_flag flags[DEMO_MOST_FLAGS];
    int n = demo_flags(o, flags);
    flags[n++] = verb->flag;
    const arg_spec spec = {.command = verb->name,
                           .operands = "DATA CFG WEIGHTS [SOURCE]",
                           .help = verb->help,
                           .flags = flags,
                           .n_flags = n,
                           .refused = verb->refused,
                           .n_refused = verb->n_refused};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    demo_task *task = NULL;
    o->source = operands.at[SOURCE];
    o->dont_show = args_dont_show();
    gdrq_status status = demo_options_check(o, operands.at, operands.n, &err);
    if (status == GDRQ_OK)
        status = output_check_data_file((const char *const[]){o->out_filename, o->json}, 2,
                                        operands.at[DATA], NULL, TASK_CLASSIFY, &err);
    if (status == GDRQ_OK)
        status = verb->open(operands.at, o, &task, &err);
    return status == GDRQ_OK ? demo_run(o, task) : report_error(&err);
}
