/*
 * The errors of a network with some layers quantised and the others in float. Outputs are compared
 * picture by picture: behind a run in float the layers are quantised one after the other, from the
 * last one on, so that only what follows must be run again.
 */
#include "sensitivity/sensitivity.h"

#include "base/status.h"
#include "detect.h"
#include "sensitivity/metric.h"
#include "sensitivity/outputs.h"
#include "train/stop.h"
#include "work_progress.h"

#include <math.h>

typedef struct measurement {
    sensitivity *s;
    work_progress progress;
    outputs reference; /* of the network in float, of the picture in work */
    double energy;     /* of all of them */
} measurement;

/* ---- between steps ---- */

/* Work is counted in runs of a layer or, with a metric, of the network. */
static double work_per_picture(const sensitivity *s) {
    return s->metric ? 1 : s->net->n;
}

static gdrq_status go_on(measurement *m, double work, gdrq_error *err) {
    work_progress_add(&m->progress, work);
    return stop_signal() ? gdrq_fail(err, GDRQ_ERROR_STATE, "stopped; nothing was written")
                         : GDRQ_OK;
}

static bool after_image(void *user) {
    measurement *m = user;
    return go_on(m, 1, NULL) == GDRQ_OK;
}

/* ---- setting bits ---- */

static gdrq_status set_layer(measurement *m, int i, layer_bits bits, gdrq_error *err) {
    return gdrq_network_set_bits(m->s->net, m->s->layers[i].quantisation.layer, bits.weights,
                                 bits.activations, err);
}

static gdrq_status set_all(measurement *m, const layer_bits *bits, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < m->s->n && status == GDRQ_OK; i++)
        status = set_layer(m, i, bits ? bits[i] : (layer_bits){0}, err);
    return status;
}

/* Thresholds are found among the values that layers read in float. */
static gdrq_status count_values(measurement *m, gdrq_error *err) {
    network *net = m->s->net;
    gdrq_status status = gdrq_network_counting(net, true, err);
    gdrq_network_unquantised(net, true);
    for (int i = 0; i < m->s->paths.n && status == GDRQ_OK; i++) {
        status = predict_picture_file(net, m->s->paths.at[i], err);
        if (status == GDRQ_OK)
            status = go_on(m, work_per_picture(m->s), err);
    }
    gdrq_network_unquantised(net, false);
    if (status == GDRQ_OK)
        status = gdrq_network_set_thresholds(net, GDRQ_CALIBRATE_SEARCH, 0, err);
    return status == GDRQ_OK ? set_all(m, NULL, err) : status;
}

/* ---- outputs ---- */

static gdrq_status add_distance(measurement *m, int first, double *sum, gdrq_error *err) {
    network *net = m->s->net;
    const gdrq_status status = gdrq_network_predict_again(net, first, err);
    if (status != GDRQ_OK)
        return status;
    *sum += outputs_distance(&m->reference, net);
    if (!isfinite(*sum))
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "the network's outputs are not finite once layers from layer %d on are "
                         "quantised: their weights are damaged, or training diverged",
                         first);
    return go_on(m, net->n - first, err);
}

typedef gdrq_status after_float(measurement *m, void *user, gdrq_error *err);

static gdrq_status run_picture(measurement *m, const char *path, after_float *after, void *user,
                               gdrq_error *err) {
    const gdrq_status status = predict_picture_file(m->s->net, path, err);
    if (status != GDRQ_OK)
        return status;
    m->energy += outputs_keep(&m->reference, m->s->net);
    return after(m, user, err);
}

/* Calls `after` behind a run in float of each picture. */
static gdrq_status run_pictures(measurement *m, after_float *after, void *user, gdrq_error *err) {
    gdrq_status status = outputs_make(&m->reference, m->s->net, err);
    for (int i = 0; i < m->s->paths.n && status == GDRQ_OK; i++)
        status = run_picture(m, m->s->paths.at[i], after, user, err);
    outputs_free(&m->reference);
    if (status == GDRQ_OK && !(isfinite(m->energy) && m->energy > 0))
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "the network's outputs in float are %s: nothing can be compared with them",
                         m->energy > 0 ? "not finite" : "not finite or all 0");
    return status;
}

/* ---- one layer at a time ---- */

/* Calls `try` for all bits to measure of layer i, which has them then. */
typedef gdrq_status try_bits(measurement *m, int i, double *error, gdrq_error *err);

static gdrq_status try_one(measurement *m, int i, layer_bits bits, try_bits *try, double *error,
                           gdrq_error *err) {
    gdrq_status status = set_layer(m, i, bits, err);
    if (status == GDRQ_OK)
        status = try(m, i, error, err);
    return status == GDRQ_OK ? set_layer(m, i, (layer_bits){0}, err) : status;
}

