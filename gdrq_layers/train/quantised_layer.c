#include "train/quantised_layer.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fatal.h"
#include "base/status.h"
#include "primitives/batchnorm.h"
#include "primitives/blas.h"
#include "primitives/update.h"
#include "quant/fingerprint.h"
#include "quant/quantise.h"
#include "quant/gradient.h"
#include "train/channel_weights.h"
#include "train/learn_threshold.h"
#ifdef GPU
#include "primitives/batchnorm_gpu.h"
#include "train/cuda/quantised_gpu.h"
#endif

/*
 * Passes over memory (one read or one write of an array) beyond those of the float layer, whose
 * products, batch norm, activation and update are the same. I: the input's array, W: the weights'.
 *
 *   forward    input codes: read I, write I; sum |x| comes along. The first forward ever: read I
 *              more, to have a threshold.
 *              weight codes: read W, write W. A group is read twice, for its threshold and for its
 *              codes, but is in the cache the second time unless it is larger. Searched thresholds:
 *              some 30 times instead, but at inference only when the weights have changed.
 *   backward   the mask of the input's gradient: read I, in the pass that adds the gradient; a
 * learned threshold's comes along. Those of weights: read W and its gradient. update     only while
 * reshaping: read W, write W, and a group twice as above.
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
    free(q->weight_thresholds);
    free(q->searched_thresholds);
    free(q->weight_optimisers);
    free(q->channel_weights);
    free(q->factor);
    free(q->scale);
    free(q->bias);
    free(q->input_codes);
    free(q);
}

static bool learns_weight_thresholds(const gdrq_quantised *q) {
    return q->options.threshold_weights == GDRQ_THRESHOLD_LEARNED;
}

static bool make_learned(gdrq_quantised *q) {
    if (!learns_weight_thresholds(q))
        return true;
    const size_t groups = (size_t)q->options.quant_groups;
    q->weight_thresholds = gdrq_alloc(groups, sizeof *q->weight_thresholds);
    q->weight_optimisers = gdrq_alloc(groups, sizeof *q->weight_optimisers);
    return q->weight_thresholds && q->weight_optimisers;
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
    q->searched_thresholds = gdrq_alloc((size_t)options->quant_groups, sizeof(float));
    q->factor = gdrq_alloc(filters, sizeof(float));
    q->scale = gdrq_alloc(filters, sizeof(float));
    q->bias = gdrq_alloc(filters, sizeof(float));
    q->input_codes = gdrq_alloc(q->input_capacity, sizeof(float));
    if (q->weight_codes && q->weight_steps && q->factor && q->scale && q->bias && q->input_codes &&
        q->searched_thresholds && make_learned(q))
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

void gdrq_quantised_forget(const layer *l) {
    gdrq_quantised *q = gdrq_quantised_state(l);
    if (!q || !q->weight_thresholds)
        return;
    q->weight_thresholds_set = false;
    memset(q->weight_optimisers, 0, (size_t)q->options.quant_groups * sizeof *q->weight_optimisers);
}

bool gdrq_quantised_weight_channels(layer *l, bool on) {
    gdrq_quantised *q = gdrq_quantised_state(l);
    if (!q)
        return true;
    free(q->channel_weights);
    q->channel_weights = NULL;
    if (!on || l->type != CONVOLUTIONAL)
        return true;
    q->channel_weights = gdrq_alloc((size_t)l->c, sizeof *q->channel_weights);
    if (q->channel_weights)
        gdrq_channel_weights(l, q->scale, q->bias, q->channel_weights);
    return q->channel_weights != NULL;
}

void gdrq_quantised_free(layer *l) {
    gdrq_quantised *q = gdrq_quantised_state(l);
    if (!q)
        return;
#ifdef GPU
    gdrq_quantised_gpu_free(q);
#endif
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

static size_t group_size(const gdrq_quantised *q) {
    return (size_t)(q->filters / q->options.quant_groups) * q->filter_size;
}

/* Values in the place of codes, with a step of 1. */
static void take_input(gdrq_quantised *q, const float *x, size_t n) {
    q->grid.step = q->grid.inv_step = 1;
    memcpy(q->input_codes, x, n * sizeof *x);
}

