#include "host/equalise.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "primitives/predict.h"
#include "train/quantised_layer.h"

struct gdrq_equaliser {
    const network *net;
    /* Per layer that writes such a tensor: per channel, the sum over images of the furthest value;
       NULL for all other layers. */
    double **reach;
};

/*
 * By how much a channel may be multiplied, at most: with 8 bits it had one code. What is 0 but for
 * rounding must not become as large as all else, or infinite, and what pictures other than these
 * hold in a channel that is almost empty in these must not be clipped away.
 */
static const double most_factor = 256;

static bool is_homogeneous(ACTIVATION a) {
    return a == LINEAR || a == RELU || a == LEAKY;
}

/* Whether a layer other than the one behind it reads the output of layer i. */
static bool is_joined(const network *net, int i) {
    for (int j = i + 1; j < net->n; j++) {
        const layer *l = &net->layers[j];
        if (l->type == SHORTCUT && l->index == i)
            return true;
        for (int k = 0; l->type == ROUTE && k < l->n; k++)
            if (l->input_layers[k] == i)
                return true;
    }
    return false;
}

/* Filters may then be multiplied each by a factor of its own without a loss of steps. */
static bool has_steps_per_filter(const layer *l) {
    const gdrq_quantised *q = gdrq_quantised_state(l);
    return !q || q->options.quant_groups == l->n;
}

static bool is_depthwise(const layer *l) {
    return l->type == CONVOLUTIONAL && l->groups == l->c && gdrq_quantised_state(l) &&
           has_steps_per_filter(l);
}

static bool writes_plain_floats(const layer *l) {
    return l->type == CONVOLUTIONAL && !l->binary && !l->xnor && is_homogeneous(l->activation) &&
           (l->batch_normalize || has_steps_per_filter(l));
}

static bool can_equalise(const network *net, int i) {
    return i + 1 < net->n && writes_plain_floats(&net->layers[i]) &&
           is_depthwise(&net->layers[i + 1]) && !is_joined(net, i);
}

gdrq_status gdrq_equaliser_new(const network *net, gdrq_equaliser **out, gdrq_error *err) {
    gdrq_equaliser *e = *out = gdrq_alloc(1, sizeof *e);
    bool ok = e && (e->reach = gdrq_alloc((size_t)net->n, sizeof *e->reach));
    if (e)
        e->net = net;
    for (int i = 0; ok && i < net->n; i++)
        if (can_equalise(net, i))
            ok = (e->reach[i] = gdrq_alloc((size_t)net->layers[i].out_c, sizeof **e->reach));
    if (ok)
        return GDRQ_OK;
    gdrq_equaliser_free(e);
    *out = NULL;
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the ranges of channels");
}

/* The T that n values need in the range. */
static float reach_of(const gdrq_running_threshold *t, const float *x, int n) {
    float highest = 0, lowest = 0;
    for (int i = 0; i < n; i++) {
        highest = x[i] > highest ? x[i] : highest;
        lowest = x[i] < lowest ? x[i] : lowest;
    }
    const gdrq_grid_family family = {t->bits, t->range, t->slope};
    const float below = -lowest * gdrq_threshold_of_minus_1(&family);
    return highest > below ? highest : below;
}

static void watch(void *user, int i) {
    const gdrq_equaliser *e = user;
    const layer *l = &e->net->layers[i];
    if (!e->reach[i])
        return;
    const gdrq_running_threshold *t = gdrq_quantised_state(l + 1)->input;
    const int spatial = l->out_h * l->out_w;
    for (int b = 0; b < l->batch; b++)
        for (int c = 0; c < l->out_c; c++)
            e->reach[i][c] +=
                reach_of(t, l->output + ((size_t)b * l->out_c + c) * spatial, spatial);
}

float *gdrq_equaliser_predict(gdrq_equaliser *e, float *input) {
    return gdrq_network_predict_watched(e->net, input, watch, e);
}

static void multiply(float *x, size_t n, float factor) {
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

/* Channel c of what the layer writes. */
static void scale_written(const layer *l, int c, float factor) {
    const size_t filter = (size_t)l->nweights / (size_t)l->n;
    if (l->batch_normalize)
        l->scales[c] *= factor;
    else
        multiply(l->weights + (size_t)c * filter, filter, factor);
    l->biases[c] *= factor;
}

/* Channel c of what a depthwise layer reads. */
static void scale_read(const layer *l, int c, float factor) {
    const size_t of_channel = (size_t)l->nweights / (size_t)l->c;
    multiply(l->weights + (size_t)c * of_channel, of_channel, factor);
}

/* Whether there was anything to do, which takes finite values. A channel that was 0 in all images
   stays as it is. */
static bool equalise(const gdrq_equaliser *e, int i) {
    const layer *l = &e->net->layers[i];
    double most = 0;
    for (int c = 0; c < l->out_c; c++)
        most = e->reach[i][c] > most ? e->reach[i][c] : most;
    if (!(most > 0 && most <= DBL_MAX))
        return false;
    for (int c = 0; c < l->out_c; c++)
        if (e->reach[i][c] > 0) {
            const float factor = (float)fmin(most / e->reach[i][c], most_factor);
            scale_written(l, c, factor);
            scale_read(l + 1, c, 1 / factor);
        }
    return true;
}

static gdrq_status check(const network *net, int i, gdrq_error *err) {
    const gdrq_quantised *q = gdrq_quantised_state(&net->layers[i]);
    if (!q || !q->weight_thresholds_set)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_STATE,
                     "layer %d: the thresholds of its weights were learned by a training, and "
                     "channels can't be equalised behind that: equalise the float weights",
                     i);
}

gdrq_status gdrq_equaliser_apply(gdrq_equaliser *e, int *tensors, gdrq_error *err) {
    *tensors = 0;
    for (int i = 0; i < e->net->n; i++)
        if (e->reach[i] &&
            (check(e->net, i, err) != GDRQ_OK || check(e->net, i + 1, err) != GDRQ_OK))
            return GDRQ_ERROR_STATE;
    for (int i = 0; i < e->net->n; i++) {
        if (!e->reach[i])
            continue;
        *tensors += equalise(e, i);
        /* What was seen is not so any more. */
        memset(e->reach[i], 0, (size_t)e->net->layers[i].out_c * sizeof **e->reach);
    }
    return GDRQ_OK;
}

void gdrq_equaliser_free(gdrq_equaliser *e) {
    for (int i = 0; e && e->reach && i < e->net->n; i++)
        free(e->reach[i]);
    if (e)
        free(e->reach);
    free(e);
}
