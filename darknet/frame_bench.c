#include "frame_bench.h"

#include "base/alloc.h"
#include "base/seconds.h"
#include "base/status.h"
#include "detect.h"

#include <stdlib.h>

enum { WARM_UPS = 3 };

/* Seconds of each run. */
typedef struct clock_card {
    double *letterbox, *network, *boxes, *total;
} clock_card;

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

/* run < 0: a warm-up. */
static gdrq_status time_frame(network *net, const picture *p, const gdrq_box_options *options,
                              detections *found, const clock_card *card, int run, gdrq_error *err) {
    double network_seconds;
    const double start = gdrq_seconds();
    gdrq_status status = predict_picture(net, p, &network_seconds, err);
    const double predicted = gdrq_seconds();
    if (status == GDRQ_OK)
        status = detect_boxes(net, p, options, found, err);
    const double end = gdrq_seconds();
    if (status != GDRQ_OK || run < 0)
        return status;
    card->letterbox[run] = predicted - start - network_seconds;
    card->network[run] = network_seconds;
    card->boxes[run] = end - predicted;
    card->total[run] = end - start;
    return GDRQ_OK;
}

gdrq_status frame_bench(network *net, const picture *p, float thresh, int runs, frame_times *times,
                        gdrq_error *err) {
    if (!has_boxes(net))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "the network has no [yolo], [region] or [detection]: it finds no boxes");
    const size_t n = (size_t)runs;
    double *seconds = gdrq_alloc(n, 4 * sizeof *seconds);
    if (!seconds)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d runs", runs);
    const clock_card card = {seconds, seconds + n, seconds + 2 * n, seconds + 3 * n};
    const gdrq_box_options options = {.thresh = thresh, .hier = .5f, .nms = detect_nms};
    detections found = {0};
    gdrq_status status = GDRQ_OK;
    for (int run = -WARM_UPS; run < runs && status == GDRQ_OK; run++)
        status = time_frame(net, p, &options, &found, &card, run, err);
    if (status == GDRQ_OK)
        *times = (frame_times){.letterbox = gdrq_times_of(card.letterbox, runs),
                               .network = gdrq_times_of(card.network, runs),
                               .boxes = gdrq_times_of(card.boxes, runs),
                               .total = gdrq_times_of(card.total, runs),
                               .found = count_found(&found)};
    detections_free(&found);
    free(seconds);
    return status;
}
