#include "train/gdrq_convolutional_layer.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/fatal.h"
#include "base/status.h"
#include "primitives/blas.h"
#include "primitives/convolutional_parts.h"
#include "primitives/update.h"
#include "quant/quantise.h"

/*
 * Passes over memory (one read or one write of an array) beyond those of the float layer, whose
 * convolutions, batch norm, activation and update are the same. I: the input's array, W: the
 * weights'.
 *
 *   forward    input codes: read I, write I; sum |x| comes along. The first forward ever: read I
 *              more, to have a threshold.
 *              weight codes: read W, write W. A group is read twice, for its threshold and for its
 *              codes, but is in the cache the second time unless it is larger.
 *   backward   dequantised weights: read W, write W.
 *              the mask of the input's gradient: read I, in the pass that adds the gradient.
 *   update     only while reshaping: read W, write W, and a group twice as above.
 */
gdrq_convolutional *gdrq_convolutional_state(const layer *l) {
    return l->forward == forward_gdrq_convolutional_layer ? (gdrq_convolutional *)l->self_layer
                                                          : NULL;
}

static void free_state(gdrq_convolutional *state) {
    if (!state)
        return;
    free(state->weight_codes);
    free(state->weight_steps);
    free(state->factor);
    free(state->scale);
    free(state->bias);
    free(state->input_codes);
    free(state);
}

static gdrq_convolutional *new_state(const layer *l, const gdrq_layer_options *options) {
    gdrq_convolutional *state = gdrq_alloc(1, sizeof *state);
    if (!state)
        return NULL;
    state->options = *options;
    state->input_capacity = (size_t)l->batch * (size_t)l->inputs;
    state->weight_codes = gdrq_alloc((size_t)l->nweights, sizeof(float));
    state->weight_steps = gdrq_alloc((size_t)options->quant_groups, sizeof(float));
    state->factor = gdrq_alloc((size_t)l->n, sizeof(float));
    state->scale = gdrq_alloc((size_t)l->n, sizeof(float));
    state->bias = gdrq_alloc((size_t)l->n, sizeof(float));
    state->input_codes = gdrq_alloc(state->input_capacity, sizeof(float));
    if (state->weight_codes && state->weight_steps && state->factor && state->scale &&
        state->bias && state->input_codes)
        return state;
    free_state(state);
    return NULL;
}

gdrq_status make_gdrq_convolutional_layer(layer *l, int index, const gdrq_layer_options *options,
                                          gdrq_running_threshold *input, gdrq_training *training,
                                          gdrq_error *err) {
    gdrq_convolutional *state = new_state(l, options);
    if (!state)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "layer %d [gdrq_convolutional]: out of memory",
                         index);
    state->index = index;
    state->input = input;
    state->training = training;
    /* Our batch norm needs no normalised copy of its input. */
    free(l->x_norm);
    l->x_norm = NULL;
    /* Backward keeps the weights' gradient and then the dequantised weights there. */
    l->workspace_size = (size_t)l->nweights * sizeof(float);
    l->self_layer = (struct layer *)state;
    l->forward = forward_gdrq_convolutional_layer;
    l->backward = backward_gdrq_convolutional_layer;
    l->update = update_gdrq_convolutional_layer;
    return GDRQ_OK;
}

gdrq_status resize_gdrq_convolutional_layer(layer *l, int batch, int inputs, gdrq_error *err) {
    gdrq_convolutional *state = gdrq_convolutional_state(l);
    const size_t need = (size_t)batch * (size_t)inputs;
    if (need <= state->input_capacity)
        return GDRQ_OK;
    float *codes = gdrq_realloc(state->input_codes, need, sizeof(float));
    if (!codes)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "layer %d [gdrq_convolutional]: out of memory",
                         state->index);
    state->input_codes = codes;
    state->input_capacity = need;
    return GDRQ_OK;
}

void free_gdrq_convolutional_layer(layer *l) {
    free_state(gdrq_convolutional_state(l));
    l->self_layer = NULL;
}

bool gdrq_convolutional_reshapes(const gdrq_convolutional *state) {
    return state->training->iteration < state->options.quantize_after;
}

gdrq_status gdrq_convolutional_check(const gdrq_convolutional *state, gdrq_error *err) {
    if (gdrq_threshold_is_set(state->input))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_STATE,
                     "the activation threshold that layer %d needs was never set: train the "
                     "network, or set it from images with `darknet gdrq calibrate`",
                     state->index);
}

/*
 * One pass over the input makes the codes and the sum of |x| that T's next move needs; only the
 * very first forward reads it twice, having no T to start with.
 */
