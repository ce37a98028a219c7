#include "demo/task.h"

#include "base/alloc.h"
#include "base/status.h"
#include "classifier.h"
#include "demo/average.h"
#include "image/canvas.h"
#include "results/json_text.h"

#include <math.h>
#include <stdlib.h>

typedef struct classifier_task {
    demo_task base;
    classifier classifier;
    class_names names;
    average average;
    int top;
} classifier_task;

static classifier_task *task_of(demo_task *t) {
    return (classifier_task *)t;
}

static gdrq_status check_finite(const network *net, gdrq_error *err) {
    for (int i = 0; i < net->outputs; i++)
        if (!isfinite(net->output[i]))
            return gdrq_fail(err, GDRQ_ERROR_STATE,
                             "the network's output for this frame is not finite");
    return GDRQ_OK;
}

static gdrq_status infer(demo_task *base, const gdrq_pixels *fitted, int frame_w, int frame_h,
                         demo_thresholds thresholds, demo_result *result, double *seconds,
                         gdrq_error *err) {
    (void)frame_w, (void)frame_h;
    classifier_task *t = task_of(base);
    network *net = t->classifier.net;
    gdrq_status status = gdrq_network_predict_pixels(net, fitted, seconds, err);
    if (status == GDRQ_OK)
        status = check_finite(net, err);
    if (status == GDRQ_OK)
        status = demo_result_size_classes(result, t->top, err);
    if (status != GDRQ_OK)
        return status;
    average_apply(&t->average);
    if (net->hierarchy)
        hierarchy_predictions(net->output, net->outputs, net->hierarchy, 1, 1);
    top_k(net->output, net->outputs, t->top, result->classes);
    result->thresh = thresholds.thresh;
    for (int i = 0; i < t->top; i++)
        result->probabilities[i] = net->output[result->classes[i]];
    return GDRQ_OK;
}

static void forget(demo_task *base) {
    average_forget(&task_of(base)->average);
}

static bool is_shown(const demo_result *result, int i) {
    return result->probabilities[i] > result->thresh;
}

static gdrq_status draw(demo_task *base, const demo_result *result, picture *p, gdrq_error *err) {
    const classifier_task *t = task_of(base);
    const canvas_font font = {.size = fmaxf(8, (float)p->h / 40)};
    const float line = 2 * font.size;
    canvas c = {.on = p, .err = err};
    float baseline = line;
    for (int i = 0; i < result->n_classes; i++) {
        if (!is_shown(result, i))
            continue;
        char text[NAMES_LONGEST + 16];
        snprintf(text, sizeof text, "%5.2f%%  %s", 100 * (double)result->probabilities[i],
                 t->names.names[result->classes[i]]);
        const float right = 2 * font.size + canvas_text_width(font, text);
        canvas_colour ground = canvas_rgb(0);
        ground.opacity = 150;
        canvas_fill(&c, 0, baseline - 1.5f * font.size, right, baseline + .5f * font.size, ground);
        canvas_text(&c, (canvas_point){font.size, baseline}, CANVAS_LEFT, font,
                    canvas_rgb(0xffffff), text);
        baseline += line;
    }
    return c.status;
}

static void put_json(demo_task *base, const demo_result *result, int w, int h, FILE *out) {
    (void)w, (void)h;
    const classifier_task *t = task_of(base);
    const char *comma = "";
    fputs("\"objects\":[", out);
    for (int i = 0; i < result->n_classes; i++) {
        if (!is_shown(result, i))
            continue;
        fprintf(out, "%s{\"class_id\":%d, \"name\":", comma, result->classes[i]);
        json_put_string(out, t->names.names[result->classes[i]]);
        fprintf(out, ", \"confidence\":%f}", (double)result->probabilities[i]);
        comma = ",";
    }
    putc(']', out);
}

static void print(demo_task *base, const demo_result *result, const picture *p) {
    (void)p;
    const classifier_task *t = task_of(base);
    for (int i = 0; i < result->n_classes; i++)
        if (is_shown(result, i))
            printf("%5.2f%%: %s\n", 100 * (double)result->probabilities[i],
                   t->names.names[result->classes[i]]);
}

static void free_task(demo_task *base) {
    classifier_task *t = task_of(base);
    average_free(&t->average);
    class_names_free(&t->names);
    classifier_close(&t->classifier);
    free(t);
}

static const demo_task functions = {.infer = infer,
                                    .forget = forget,
                                    .draw = draw,
                                    .put_json = put_json,
                                    .print = print,
                                    .free = free_task};

gdrq_status classifier_task_open(const char *data, const char *cfg, const char *weights,
                                 int average_frames, int top, demo_task **task, gdrq_error *err) {
    *task = NULL;
    classifier_task *t = gdrq_alloc(1, sizeof *t);
    if (!t)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    gdrq_status status = classifier_open_trained(data, cfg, weights, &t->classifier, err);
    if (status == GDRQ_OK)
        status = classifier_names(&t->classifier, &t->names, err);
    if (status == GDRQ_OK)
        status = classifier_top(&t->classifier, top, &t->top, err);
    if (status == GDRQ_OK)
        status = average_open(&t->average, t->classifier.net, average_frames, err);
    return demo_task_opened(status, &functions, t->classifier.net, &t->base, task);
}
