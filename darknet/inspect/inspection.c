#include "inspect/inspection.h"

#include "base/alloc.h"
#include "base/status.h"
#include "detect.h"
#include "quantised_network.h"
#include "report.h"
#include "work_progress.h"

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
        snprintf(before, sizeof before, ", before: %.200s%s", file_name(in->before),
                 in->rule_before ? " (T of inputs by cfg's rule)" : "");
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

/* Per layer of the network, as gdrq_network_add_inputs() wants it. */
static gdrq_distribution *make_inputs(const inspection *in, gdrq_error *err) {
    gdrq_distribution *inputs = gdrq_alloc((size_t)in->net->n, sizeof *inputs);
    if (!inputs)
        gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the inputs of %d layers", in->net->n);
    return inputs;
}

static gdrq_status make_layers(inspection *in, gdrq_error *err) {
    network *net = in->net;
    in->layers = gdrq_alloc((size_t)net->n, sizeof *in->layers);
    if (!in->layers)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", net->n);
    if (in->images && !(in->inputs = make_inputs(in, err)))
        return GDRQ_ERROR_MEMORY;
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

/* Of the first n layers of the network. */
static gdrq_status gather_weights(inspection *in, network *net, int n, gdrq_error *err) {
    const bool before = net == in->net_before;
    gdrq_status status = GDRQ_OK;
    for (int k = 0; k < in->n && status == GDRQ_OK; k++) {
        inspected_layer *l = &in->layers[k];
        gdrq_quantisation q;
        if (l->quantisation.layer >= n ||
            !gdrq_network_quantisation(net, l->quantisation.layer, &q))
            continue;
        gdrq_error reason;
        status = gdrq_weight_distribution(&q, before ? &l->before : &l->weights, &reason);
        if (status != GDRQ_OK)
            return gdrq_fail(err, status, "%.500s: %.500s", before ? in->before : in->weights,
                             reason.message);
        *(before ? &l->threshold_before : &l->threshold) = span_of(&q);
        q.weights = q.weight_codes = q.weight_steps = NULL;
        if (!before)
            l->quantisation = q;
    }
    return status;
}

static gdrq_status open_weights(inspection *in, gdrq_error *err) {
    gdrq_status status = gdrq_network_load(in->net, in->weights, false, NULL, err);
    if (status == GDRQ_OK)
        status = gather_weights(in, in->net, in->net->n, err);
    return status == GDRQ_OK && in->images ? gdrq_network_ready(in->net, err) : status;
}

static gdrq_status open_before(inspection *in, gdrq_error *err) {
    gdrq_load_report found;
    gdrq_status status = gdrq_network_parse(in->cfg, NULL, NULL, &in->net_before, err);
    if (status == GDRQ_OK)
        status = gdrq_network_load(in->net_before, in->before, true, &found, err);
    if (status != GDRQ_OK)
        return status;
    if (!found.complete)
        report("%s: holds layers 0 to %d of %d; for the others there is no before", in->before,
               found.layers - 1, in->net->n);
    else if (in->images && !(in->inputs_before = make_inputs(in, err)))
        return GDRQ_ERROR_MEMORY;
    return gather_weights(in, in->net_before, found.layers, err);
}

/* ---- inputs ---- */

/* inputs: NULL if nothing is to be gathered. */
static gdrq_status run_pictures(network *net, const picture_paths *paths, gdrq_distribution *inputs,
                                work_progress *progress, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < paths->n && status == GDRQ_OK; i++) {
        status = predict_picture_file(net, paths->at[i], err);
        if (status == GDRQ_OK && inputs)
            status = gdrq_network_add_inputs(net, inputs, err);
        if (status == GDRQ_OK)
            work_progress_add(progress, 1);
    }
    return status;
}

/* Of the values that layers read in float. */
static gdrq_status find_thresholds(network *net, const picture_paths *paths,
                                   work_progress *progress, gdrq_error *err) {
    gdrq_status status = gdrq_network_counting(net, true, err);
    gdrq_network_unquantised(net, true);
    if (status == GDRQ_OK)
        status = run_pictures(net, paths, NULL, progress, err);
    gdrq_network_unquantised(net, false);
    if (status == GDRQ_OK)
        status = gdrq_network_set_thresholds(net, GDRQ_CALIBRATE_BY_RULE, 0, err);
    gdrq_network_counting(net, false, NULL);
    return status;
}

static void keep_inputs_before(inspection *in) {
    for (int k = 0; k < in->n; k++) {
        inspected_layer *l = &in->layers[k];
        gdrq_quantisation q;
        if (!gdrq_network_quantisation(in->net_before, l->quantisation.layer, &q))
            continue;
        l->input_before = &in->inputs_before[q.layer];
        l->input_threshold_before = q.input_threshold;
    }
}

static gdrq_status run_before(inspection *in, const picture_paths *paths, gdrq_error *err) {
    gdrq_error reason;
    gdrq_status status = GDRQ_OK;
    in->rule_before = gdrq_network_ready(in->net_before, &reason) != GDRQ_OK;
    if (in->rule_before)
        report("%s: has no thresholds for all that layers read: each is found on these pictures, "
               "as the cfg's threshold_activations= says (k*mean|x|, or searched)",
               in->before);
    work_progress progress =
        work_progress_start("inputs before", (in->rule_before ? 2 : 1) * paths->n);
    if (in->rule_before)
        status = find_thresholds(in->net_before, paths, &progress, &reason);
    if (status == GDRQ_OK)
        status = run_pictures(in->net_before, paths, in->inputs_before, &progress, &reason);
    work_progress_end(&progress);
    if (status != GDRQ_OK)
        return gdrq_fail(err, status, "%.500s: %.500s", in->before, reason.message);
    keep_inputs_before(in);
    return GDRQ_OK;
}

static gdrq_status run_after(const inspection *in, const picture_paths *paths, gdrq_error *err) {
    work_progress progress = work_progress_start("inputs", paths->n);
    const gdrq_status status = run_pictures(in->net, paths, in->inputs, &progress, err);
    work_progress_end(&progress);
    return status;
}

gdrq_status inspection_run(inspection *in, const picture_paths *paths, gdrq_error *err) {
    gdrq_status status = in->inputs_before ? run_before(in, paths, err) : GDRQ_OK;
    if (status == GDRQ_OK && in->inputs)
        status = run_after(in, paths, err);
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
    if (status == GDRQ_OK)
        status = open_weights(in, err);
    return status == GDRQ_OK && in->before ? open_before(in, err) : status;
}

void inspection_free(inspection *in) {
    free(in->layers);
    free(in->inputs);
    free(in->inputs_before);
    if (in->net)
        free_network(in->net);
    if (in->net_before)
        free_network(in->net_before);
    in->net = in->net_before = NULL;
    in->layers = NULL;
    in->inputs = in->inputs_before = NULL;
    in->n = 0;
}