static void take_weights(gdrq_quantised *q, const float *weights) {
    memcpy(q->weight_codes, weights, (size_t)q->filters * q->filter_size * sizeof *weights);
    for (int g = 0; g < q->options.quant_groups; ++g)
        q->weight_steps[g] = 1;
}

/*
 * One pass over the input makes the codes and the sum of |x| that T's next move needs; only the
 * very first forward reads it twice, having no T to start with.
 */
static void quantise_input(gdrq_quantised *q, const float *x, size_t n, bool round, bool train) {
    gdrq_running_threshold *t = q->input;
    if (t->first_reader == q->index)
        gdrq_threshold_commit(t);
    const bool observe = q->training->calibrating || (train && gdrq_threshold_follows(t));
    gdrq_error err;
    if (!observe)
        gdrq_must(gdrq_quantised_check(q, &err), &err);
    else if (t->first_reader == q->index && !gdrq_threshold_is_set(t))
        gdrq_threshold_start(t, gdrq_threshold_value(t, x, n, gdrq_sum_abs(x, n)));
    q->grid = gdrq_threshold_grid(t);
    const double sum = gdrq_quantise(x, n, &q->grid, round, q->input_codes);
    if (observe)
        gdrq_threshold_observe(t, gdrq_threshold_value(t, x, n, sum), n);
}

/* Scale-Clip in the reshape stage, whatever comes after it; a learned T counts once it is set. */
static gdrq_weight_rule weight_rule(const gdrq_quantised *q, bool round) {
    const gdrq_layer_options *o = &q->options;
    gdrq_weight_rule rule = {.bits = o->weight_bits,
                             .threshold = o->threshold_weights,
                             .k = o->k_weights,
                             .norm = o->search_norm,
                             .learned = q->weight_thresholds};
    if (!round)
        rule.threshold = GDRQ_THRESHOLD_SCALE;
    else if (rule.threshold == GDRQ_THRESHOLD_LEARNED && !q->weight_thresholds_set)
        rule.threshold = GDRQ_THRESHOLD_SEARCH;
    return rule;
}

/* T of a group as it was quantised last. */
static float group_threshold(const gdrq_quantised *q, int g) {
    return q->weight_steps[g] * (float)gdrq_weight_grid(q->options.weight_bits, 1).max;
}

static void quantise_by(gdrq_quantised *q, const gdrq_weight_rule *rule, const float *weights,
                        bool round) {
    gdrq_quantise_weights(weights, q->options.quant_groups, group_size(q), rule, round,
                          q->weight_codes, q->weight_steps);
}

/*
 * For inference, which sees the same weights again and again: a search takes some 30 passes over
 * them, so its result is kept.
 */
static void quantise_by_search(gdrq_quantised *q, gdrq_weight_rule rule, const float *weights) {
    const uint64_t fingerprint = gdrq_fingerprint(weights, (size_t)q->filters * q->filter_size);
    if (q->searched.valid && q->searched.bits == rule.bits && q->searched.weights == fingerprint) {
        rule.threshold = GDRQ_THRESHOLD_LEARNED;
        rule.learned = q->searched_thresholds;
        quantise_by(q, &rule, weights, true);
        return;
    }
    rule.found = q->searched_thresholds;
    quantise_by(q, &rule, weights, true);
    q->searched.valid = true;
    q->searched.bits = rule.bits;
    q->searched.weights = fingerprint;
}

static void quantise_weights(gdrq_quantised *q, const float *weights, bool round, bool train) {
    const gdrq_weight_rule rule = weight_rule(q, round);
    if (rule.threshold == GDRQ_THRESHOLD_SEARCH && !train)
        quantise_by_search(q, rule, weights);
    else
        quantise_by(q, &rule, weights, round);
}