static void quantise_input(gdrq_convolutional *state, const float *x, size_t n, bool round,
                           bool observe) {
    gdrq_running_threshold *t = state->input;
    if (t->first_reader == state->index)
        gdrq_threshold_commit(t);
    gdrq_error err;
    if (!observe)
        gdrq_must(gdrq_convolutional_check(state, &err), &err);
    else if (t->first_reader == state->index && !gdrq_threshold_is_set(t))
        gdrq_threshold_start(t, gdrq_sum_abs(x, n), n);
    state->grid = gdrq_threshold_grid(t);
    const double sum = gdrq_quantise(x, n, &state->grid, round, state->input_codes);
    if (observe)
        gdrq_threshold_observe(t, sum, n);
}

static void quantise_weights(gdrq_convolutional *state, const layer *l, bool round) {
    const int groups = state->options.quant_groups, filters_per_group = l->n / groups;
    gdrq_quantise_weights(l->weights, groups, (size_t)(l->nweights / groups),
                          state->options.weight_bits, state->options.k_weights, round,
                          state->weight_codes, state->weight_steps);
    for (int i = 0; i < l->n; ++i)
        state->factor[i] = state->weight_steps[i / filters_per_group] * state->grid.step;
}

void forward_gdrq_convolutional_layer(layer l, network net) {
    gdrq_convolutional *state = gdrq_convolutional_state(&l);
    gdrq_error err;
    gdrq_must(resize_gdrq_convolutional_layer(&l, l.batch, l.inputs, &err), &err);

    /* Deployment always rounds, so inference does too, whatever stage training is in. */
    const bool round = !net.train || !gdrq_convolutional_reshapes(state);
    quantise_input(state, net.input, (size_t)l.batch * (size_t)l.inputs, round,
                   net.train || state->training->calibrating);
    quantise_weights(state, &l, round);

    /* Batch norm's backward needs the sums again. */
    float *sums = l.batch_normalize ? l.x : l.output;
    const gdrq_conv_shape shape = gdrq_layer_conv_shape(&l);
    gdrq_must(gdrq_conv_forward(&shape, state->input_codes, state->weight_codes, sums, &err), &err);
    gdrq_normalise_sums(&l, state->factor, sums, net.train, state->scale, state->bias);
}

/* dL/dw = dL/d(quantised w) = step_x * conv_backward_weights(x codes, dL/dz): straight through. */
static void add_weight_gradient(const gdrq_convolutional *state, const layer *l, float *workspace) {
    gdrq_error err;
    const gdrq_conv_shape shape = gdrq_layer_conv_shape(l);
    gdrq_must(gdrq_conv_backward_weights(&shape, state->input_codes, l->delta, workspace, &err),
              &err);
    gdrq_add_scaled(state->grid.step, workspace, (size_t)l->nweights, l->weight_updates);
}

/*
 * dL/dx = dL/d(quantised x) where x is representable, with the weights as the forward used them:
 * conv_backward_data(step_w * w codes, dL/dz). The codes of x are done with and make room.
 */
static void add_input_gradient(gdrq_convolutional *state, const layer *l, const float *x,
                               float *delta, float *workspace) {
    gdrq_error err;
    const gdrq_conv_shape shape = gdrq_layer_conv_shape(l);
    const int per_group = l->nweights / state->options.quant_groups;
#pragma omp parallel for schedule(static)
    for (int g = 0; g < state->options.quant_groups; ++g)
        for (int i = g * per_group; i < (g + 1) * per_group; ++i)
            workspace[i] = state->weight_steps[g] * state->weight_codes[i];
    gdrq_must(gdrq_conv_backward_data(&shape, workspace, l->delta, state->input_codes, &err), &err);
    gdrq_add_straight_through(x, (size_t)l->batch * (size_t)l->inputs, &state->grid,
                              state->input_codes, delta);
}

void backward_gdrq_convolutional_layer(layer l, network net) {
    gdrq_convolutional *state = gdrq_convolutional_state(&l);
    gdrq_backward_to_sums(&l, state->factor, net.train);
    add_weight_gradient(state, &l, net.workspace);
    if (net.delta)
        add_input_gradient(state, &l, net.input, net.delta, net.workspace);
}

void update_gdrq_convolutional_layer(layer l, update_args a) {
    gdrq_convolutional *state = gdrq_convolutional_state(&l);
    gdrq_update_convolutional_layer(l, a);
    /* The iteration that this update ends, which the other layers may have raised already. */
    state->training->iteration = state->training->start + a.t - 1;
    const bool reshapes = gdrq_convolutional_reshapes(state);
    ++state->training->iteration;
    if (reshapes && state->options.reshape == GDRQ_RESHAPE_PROJECT)
        gdrq_project_weights(l.weights, state->options.quant_groups,
                             (size_t)(l.nweights / state->options.quant_groups),
                             state->options.k_weights);
}
