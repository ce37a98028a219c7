#include "inspect/inspection.h"

#include "base/alloc.h"
#include "base/status.h"
#include "detect.h"
#include "list_progress.h"
#include "quantised_network.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void inspection_files(const inspection *in, char *line, size_t size) {
    char before[256] = "", pictures[64] = "";
    if (in->before)
        snprintf(before, sizeof before, ", before: %.200s", file_name(in->before));
    if (in->pictures)
        snprintf(pictures, sizeof pictures, ", input of %d picture%s", in->pictures,
                 in->pictures == 1 ? "" : "s");
    snprintf(line, size, "%.150s, %.150s%s%s", file_name(in->cfg), file_name(in->weights), before,
             pictures);
}

/* ---- layers ---- */

static threshold_span span_of(const gdrq_quantisation *q) {
    const int top = (1 << (q->weight_bits - 1)) - 1;
    threshold_span span = {.least = INFINITY};
    for (int g = 0; g < q->groups; g++) {
        const double threshold = (double)q->weight_steps[g] * top;
        span.mean += threshold / q->groups;
        span.least = fmin(span.least, threshold);
        span.most = fmax(span.most, threshold);
    }
    return span;
}

static gdrq_status make_layers(inspection *in, gdrq_error *err) {
    network *net = in->net;
    in->layers = gdrq_alloc((size_t)net->n, sizeof *in->layers);
    if (in->images)
        in->inputs = gdrq_alloc((size_t)net->n, sizeof *in->inputs);
    if (!in->layers || (in->images && !in->inputs))
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", net->n);
    for (int i = 0; i < net->n; i++) {
        inspected_layer *l = &in->layers[in->n];
        if (!gdrq_network_quantisation(net, i, &l->quantisation))
            continue;
        quantised_shape(&net->layers[i], l->shape, sizeof l->shape);
        l->input = in->inputs ? &in->inputs[i] : NULL;
        in->n++;
    }
    return GDRQ_OK;
}

/* Of the first n layers of the network, with the weights that it has now. */
static gdrq_status gather_weights(inspection *in, int n, bool before, const char *path,
                                  gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int k = 0; k < in->n && status == GDRQ_OK; k++) {
        inspected_layer *l = &in->layers[k];
        gdrq_quantisation q;
        if (l->quantisation.layer >= n ||
            !gdrq_network_quantisation(in->net, l->quantisation.layer, &q))
            continue;
        gdrq_error reason;
        status = gdrq_weight_distribution(&q, before ? &l->before : &l->weights, &reason);
        if (status != GDRQ_OK)
            return gdrq_fail(err, status, "%.500s: %.500s", path, reason.message);
        *(before ? &l->threshold_before : &l->threshold) = span_of(&q);
        q.weights = q.weight_codes = q.weight_steps = NULL;
        l->quantisation = q;
    }
    return status;
}

static gdrq_status gather_before(inspection *in, gdrq_error *err) {
    gdrq_load_report found;
    const gdrq_status status = gdrq_network_load(in->net, in->before, true, &found, err);
    if (status != GDRQ_OK)
        return status;
    if (!found.complete)
        report("%s: holds layers 0 to %d of %d; for the others there is no before", in->before,
               found.layers - 1, in->net->n);
    return gather_weights(in, found.layers, true, in->before, err);
}

/* ---- inputs ---- */

gdrq_status inspection_run(inspection *in, const picture_paths *paths, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < paths->n && status == GDRQ_OK; i++) {
        status = predict_picture_file(in->net, paths->at[i], err);
        if (status == GDRQ_OK)
            status = gdrq_network_add_inputs(in->net, in->inputs, err);
        if (status == GDRQ_OK && paths->n > 1)
            list_progress(NULL, i + 1, paths->n);
    }
    in->pictures = paths->n;
    return status;
}

/* ---- all of it ---- */

gdrq_status inspection_open(inspection *in, gdrq_error *err) {
    gdrq_status status = gdrq_network_parse(in->cfg, report_note, NULL, &in->net, err);
    if (status == GDRQ_OK)
        status = quantised_network_check(in->net, in->cfg, "inspect", err);
    if (status == GDRQ_OK)
        status = make_layers(in, err);
    if (status == GDRQ_OK && in->before)
        status = gather_before(in, err);
    if (status == GDRQ_OK)
        status = gdrq_network_load(in->net, in->weights, false, NULL, err);
    if (status == GDRQ_OK)
        status = gather_weights(in, in->net->n, false, in->weights, err);
    return status == GDRQ_OK && in->images ? gdrq_network_ready(in->net, err) : status;
}

void inspection_free(inspection *in) {
    free(in->layers);
    free(in->inputs);
    if (in->net)
        free_network(in->net);
    in->net = NULL;
    in->layers = NULL;
    in->inputs = NULL;
    in->n = 0;
}