static void set_factors(gdrq_quantised *q) {
    const int filters_per_group = q->filters / q->options.quant_groups;
    for (int i = 0; i < q->filters; ++i)
        q->factor[i] = q->weight_steps[i / filters_per_group] * q->grid.step;
}

/* Learned thresholds start from what the first training forward that rounds has found. */
static void start_learning(gdrq_quantised *q) {
    if (!learns_weight_thresholds(q))
        return;
    for (int g = 0; g < q->options.quant_groups; ++g)
        if (!q->weight_thresholds_set || !(q->weight_thresholds[g] > 0))
            q->weight_thresholds[g] = group_threshold(q, g);
    q->weight_thresholds_set = true;
}

/* [batch][channels][spatial], or values that all count alike. */
static void count_input(const gdrq_quantised *q, const layer *l, const float *x) {
    const size_t channels = q->channel_weights ? (size_t)l->c : 1;
    const size_t spatial = (size_t)l->inputs / channels;
    for (size_t i = 0; i < (size_t)l->batch * channels; i++)
        gdrq_histogram_add(q->input->histogram, x + i * spatial, spatial,
                           q->channel_weights ? q->channel_weights[i % channels] : 1);
}

void gdrq_quantised_begin_forward(gdrq_quantised *q, const layer *l, const network *net) {
    gdrq_error err;
    gdrq_must(gdrq_quantised_resize(q, l->batch, l->inputs, &err), &err);
    /* Deployment always rounds, so inference does too, whatever stage training is in. */
    const bool round = !net->train || !gdrq_quantised_reshapes(q);
    const bool as_it_is = !net->train && q->training->unquantised;
    const size_t n = (size_t)l->batch * (size_t)l->inputs;
    if (as_it_is && q->input->histogram)
        count_input(q, l, net->input);
    if (as_it_is || (!net->train && q->float_input))
        take_input(q, net->input, n);
    else
        quantise_input(q, net->input, n, round, net->train);
    if (as_it_is || (!net->train && q->float_weights))
        take_weights(q, l->weights);
    else
        quantise_weights(q, l->weights, round, net->train);
    set_factors(q);
    if (net->train && round)
        start_learning(q);
}

/* As it is computed where the layer is, here and below: that is the function that was trained. Sums
   over weights are rounded otherwise on the GPU. */
static void fold_weights(gdrq_quantised *q, const layer *l) {
#ifdef GPU
    if (q->gpu) {
        gdrq_quantised_gpu_pull_weights(q, l);
        return;
    }
#endif
    quantise_weights(q, l->weights, true, false);
}

static void fold_batchnorm(gdrq_quantised *q, const layer *l) {
#ifdef GPU
    for (int i = 0; q->gpu && i < q->filters; ++i)
        gdrq_gpu_batchnorm_fold(l->scales[i], l->rolling_mean[i], l->rolling_variance[i],
                                &q->scale[i], &q->bias[i]);
    if (q->gpu)
        return;
#endif
    gdrq_batchnorm_fold(q->filters, q->factor, l->scales, l->biases, l->rolling_mean,
                        l->rolling_variance, q->scale, q->bias);
}

void gdrq_quantised_fold(gdrq_quantised *q, const layer *l) {
    const size_t bytes = (size_t)q->filters * sizeof(float);
    q->grid = gdrq_threshold_grid(q->input);
    fold_weights(q, l);
    set_factors(q);
    memcpy(q->scale, q->factor, bytes);
    memcpy(q->bias, l->biases, bytes);
    if (l->batch_normalize)
        fold_batchnorm(q, l);
}

float *gdrq_quantised_sums(const layer *l) {
    return l->batch_normalize ? l->x : l->output;
}

bool gdrq_quantised_wants_weight_gradient(const gdrq_quantised *q) {
    return learns_weight_thresholds(q) || q->options.weight_gradient == GDRQ_WEIGHT_GRADIENT_MASK;
}