static gdrq_status try_layer(measurement *m, int i, try_bits *try, gdrq_error *err) {
    const sensitivity *s = m->s;
    sensitive_layer *l = &s->layers[i];
    gdrq_status status = GDRQ_OK;
    for (int b = BITS_FIRST; b < BITS_END && status == GDRQ_OK; b++) {
        if (bits_has(s->weight_bits, b))
            status = try_one(m, i, (layer_bits){.weights = b}, try, &l->weight_errors[b], err);
        if (status == GDRQ_OK && l->has_tensor && bits_has(s->activation_bits, b))
            status =
                try_one(m, i, (layer_bits){.activations = b}, try, &l->activation_errors[b], err);
    }
    return status;
}

static gdrq_status try_layers(measurement *m, try_bits *try, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = m->s->n - 1; i >= 0 && status == GDRQ_OK; i--)
        status = try_layer(m, i, try, err);
    return status;
}

static gdrq_status compare_layer(measurement *m, int i, double *error, gdrq_error *err) {
    if (isnan(*error))
        *error = 0;
    return add_distance(m, m->s->layers[i].quantisation.layer, error, err);
}

static gdrq_status compare_layers(measurement *m, void *unused, gdrq_error *err) {
    (void)unused;
    return try_layers(m, compare_layer, err);
}

static void to_per_cent(measurement *m) {
    for (int i = 0; i < m->s->n; i++)
        for (int b = BITS_FIRST; b < BITS_END; b++) {
            m->s->layers[i].weight_errors[b] *= 100 / m->energy;
            m->s->layers[i].activation_errors[b] *= 100 / m->energy;
        }
}

static gdrq_status measure_drop(measurement *m, double *drop, gdrq_error *err) {
    double points;
    const gdrq_status status =
        metric_measure(m->s->metric, m->s->net, after_image, m, &points, err);
    *drop = m->s->float_points - points;
    return status == GDRQ_OK ? go_on(m, 0, err) : status;
}

static gdrq_status drop_of_layer(measurement *m, int i, double *error, gdrq_error *err) {
    (void)i;
    return measure_drop(m, error, err);
}

/* How often a layer is tried. */
static int tries_of(const sensitivity *s, const sensitive_layer *l) {
    return bits_count(s->weight_bits) + (l->has_tensor ? bits_count(s->activation_bits) : 0);
}

static double work_of_layers(const sensitivity *s) {
    double runs = 0, layers = 0;
    for (int i = 0; i < s->n; i++) {
        const int tries = tries_of(s, &s->layers[i]);
        runs += tries;
        layers += tries * (double)(s->net->n - s->layers[i].quantisation.layer);
    }
    return s->paths.n * work_per_picture(s) +
           (s->metric ? (runs + 1) * metric_images(s->metric) : layers * (double)s->paths.n);
}

gdrq_status sensitivity_run(sensitivity *s, gdrq_error *err) {
    measurement m = {.s = s,
                     .progress = work_progress_start("measuring layers", work_of_layers(s))};
    gdrq_status status = count_values(&m, err);
    if (status == GDRQ_OK && s->metric) {
        status = metric_measure(s->metric, s->net, after_image, &m, &s->float_points, err);
        if (status == GDRQ_OK)
            status = try_layers(&m, drop_of_layer, err);
    } else if (status == GDRQ_OK) {
        status = run_pictures(&m, compare_layers, NULL, err);
        to_per_cent(&m);
    }
    work_progress_end(&m.progress);
    return status;
}

/* ---- all layers at once ---- */

typedef struct choices {
    const layer_bits *const *bits;
    int n;
    double *errors;
} choices;

static gdrq_status compare_choices(measurement *m, void *user, gdrq_error *err) {
    const choices *c = user;
    gdrq_status status = GDRQ_OK;
    for (int k = 0; k < c->n && status == GDRQ_OK; k++) {
        status = set_all(m, c->bits[k], err);
        if (status == GDRQ_OK)
            status = add_distance(m, 0, &c->errors[k], err);
    }
    return status == GDRQ_OK ? set_all(m, NULL, err) : status;
}

static gdrq_status drops_of_choices(measurement *m, const choices *c, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int k = 0; k < c->n && status == GDRQ_OK; k++) {
        status = set_all(m, c->bits[k], err);
        if (status == GDRQ_OK)
            status = measure_drop(m, &c->errors[k], err);
    }
    return status == GDRQ_OK ? set_all(m, NULL, err) : status;
}

gdrq_status sensitivity_measure(sensitivity *s, const layer_bits *const *bits, int n,
                                double *errors, gdrq_error *err) {
    const double runs =
        s->metric ? (double)n * metric_images(s->metric) : (double)n * s->paths.n * s->net->n;
    measurement m = {.s = s, .progress = work_progress_start("measuring choices", runs)};
    choices c = {bits, n, errors};
    for (int k = 0; k < n; k++)
        errors[k] = 0;
    const gdrq_status status =
        s->metric ? drops_of_choices(&m, &c, err) : run_pictures(&m, compare_choices, &c, err);
    for (int k = 0; k < n && !s->metric; k++)
        errors[k] *= 100 / m.energy;
    work_progress_end(&m.progress);
    return status;
}
