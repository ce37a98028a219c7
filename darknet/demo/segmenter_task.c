#include "demo/task.h"

#include "base/alloc.h"
#include "base/status.h"
#include "image/overlay.h"
#include "results/print_shares.h"
#include "segment.h"
#include "segmenter.h"

#include <stdlib.h>

typedef struct segmenter_task {
    demo_task base;
    segmenter segmenter;
    float opacity;
} segmenter_task;

static segmenter_task *task_of(demo_task *t) {
    return (segmenter_task *)t;
}

static gdrq_status infer(demo_task *base, const gdrq_pixels *fitted, int frame_w, int frame_h,
                         demo_thresholds thresholds, demo_result *result, double *seconds,
                         gdrq_error *err) {
    (void)thresholds;
    const size_t n = (size_t)frame_w * (size_t)frame_h;
    gdrq_status status = demo_result_size_pixels(result, n, err);
    if (status == GDRQ_OK)
        status = segment_fitted(task_of(base)->segmenter.net, fitted, frame_w, frame_h,
                                result->pixels, seconds, err);
    if (status == GDRQ_OK)
        result->shares = pixel_shares_of(result->pixels, n);
    return status;
}

/* Each frame stands for itself. */
static void forget(demo_task *base) {
    (void)base;
}

static gdrq_status draw(demo_task *base, const demo_result *result, picture *p, gdrq_error *err) {
    (void)err;
    const segmenter_task *t = task_of(base);
    overlay_draw(p, result->pixels, &t->segmenter.colours, t->opacity, -1);
    return GDRQ_OK;
}

static void put_json(demo_task *base, const demo_result *result, int w, int h, FILE *out) {
    (void)w, (void)h;
    fputs("\"classes\":", out);
    shares_put_json(&result->shares, &task_of(base)->segmenter, out);
}

static void print(demo_task *base, const demo_result *result, const picture *p) {
    (void)p;
    shares_print(&result->shares, &task_of(base)->segmenter, stdout);
}

static void free_task(demo_task *base) {
    segmenter_close(&task_of(base)->segmenter);
    free(base);
}

static const demo_task functions = {.infer = infer,
                                    .forget = forget,
                                    .draw = draw,
                                    .put_json = put_json,
                                    .print = print,
                                    .free = free_task};

gdrq_status segmenter_task_open(const char *data, const char *cfg, const char *weights,
                                float opacity, demo_task **task, gdrq_error *err) {
    *task = NULL;
    segmenter_task *t = gdrq_alloc(1, sizeof *t);
    if (!t)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    const gdrq_status status = segmenter_open_trained(data, cfg, weights, &t->segmenter, err);
    t->opacity = opacity;
    return demo_task_opened(status, &functions, t->segmenter.net, &t->base, task);
}
