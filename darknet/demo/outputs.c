#include "demo/outputs.h"

#include "base/alloc.h"
#include "base/status.h"
#include "demo/numbered.h"
#include "report.h"
#include "seconds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds between two states that the web is told of. */
static const double state_interval = .5;

static bool writes_to_standard_output(const demo_options *o) {
    return o->json && !strcmp(o->json, "-");
}

/* A log: each line counts as soon as it is there. */
static gdrq_status open_json(outputs *out, gdrq_error *err) {
    const demo_options *o = out->options;
    if (!o->json && !out->has_web)
        return GDRQ_OK;
    gdrq_status status = json_line_open(&out->line, err);
    if (status == GDRQ_OK && out->has_web)
        status = json_line_open(&out->web_line, err);
    if (status != GDRQ_OK || !o->json)
        return status;
    out->json = writes_to_standard_output(o) ? stdout : fopen(o->json, "we");
    return out->json ? GDRQ_OK
                     : gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write there", o->json);
}

static gdrq_status open_window(outputs *out, gdrq_error *err) {
    const demo_options *o = out->options;
    if (o->dont_show || o->benchmark || o->prefix)
        return GDRQ_OK;
    if (!window_is_possible()) {
        report("there is no display, so no window (-dont_show says so beforehand)");
        return GDRQ_OK;
    }
    const gdrq_status status = window_open(out->title, o->fullscreen, err);
    out->has_window = status == GDRQ_OK;
    return status;
}

gdrq_status outputs_open(outputs *out, const demo_options *o, demo_task *task, double fps,
                         bool live, gdrq_error *err) {
    *out = (outputs){.options = o, .task = task, .fps = fps, .live = live, .title = "Demo"};
    out->has_web = o->http >= 0 || o->mjpeg_port >= 0 || o->json_port >= 0;
    if (o->out_filename)
        out->recording = recording_of(o->out_filename, fps / (o->skip + 1), live);
    gdrq_status status = out->has_web ? web_sink_open(&out->web, o, out->title, err) : GDRQ_OK;
    if (status == GDRQ_OK)
        status = open_json(out, err);
    if (status == GDRQ_OK)
        status = open_window(out, err);
    return status;
}

bool outputs_want_drawing(const outputs *out) {
    return out->has_window || out->options->out_filename || out->options->prefix;
}

bool outputs_want_jpeg(void *user) {
    outputs *out = user;
    return out->has_web && web_sink_wants_picture(&out->web);
}

/* Since the source's beginning: by its own clock, if it has one. */
static double position(const outputs *out, const frame *f) {
    return !out->live && out->fps > 0 ? (double)(f->number - 1) / out->fps
                                      : f->captured - out->first;
}

static gdrq_status put_json(outputs *out, gdrq_error *err) {
    if (!out->json)
        return GDRQ_OK;
    fputs(out->line.text, out->json);
    putc('\n', out->json);
    return fflush(out->json) == 0
               ? GDRQ_OK
               : gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write",
                                 out->json == stdout ? "standard output" : out->options->json);
}

static void publish(outputs *out, const frame *f, const demo_statistics *statistics) {
    const http_frame published = {.number = f->number,
                                  .jpeg = f->jpeg.n ? f->jpeg.data : NULL,
                                  .jpeg_size = f->jpeg.n,
                                  .detections = out->web_line.text,
                                  .statistics = *statistics};
    out->number = f->number;
    out->published = seconds_now();
    web_sink_publish(&out->web, &published);
}

void outputs_put_state(outputs *out, const demo_statistics *statistics) {
    if (!out->has_web || seconds_now() - out->published < state_interval)
        return;
    out->published = seconds_now();
    web_sink_publish(&out->web, &(http_frame){.number = out->number, .statistics = *statistics});
}

/* A log has all objects; the web's clients, which show them, the best. */
static gdrq_status make_lines(outputs *out, const frame *f, gdrq_error *err) {
    const double seconds = position(out, f);
    gdrq_status status = GDRQ_OK;
    if (out->json)
        status = json_line_make(&out->line, out->task, f, 0, seconds, err);
    if (status == GDRQ_OK && out->has_web)
        status = json_line_make(&out->web_line, out->task, f, DEMO_MOST_OBJECTS, seconds, err);
    return status;
}

static gdrq_status save_numbered(const frame *f, const char *prefix, char name[], size_t size,
                                 gdrq_error *err) {
    numbered_name(prefix, f->number, name, size);
    return picture_save(&f->image.picture, name, err);
}

static gdrq_status put_numbered(const frame *f, const char *prefix, gdrq_error *err) {
    const size_t size = strlen(prefix) + NUMBERED_MORE;
    char *name = gdrq_alloc(size, 1);
    if (!name)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    const gdrq_status status = save_numbered(f, prefix, name, size, err);
    free(name);
    return status;
}

static gdrq_status put_picture(outputs *out, const frame *f, gdrq_error *err) {
    const picture *p = &f->image.picture;
    gdrq_status status = GDRQ_OK;
    if (out->options->out_filename)
        status = recording_add(&out->recording, p, f->captured, err);
    if (status == GDRQ_OK && out->options->prefix)
        status = put_numbered(f, out->options->prefix, err);
    if (status == GDRQ_OK && out->has_window)
        status = window_show(out->title, p, err);
    return status;
}

bool outputs_print(const outputs *out) {
    return (out->json == stdout || out->options->ext_output) && isatty(STDOUT_FILENO);
}

gdrq_status outputs_put(outputs *out, const frame *f, const demo_statistics *statistics,
                        gdrq_error *err) {
    if (!out->started)
        out->first = f->captured;
    out->started = true;
    gdrq_status status = make_lines(out, f, err);
    if (status == GDRQ_OK)
        status = put_json(out, err);
    if (status != GDRQ_OK)
        return status;
    if (out->has_web)
        publish(out, f, statistics);
    if (out->options->ext_output) {
        printf("Frame %lu:\n", f->number);
        out->task->print(out->task, &f->result, &f->image.picture);
        fflush(stdout);
    }
    return put_picture(out, f, err);
}

gdrq_status outputs_save(const frame *f, gdrq_error *err) {
    char name[64];
    const gdrq_status status = save_numbered(f, "demo", name, sizeof name, err);
    if (status == GDRQ_OK)
        report("saved %s", name);
    return status;
}

static gdrq_status close_json(outputs *out, gdrq_error *err) {
    const bool own = out->json && out->json != stdout;
    FILE *json = out->json;
    out->json = NULL;
    return !own || fclose(json) == 0
               ? GDRQ_OK
               : gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't write", out->options->json);
}

gdrq_status outputs_finish(outputs *out, gdrq_error *err) {
    gdrq_error other;
    gdrq_status status = close_json(out, err);
    if (out->started && out->options->out_filename) {
        const gdrq_status finished = recording_finish(&out->recording, &other);
        report_or_keep(finished, &other, &status, err);
    }
    if (out->has_window)
        window_close(out->title);
    web_sink_close(&out->web);
    json_line_free(&out->line);
    json_line_free(&out->web_line);
    *out = (outputs){0};
    return status;
}
