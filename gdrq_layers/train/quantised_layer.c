#include "train/quantised_layer.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fatal.h"
#include "base/status.h"
#include "primitives/batchnorm.h"
#include "quant/quantise.h"

/*
 * Passes over memory (one read or one write of an array) beyond those of the float layer, whose
 * products, batch norm, activation and update are the same. I: the input's array, W: the weights'.
 *
 *   forward    input codes: read I, write I; sum |x| comes along. The first forward ever: read I
 *              more, to have a threshold.
 *              weight codes: read W, write W. A group is read twice, for its threshold and for its
 *              codes, but is in the cache the second time unless it is larger.
 *   backward   the mask of the input's gradient: read I, in the pass that adds the gradient.
 *   update     only while reshaping: read W, write W, and a group twice as above.
 */

/* The host sets self_layer in recurrent layers only, where it is one of the layers inside. */
gdrq_quantised *gdrq_quantised_state(const layer *l) {
    return l->type == CONVOLUTIONAL || l->type == CONNECTED ? (gdrq_quantised *)l->self_layer
                                                            : NULL;
}

static void free_state(gdrq_quantised *q) {
    if (!q)
        return;
    free(q->weight_codes);
    free(q->weight_steps);
    free(q->factor);
    free(q->scale);
    free(q->bias);
    free(q->input_codes);
    free(q);
}

static gdrq_quantised *new_state(const layer *l, const gdrq_layer_options *options) {
    gdrq_quantised *q = gdrq_alloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->options = *options;
    q->filters = l->out_c;
    q->filter_size = l->type == CONNECTED ? (size_t)l->inputs : (size_t)(l->nweights / l->n);
    q->input_capacity = (size_t)l->batch * (size_t)l->inputs;
    const size_t filters = (size_t)q->filters;
    q->weight_codes = gdrq_alloc(filters * q->filter_size, sizeof(float));
    q->weight_steps = gdrq_alloc((size_t)options->quant_groups, sizeof(float));
    q->factor = gdrq_alloc(filters, sizeof(float));
    q->scale = gdrq_alloc(filters, sizeof(float));
    q->bias = gdrq_alloc(filters, sizeof(float));
    q->input_codes = gdrq_alloc(q->input_capacity, sizeof(float));
    if (q->weight_codes && q->weight_steps && q->factor && q->scale && q->bias && q->input_codes)
        return q;
    free_state(q);
    return NULL;
}

gdrq_status gdrq_quantised_make(layer *l, int index, const gdrq_layer_options *options,
                                gdrq_running_threshold *input, gdrq_training *training,
                                gdrq_error *err) {
    gdrq_quantised *q = new_state(l, options);
    if (!q)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "layer %d: out of memory to quantise it", index);
    q->index = index;
    q->input = input;
    q->training = training;
    /* Our batch norm needs no normalised copy of its input. */
    free(l->x_norm);
    l->x_norm = NULL;
    l->self_layer = (struct layer *)q;
    return GDRQ_OK;
}

gdrq_status gdrq_quantised_resize(gdrq_quantised *q, int batch, int inputs, gdrq_error *err) {
    const size_t need = (size_t)batch * (size_t)inputs;
    if (need <= q->input_capacity)
        return GDRQ_OK;
    float *codes = gdrq_realloc(q->input_codes, need, sizeof(float));
    if (!codes)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "layer %d: out of memory to quantise its input",
                         q->index);
    q->input_codes = codes;
    q->input_capacity = need;
    return GDRQ_OK;
}

void gdrq_quantised_free(layer *l) {
    gdrq_quantised *q = gdrq_quantised_state(l);
    if (!q)
        return;
    free_state(q);
    l->self_layer = NULL;
}

bool gdrq_quantised_reshapes(const gdrq_quantised *q) {
    return q->training->iteration < q->options.quantize_after;
}

gdrq_status gdrq_quantised_check(const gdrq_quantised *q, gdrq_error *err) {
    if (gdrq_threshold_is_set(q->input))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_STATE,
                     "the activation threshold that layer %d needs was never set: train the "
                     "network, or set it from images with `darknet gdrq calibrate`",
                     q->index);
}

/*
 * One pass over the input makes the codes and the sum of |x| that T's next move needs; only the
 * very first forward reads it twice, having no T to start with.
 */
static void quantise_input(gdrq_quantised *q, const float *x, size_t n, bool round, bool observe) {
    gdrq_running_threshold *t = q->input;
    if (t->first_reader == q->index)
        gdrq_threshold_commit(t);
    gdrq_error err;
    if (!observe)
        gdrq_must(gdrq_quantised_check(q, &err), &err);
    else if (t->first_reader == q->index && !gdrq_threshold_is_set(t))
        gdrq_threshold_start(t, gdrq_sum_abs(x, n), n);
    q->grid = gdrq_threshold_grid(t);
    const double sum = gdrq_quantise(x, n, &q->grid, round, q->input_codes);
    if (observe)
        gdrq_threshold_observe(t, sum, n);
}

static size_t group_size(const gdrq_quantised *q) {
    return (size_t)(q->filters / q->options.quant_groups) * q->filter_size;
}

static void quantise_weights(gdrq_quantised *q, const float *weights, bool round) {
    const int groups = q->options.quant_groups, filters_per_group = q->filters / groups;
    gdrq_quantise_weights(weights, groups, group_size(q), q->options.weight_bits,
                          q->options.k_weights, round, q->weight_codes, q->weight_steps);
    for (int i = 0; i < q->filters; ++i)
        q->factor[i] = q->weight_steps[i / filters_per_group] * q->grid.step;
}

void gdrq_quantised_begin_forward(gdrq_quantised *q, const layer *l, const network *net) {
    gdrq_error err;
    gdrq_must(gdrq_quantised_resize(q, l->batch, l->inputs, &err), &err);
    /* Deployment always rounds, so inference does too, whatever stage training is in. */
    const bool round = !net->train || !gdrq_quantised_reshapes(q);
    quantise_input(q, net->input, (size_t)l->batch * (size_t)l->inputs, round,
                   net->train || q->training->calibrating);
    quantise_weights(q, l->weights, round);
}

void gdrq_quantised_fold(gdrq_quantised *q, const layer *l) {
    const size_t bytes = (size_t)q->filters * sizeof(float);
    q->grid = gdrq_threshold_grid(q->input);
    quantise_weights(q, l->weights, true);
    if (l->batch_normalize) {
        gdrq_batchnorm_fold(q->filters, q->factor, l->scales, l->biases, l->rolling_mean,
                            l->rolling_variance, q->scale, q->bias);
        return;
    }
    memcpy(q->scale, q->factor, bytes);
    memcpy(q->bias, l->biases, bytes);
}

float *gdrq_quantised_sums(const layer *l) {
    return l->batch_normalize ? l->x : l->output;
}

void gdrq_quantised_pass_gradient(const gdrq_quantised *q, const layer *l, const float *x,
                                  float *delta) {
    gdrq_add_straight_through(x, (size_t)l->batch * (size_t)l->inputs, &q->grid, q->input_codes,
                              delta);
}

void gdrq_quantised_end_update(gdrq_quantised *q, const layer *l, const update_args *a) {
    /* The iteration that this update ends, which the other layers may have raised already. */
    q->training->iteration = q->training->start + a->t - 1;
    const bool reshapes = gdrq_quantised_reshapes(q);
    ++q->training->iteration;
    if (reshapes && q->options.reshape == GDRQ_RESHAPE_PROJECT)
        gdrq_project_weights(l->weights, q->options.quant_groups, group_size(q),
                             q->options.k_weights);
}
