#include "frame_bench.h"

#include "base/alloc.h"
#include "base/seconds.h"
#include "base/status.h"
#include "colour_input.h"
#include "detect.h"
#include "image/pixel_shares.h"

#include <stdlib.h>

enum { WARM_UPS = 3 };

/* Seconds of each run. */
typedef struct clock_card {
    double *letterbox, *network, *findings, *total;
} clock_card;

/* What becomes of the picture. */
typedef struct frame {
    network *net;
    const picture *picture;
    gdrq_box_options options;
    detections found;       /* of a detector */
    unsigned char *classes; /* of a segmenter: one for each pixel */
} frame;

static bool has_boxes(const network *net) {
    for (int i = 0; i < net->n; i++)
        if (net->layers[i].type == YOLO || net->layers[i].type == REGION ||
            net->layers[i].type == DETECTION)
            return true;
    return false;
}

static bool has_class(const detection *d) {
    for (int k = 0; k < d->classes; k++)
        if (d->prob[k] > 0)
            return true;
    return false;
}

static int count_found(const detections *found) {
    int n = 0;
    for (int i = 0; i < found->n; i++)
        n += has_class(&found->at[i]);
    return n;
}

/* Its two steps: the network's outputs, and what they mean. */
static gdrq_status predict(frame *f, double *seconds, gdrq_error *err) {
    const picture *p = f->picture;
    if (!f->classes)
        return predict_picture(f->net, p, seconds, err);
    const gdrq_pixels pixels = {p->data, p->w, p->h, 3 * (size_t)p->w, GDRQ_BGR};
    return gdrq_network_segment(f->net, &pixels, NULL, seconds, err);
}

static gdrq_status find(frame *f, gdrq_error *err) {
    const picture *p = f->picture;
    return f->classes ? gdrq_network_classes(f->net, p->w, p->h, f->classes, err)
                      : detect_boxes(f->net, p, &f->options, &f->found, err);
}

/* run < 0: a warm-up. */
static gdrq_status time_frame(frame *f, const clock_card *card, int run, gdrq_error *err) {
    double network_seconds;
    const double start = gdrq_seconds();
    gdrq_status status = predict(f, &network_seconds, err);
    const double predicted = gdrq_seconds();
    if (status == GDRQ_OK)
        status = find(f, err);
    const double end = gdrq_seconds();
    if (status != GDRQ_OK || run < 0)
        return status;
    card->letterbox[run] = predicted - start - network_seconds;
    card->network[run] = network_seconds;
    card->findings[run] = end - predicted;
    card->total[run] = end - start;
    return GDRQ_OK;
}

gdrq_status frame_bench_check(const network *net, const char *cfg_path, gdrq_error *err) {
    if (has_boxes(net) || gdrq_network_pixel_classes(net))
        return colour_input_check(net, cfg_path, err);
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                     "%s: the network has no [yolo], [region], [detection] or [segmentation]: it "
                     "finds no boxes, and gives pixels no class",
                     cfg_path);
}

static int count_classes(const frame *f) {
    const pixel_shares shares =
        pixel_shares_of(f->classes, (size_t)f->picture->w * (size_t)f->picture->h);
    int n = 0;
    for (int i = 0; i < gdrq_network_pixel_classes(f->net); i++)
        n += shares.of_class[i] > 0;
    return n;
}

gdrq_status frame_bench(network *net, const picture *p, float thresh, int runs, frame_times *times,
                        gdrq_error *err) {
    const size_t n = (size_t)runs, pixels = (size_t)p->w * (size_t)p->h;
    const bool segments = gdrq_network_pixel_classes(net);
    double *seconds = gdrq_alloc(n, 4 * sizeof *seconds);
    frame f = {.net = net,
               .picture = p,
               .options = {.thresh = thresh, .hier = .5f, .nms = detect_nms},
               .classes = segments ? gdrq_alloc(pixels, 1) : NULL};
    gdrq_status status = seconds && (f.classes || !segments)
                             ? GDRQ_OK
                             : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d runs", runs);
    const clock_card card = {seconds, seconds + n, seconds + 2 * n, seconds + 3 * n};
    for (int run = -WARM_UPS; run < runs && status == GDRQ_OK; run++)
        status = time_frame(&f, &card, run, err);
    if (status == GDRQ_OK)
        *times = (frame_times){.letterbox = gdrq_times_of(card.letterbox, runs),
                               .network = gdrq_times_of(card.network, runs),
                               .findings = gdrq_times_of(card.findings, runs),
                               .total = gdrq_times_of(card.total, runs),
                               .found = segments ? count_classes(&f) : count_found(&f.found)};
    detections_free(&f.found);
    free(f.classes);
    free(seconds);
    return status;
}