/* What one group adds; its gradient is that of the real values of its quantised weights. */
static void finish_group_gradient(gdrq_quantised *q, int g, const float *weights, float *gradient,
                                  bool round) {
    const size_t n = group_size(q);
    const bool learns = learns_weight_thresholds(q) && round;
    const gdrq_grid grid = gdrq_weight_grid(q->options.weight_bits, learns ? q->weight_thresholds[g]
                                                                           : group_threshold(q, g));
    if (learns)
        q->weight_optimisers[g].update +=
            gdrq_threshold_gradient_scale(grid.max, n) * q->grid.step *
            (float)gdrq_step_gradient(weights, n, &grid, round, gradient);
    if (q->options.weight_gradient == GDRQ_WEIGHT_GRADIENT_MASK)
        gdrq_mask_gradient(weights, n, &grid, gradient);
}

void gdrq_quantised_add_weight_gradient(gdrq_quantised *q, const layer *l, float *gradient) {
    const size_t n = group_size(q);
    const int groups = gdrq_quantised_wants_weight_gradient(q) ? q->options.quant_groups : 0;
    const bool round = !gdrq_quantised_reshapes(q);
#pragma omp parallel for schedule(static) if (groups > 1)
    for (int g = 0; g < groups; ++g) {
        const size_t begin = (size_t)g * n;
        finish_group_gradient(q, g, l->weights + begin, gradient + begin, round);
    }
    gdrq_add_scaled(q->grid.step, gradient, (size_t)q->filters * q->filter_size, l->weight_updates);
}

bool gdrq_quantised_learns_input(const gdrq_quantised *q) {
    return q->input->how == GDRQ_THRESHOLD_LEARNED && !q->input->fixed;
}

void gdrq_quantised_pass_gradient(const gdrq_quantised *q, const layer *l, const float *x,
                                  float *delta) {
    const size_t n = (size_t)l->batch * (size_t)l->inputs;
    if (gdrq_quantised_learns_input(q)) {
        const double of_step = gdrq_pass_and_step_gradient(
            x, n, &q->grid, !gdrq_quantised_reshapes(q), q->input_codes, delta);
        q->input->optimiser.update +=
            gdrq_threshold_gradient_scale(q->grid.max, (size_t)l->inputs) * (float)of_step;
    } else {
        gdrq_add_straight_through(x, n, &q->grid, q->input_codes, delta);
    }
}

static void learn_thresholds(gdrq_quantised *q, const layer *l, const update_args *a) {
    const gdrq_layer_options *o = &q->options;
    const gdrq_learning_rule rule = {o->threshold_rate * l->learning_rate_scale,
                                     o->threshold_decay};
    const bool of_weights = q->weight_thresholds_set && !gdrq_quantised_reshapes(q);
    for (int g = 0; of_weights && g < o->quant_groups; ++g)
        gdrq_learn_threshold(&rule, a, &q->weight_thresholds[g], &q->weight_optimisers[g]);
    gdrq_running_threshold *t = q->input;
    if (!gdrq_quantised_learns_input(q) || t->first_reader != q->index)
        return;
    gdrq_threshold_commit(t); /* the first T, which this is the first move from */
    gdrq_learn_threshold(&rule, a, &t->threshold, &t->optimiser);
}

bool gdrq_quantised_count_update(gdrq_quantised *q, const update_args *a) {
    /* The other layers may have raised it already. */
    q->training->iteration = q->training->start + a->t - 1;
    const bool reshapes = gdrq_quantised_reshapes(q);
    ++q->training->iteration;
    return reshapes;
}

void gdrq_quantised_end_update(gdrq_quantised *q, const layer *l, const update_args *a) {
    learn_thresholds(q, l, a);
    if (gdrq_quantised_count_update(q, a) && q->options.reshape == GDRQ_RESHAPE_PROJECT)
        gdrq_project_weights(l->weights, q->options.quant_groups, group_size(q),
                             q->options.k_weights);
}
