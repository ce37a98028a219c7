/*
 * Thresholds for a network that was trained in float: the values of its quantised tensors are
 * counted while it runs unquantised, and the thresholds found from the counts.
 */
#include "darknet.h"
#include "gdrq.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "host/network_state.h"
#include "host/scratch_buffer.h"

static bool weight_channels(network *net, bool on) {
    bool ok = true;
    for (int i = 0; i < net->n; i++)
        ok &= gdrq_quantised_weight_channels(&net->layers[i], on);
    return ok;
}

static void stop_counting(network *net, gdrq_network_state *state) {
    weight_channels(net, false);
    for (int i = 0; i < state->tensors.n; i++) {
        free(state->tensors.classes[i].histogram);
        state->tensors.classes[i].histogram = NULL;
    }
}

gdrq_status gdrq_network_counting(struct network *net, bool on, gdrq_error *err) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    if (!state)
        return GDRQ_OK;
    /* On a GPU no forward counts or takes floats, and new thresholds and bits would not get there.
     */
    if (on && gdrq_check_on_cpu(net, "values are counted", err) != GDRQ_OK)
        return GDRQ_ERROR_STATE;
    stop_counting(net, state);
    bool ok = !on || weight_channels(net, true);
    for (int i = 0; on && ok && i < state->tensors.n; i++) {
        gdrq_running_threshold *t = &state->tensors.classes[i];
        if (t->fixed)
            continue;
        t->histogram = gdrq_alloc(1, sizeof *t->histogram);
        ok = t->histogram != NULL;
    }
    if (ok)
        return GDRQ_OK;
    stop_counting(net, state);
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory to count the values of %d tensors",
                     state->tensors.n);
}

void gdrq_network_unquantised(struct network *net, bool on) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    if (state)
        state->training.unquantised = on;
}

static gdrq_status check_counted(const gdrq_running_threshold *t, gdrq_error *err) {
    return t->histogram && t->histogram->total > 0
               ? GDRQ_OK
               : gdrq_fail(err, GDRQ_ERROR_STATE,
                           "layer %d: its input's values were not counted, or none was finite",
                           t->first_reader);
}

/* Negative if memory is out. */
static float find_threshold(const gdrq_running_threshold *t, gdrq_calibration how, double share) {
    const gdrq_grid_family family = {t->bits, t->range, t->slope};
    /* 256 levels have room for the tails, of which single values can decide; 16 have not. */
    if (how == GDRQ_CALIBRATE_BY_BITS)
        how = t->bits == 8 ? GDRQ_CALIBRATE_PERCENTILE : GDRQ_CALIBRATE_SEARCH;
    if (how == GDRQ_CALIBRATE_PERCENTILE)
        return gdrq_histogram_percentile(t->histogram, &family, share);
    if (how == GDRQ_CALIBRATE_BY_RULE && t->how == GDRQ_THRESHOLD_SCALE)
        return (float)(t->k * gdrq_histogram_mean(t->histogram));
    return gdrq_histogram_search(t->histogram, &family, t->norm);
}

/* A T of a tensor that was counted. */
static gdrq_status set_threshold(gdrq_running_threshold *t, gdrq_calibration how, double share,
                                 gdrq_error *err) {
    const float threshold = find_threshold(t, how, share);
    if (threshold < 0)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory to search a threshold");
    t->threshold = threshold;
    t->moves = 1;
    t->other_rule_at = how == GDRQ_CALIBRATE_BY_RULE ? 0 : t->moves;
    t->pending_sum = t->pending_count = 0;
    return GDRQ_OK;
}

gdrq_status gdrq_network_set_thresholds(struct network *net, gdrq_calibration how, double share,
                                        gdrq_error *err) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    gdrq_status status = gdrq_check_on_cpu(net, "thresholds are set", err);
    for (int i = 0; state && status == GDRQ_OK && i < state->tensors.n; i++)
        if (!state->tensors.classes[i].fixed)
            status = check_counted(&state->tensors.classes[i], err);
    for (int i = 0; state && status == GDRQ_OK && i < state->tensors.n; i++)
        if (!state->tensors.classes[i].fixed)
            status = set_threshold(&state->tensors.classes[i], how, share, err);
    return status;
}

/* Of the tensor that t is about, for all of its readers. */
static gdrq_status set_tensor_bits(const struct network *net, gdrq_running_threshold *t, int bits,
                                   gdrq_error *err) {
    for (int i = 0; i < net->n; i++) {
        gdrq_quantised *q = gdrq_quantised_state(&net->layers[i]);
        if (q && q->input == t)
            q->float_input = bits == 0;
    }
    if (bits == 0)
        return GDRQ_OK;
    t->bits = bits;
    return set_threshold(t, GDRQ_CALIBRATE_SEARCH, 0, err);
}

gdrq_status gdrq_network_set_bits(struct network *net, int layer, int weight_bits,
                                  int activation_bits, gdrq_error *err) {
    gdrq_quantised *q =
        layer >= 0 && layer < net->n ? gdrq_quantised_state(&net->layers[layer]) : NULL;
    if (!q || !(weight_bits == 0 || gdrq_are_bits(weight_bits)) ||
        !(activation_bits == 0 || gdrq_are_bits(activation_bits)))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "layer %d can't have %d and %d bits: only quantised ones can, from 2 to 8",
                         layer, weight_bits, activation_bits);
    if (gdrq_check_on_cpu(net, "layers get other bits", err) != GDRQ_OK)
        return GDRQ_ERROR_STATE;
    const bool searches = !q->input->fixed && activation_bits > 0;
    if (searches && check_counted(q->input, err) != GDRQ_OK)
        return GDRQ_ERROR_STATE;
    q->float_weights = weight_bits == 0;
    if (weight_bits > 0) {
        q->options.weight_bits = weight_bits;
        q->weight_thresholds_set = false; /* those of other bits are no use to save */
    }
    q->options.threshold_weights = GDRQ_THRESHOLD_SEARCH;
    return q->input->fixed ? GDRQ_OK : set_tensor_bits(net, q->input, activation_bits, err);
}
