#include "detect.h"

#include "base/alloc.h"
#include "base/status.h"
#include "seconds.h"

#include <math.h>
#include <string.h>

static gdrq_pixels pixels_of(const picture *p) {
    return (gdrq_pixels){p->data, p->w, p->h, 3 * (size_t)p->w, GDRQ_BGR};
}

gdrq_status predict_picture(network *net, const picture *p, double *seconds, gdrq_error *err) {
    const gdrq_pixels pixels = pixels_of(p);
    return gdrq_network_predict_pixels(net, &pixels, seconds, err);
}

gdrq_status predict_picture_file(network *net, const char *path, gdrq_error *err) {
    picture p;
    gdrq_status status = picture_load(path, &p, err);
    if (status == GDRQ_OK)
        status = predict_picture(net, &p, NULL, err);
    picture_free(&p);
    return status;
}

bool is_detector(const network *net) {
    const LAYER_TYPE last = net->layers[net->n - 1].type;
    return last == YOLO || last == REGION;
}

static void run_single(network *net, float *input, double *seconds) {
    const int batch = net->batch;
    set_batch_network(net, 1);
    const double start = seconds_now();
    network_predict(net, input);
    *seconds += seconds_now() - start;
    set_batch_network(net, batch);
}

/* *input receives the network's 3 planes of the picture, allocated. */
static gdrq_status make_input(const network *net, const picture *p, float **input,
                              gdrq_error *err) {
    *input = NULL;
    if (net->c != 3)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "the network reads %d channels; pictures have 3 ([net] channels=3)",
                         net->c);
    const size_t n = 3 * (size_t)net->w * net->h;
    unsigned char *codes = gdrq_alloc(n, 1);
    *input = gdrq_alloc(n, sizeof **input);
    gdrq_status status = GDRQ_OK;
    if (!codes || !*input) {
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for a network input of %d x %d",
                           net->w, net->h);
    } else {
        const gdrq_pixels pixels = pixels_of(p);
        status = gdrq_letterbox(&pixels, net->w, net->h, codes, err);
    }
    if (status == GDRQ_OK)
        for (size_t i = 0; i < n; i++)
            (*input)[i] = codes[i] / 255.f;
    free(codes);
    return status;
}

/* Each of `rows` rows of w numbers backwards. */
static void mirror(float *x, size_t rows, int w) {
    for (size_t r = 0; r < rows; r++, x += w)
        for (int i = 0; i < w / 2; i++) {
            const float swapped = x[i];
            x[i] = x[w - 1 - i];
            x[w - 1 - i] = swapped;
        }
}

static bool is_head(const layer *l) {
    return l->type == YOLO || l->type == REGION;
}

static size_t head_floats(const network *net) {
    size_t n = 0;
    for (int i = 0; i < net->n; i++)
        if (is_head(&net->layers[i]))
            n += (size_t)net->layers[i].outputs;
    return n;
}

static void keep_heads(const network *net, float *kept) {
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        if (!is_head(l))
            continue;
        memcpy(kept, l->output, (size_t)l->outputs * sizeof *kept);
        kept += l->outputs;
    }
}

/*
 * A head's output of the mirrored picture becomes the mean of both. Its planes, per anchor, are x,
 * y, w, h and so on over h rows of w cells; x is the place within the cell, 0..1, so that mirrored
 * it is 1 - x.
 */
static void average_head(const layer *l, const float *kept) {
    const size_t plane = (size_t)l->w * l->h, planes = (size_t)l->outputs / plane;
    const size_t entries = planes / (size_t)l->n;
    mirror(l->output, planes * (size_t)l->h, l->w);
    for (size_t k = 0; k < planes; k++) {
        float *out = l->output + k * plane;
        const bool is_x = k % entries == 0;
        for (size_t i = 0; i < plane; i++)
            out[i] = (kept[k * plane + i] + (is_x ? 1 - out[i] : out[i])) / 2;
    }
}

/* The network's input is what is mirrored: the border may be a pixel wider on one side. */
static gdrq_status run_both_ways(network *net, const picture *p, double *seconds, gdrq_error *err) {
    float *input, *kept = gdrq_alloc(head_floats(net), sizeof *kept);
    gdrq_status status = make_input(net, p, &input, err);
    if (!kept)
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the network's outputs");
    if (status != GDRQ_OK) {
        free(input);
        free(kept);
        return status;
    }
    *seconds = 0;
    run_single(net, input, seconds);
    keep_heads(net, kept);
    mirror(input, 3 * (size_t)net->h, net->w);
    run_single(net, input, seconds);
    const float *of_head = kept;
    for (int i = 0; i < net->n; i++)
        if (is_head(&net->layers[i])) {
            average_head(&net->layers[i], of_head);
            of_head += net->layers[i].outputs;
        }
    free(input);
    free(kept);
    return GDRQ_OK;
}

gdrq_status detect_boxes(network *net, const picture *p, const gdrq_box_options *options,
                         detections *found, gdrq_error *err) {
    if (!found->boxes)
        found->boxes = gdrq_boxes_new();
    if (!found->boxes)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for boxes");
    return gdrq_network_boxes(net, p->w, p->h, options, found->boxes, &found->at, &found->n, err);
}

gdrq_status detect_with(network *net, const picture *p, const detect_options *options,
                        detections *found, gdrq_error *err) {
    found->n = 0;
    gdrq_status status = options->flip ? run_both_ways(net, p, &found->seconds, err)
                                       : predict_picture(net, p, &found->seconds, err);
    if (status == GDRQ_OK)
        status = detect_boxes(net, p, &options->boxes, found, err);
    return status;
}

gdrq_status detect_picture(network *net, const picture *p, float threshold, float hierarchy,
                           detections *found, gdrq_error *err) {
    const detect_options options = {
        .boxes = {.thresh = threshold, .hier = hierarchy, .nms = detect_nms}};
    return detect_with(net, p, &options, found, err);
}

void detections_free(detections *found) {
    gdrq_boxes_free(found->boxes);
    *found = (detections){0};
}

bool detection_is_finite(const detection *d) {
    return isfinite(d->bbox.x) && isfinite(d->bbox.y) && isfinite(d->bbox.w) && isfinite(d->bbox.h);
}
