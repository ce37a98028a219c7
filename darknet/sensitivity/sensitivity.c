#include "sensitivity/sensitivity.h"

#include "base/alloc.h"
#include "base/status.h"
#include "quantised_network.h"
#include "report.h"
#include "sensitivity/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t sensitive_layer_weights(const sensitive_layer *l) {
    return (size_t)l->quantisation.filters * l->quantisation.filter_size;
}

const char *sensitivity_unit(const sensitivity *s) {
    return s->metric ? "points" : "%";
}

/* ---- layers ---- */

static void describe_layer(sensitivity *s, sensitive_layer *l) {
    gdrq_quantisation *q = &l->quantisation;
    const layer *host = &s->net->layers[q->layer];
    quantised_shape(host, l->shape, sizeof l->shape);
    l->macs = (double)sensitive_layer_weights(l);
    if (!q->connected)
        l->macs *= (double)host->out_w * host->out_h;
    l->reads_pixels = !strcmp(q->input_range, "pixels");
    l->has_tensor = !l->reads_pixels && q->input_reader == q->layer;
    if (l->has_tensor)
        s->activation_bits = bits_with(s->activation_bits, q->input_bits);
    q->weights = q->weight_codes = q->weight_steps = NULL;
    for (int bits = 0; bits < BITS_END; bits++)
        l->weight_errors[bits] = l->activation_errors[bits] = NAN;
}

static gdrq_status make_layers(sensitivity *s, gdrq_error *err) {
    s->layers = gdrq_alloc((size_t)s->net->n, sizeof *s->layers);
    if (!s->layers)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", s->net->n);
    for (int i = 0; i < s->net->n; i++)
        if (gdrq_network_quantisation(s->net, i, &s->layers[s->n].quantisation))
            describe_layer(s, &s->layers[s->n++]);
    return GDRQ_OK;
}

/* ---- what bits come to ---- */

void sensitivity_cfg_bits(const sensitivity *s, layer_bits *bits) {
    for (int i = 0; i < s->n; i++) {
        const gdrq_quantisation *q = &s->layers[i].quantisation;
        bits[i] = (layer_bits){q->weight_bits, q->input_bits};
    }
}

double sensitivity_error(const double errors[BITS_END], int bits) {
    double most = errors[bits];
    for (int b = bits; b < BITS_END && !isnan(most); b++)
        most = fmax(fmax(most, 0), errors[b]); /* fmax() leaves out NANs */
    return most;
}

double sensitivity_sum(const sensitivity *s, const layer_bits *bits) {
    double sum = 0;
    for (int i = 0; i < s->n; i++) {
        const sensitive_layer *l = &s->layers[i];
        sum += sensitivity_error(l->weight_errors, bits[i].weights);
        if (l->has_tensor)
            sum += sensitivity_error(l->activation_errors, bits[i].activations);
    }
    return sum;
}

double sensitivity_bytes(const sensitivity *s, const layer_bits *bits) {
    double sum = 0;
    for (int i = 0; i < s->n; i++)
        sum += (double)gdrq_quantisation_bytes(&s->layers[i].quantisation, bits[i].weights);
    return sum;
}

double sensitivity_mean_bits(const sensitivity *s, const layer_bits *bits) {
    double sum = 0, weights = 0;
    for (int i = 0; i < s->n; i++) {
        const double n = (double)sensitive_layer_weights(&s->layers[i]);
        sum += n * bits[i].weights;
        weights += n;
    }
    return sum / weights;
}

/* ---- all of it ---- */

static gdrq_status read_network(sensitivity *s, gdrq_error *err) {
    gdrq_status status = gdrq_network_parse(s->cfg, report_note, NULL, &s->net, err);
    if (status == GDRQ_OK)
        status = quantised_network_check(s->net, s->cfg, "measure", err);
    if (status == GDRQ_OK)
        status = gdrq_network_load(s->net, s->weights, false, NULL, err);
    return status;
}

gdrq_status sensitivity_open(sensitivity *s, gdrq_error *err) {
    gdrq_status status = picture_paths_find(s->images, &s->paths, err);
    if (status == GDRQ_OK)
        status = read_network(s, err);
    if (status == GDRQ_OK && s->data)
        status = metric_open(s->data, s->cfg, s->net, &s->metric, err);
    if (status == GDRQ_OK)
        status = make_layers(s, err);
    return status;
}

void sensitivity_free(sensitivity *s) {
    picture_paths_free(&s->paths);
    metric_free(s->metric);
    free(s->layers);
    if (s->net)
        free_network(s->net);
    s->net = NULL;
    s->metric = NULL;
    s->layers = NULL;
    s->n = 0;
}
