/* The public functions of gdrq.h that are about a host network. */
#include "darknet.h"
#include "gdrq.h"

#include "base/fatal.h"
#include "base/status.h"
#include "host/attach.h"
#include "host/equalise.h"
#include "host/network_state.h"
#include "host/resize.h"
#include "host/scratch_buffer.h"
#include "host/statistics.h"
#include "host/weights.h"
#ifdef GPU
#include "host/cuda/gpu_network.h"
#endif

const char *gdrq_version(void) {
    return GDRQ_VERSION;
}

gdrq_status gdrq_network_parse(const char *cfg_path, gdrq_note *note, void *user,
                               struct network **net, gdrq_error *err) {
    return gdrq_attach_parse(cfg_path, note, user, net, err);
}

gdrq_status gdrq_network_load(struct network *net, const char *path, bool allow_backbone,
                              gdrq_load_report *report, gdrq_error *err) {
    return gdrq_weights_load(net, path, 0, net->n, allow_backbone, report, err);
}

gdrq_status gdrq_network_save(struct network *net, const char *path, gdrq_error *err) {
    return gdrq_weights_save(net, path, net->n, err);
}

gdrq_status gdrq_network_resize(struct network *net, int w, int h, gdrq_error *err) {
    return gdrq_resize(net, w, h, err);
}

gdrq_status gdrq_network_ready(const struct network *net, gdrq_error *err) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    for (int i = 0; state && i < state->tensors.n; ++i)
        gdrq_threshold_commit(&state->tensors.classes[i]);
    gdrq_status status = state && state->folded ? gdrq_folded_check(state->folded, err) : GDRQ_OK;
    if (state && state->training.unquantised)
        return status == GDRQ_OK ? gdrq_check_on_cpu(net, "networks run unquantised", err) : status;
    for (int i = 0; status == GDRQ_OK && i < net->n; ++i) {
        const gdrq_quantised *quantised = gdrq_quantised_state(&net->layers[i]);
        if (quantised)
            status = gdrq_quantised_check(quantised, err);
    }
    return status;
}

gdrq_status gdrq_network_randomise(struct network *net, gdrq_error *err) {
    const gdrq_network_state *state = gdrq_network_state_find(net);
    if (!state || !state->folded)
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "only a folded network needs random weights: "
                         "another has them from its making");
    return gdrq_folded_randomise(state->folded, net, err);
}

bool gdrq_network_is_folded(const struct network *net) {
    const gdrq_network_state *state = gdrq_network_state_find(net);
    return state && state->folded;
}

gdrq_status gdrq_network_trainable(const struct network *net, gdrq_error *err) {
    const gdrq_network_state *state = gdrq_network_state_find(net);
    if (!state || !state->untrainable[0])
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_STATE, "%s", state->untrainable);
}

void gdrq_network_calibrating(struct network *net, bool on) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    if (state)
        state->training.calibrating = on;
}

gdrq_status gdrq_network_forget_thresholds(struct network *net, gdrq_error *err) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    if (!state)
        return GDRQ_OK;
    const gdrq_status status = gdrq_check_on_cpu(net, "thresholds are forgotten", err);
    if (status == GDRQ_OK)
        gdrq_network_state_forget_thresholds(state);
    return status;
}

gdrq_status gdrq_network_measuring(struct network *net, gdrq_measuring how, gdrq_error *err) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    if (!state)
        return GDRQ_OK;
    gdrq_status status = GDRQ_OK;
    if (how == GDRQ_MEASURE_SHIFT)
        status = gdrq_check_on_cpu(
            net, "how far quantising shifts batch norm's statistics is measured", err);
    if (status != GDRQ_OK)
        return status;
    gdrq_statistics_free(state->statistics);
    state->statistics = NULL;
    return how ? gdrq_statistics_new(net, how, &state->statistics, err) : GDRQ_OK;
}

gdrq_status gdrq_network_equalising(struct network *net, bool on, gdrq_error *err) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    if (!state)
        return GDRQ_OK;
    const gdrq_status status = on ? gdrq_check_on_cpu(net, "channels are equalised", err) : GDRQ_OK;
    if (status != GDRQ_OK)
        return status;
    gdrq_equaliser_free(state->equaliser);
    state->equaliser = NULL;
    return on ? gdrq_equaliser_new(net, &state->equaliser, err) : GDRQ_OK;
}

gdrq_status gdrq_network_equalise(struct network *net, int *tensors, gdrq_error *err) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    *tensors = 0;
    return state && state->equaliser ? gdrq_equaliser_apply(state->equaliser, tensors, err)
                                     : GDRQ_OK;
}

static void forget_learned(const network *net, int i) {
#ifdef GPU
    gdrq_error err = {""};
    if (gdrq_is_on_gpu(net)) {
        gdrq_must(gdrq_gpu_forget_learned(net, i, &err), &err);
        return;
    }
#endif
    gdrq_quantised_forget(&net->layers[i]);
}

void gdrq_network_restart(struct network *net) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    if (!state)
        return;
    state->training.iteration = 0;
    state->training.start = -(int64_t)*net->t;
    /* Behind a reshape stage they are learned anew. */
    for (int i = 0; i < net->n; ++i) {
        const gdrq_quantised *quantised = gdrq_quantised_state(&net->layers[i]);
        if (quantised && gdrq_quantised_reshapes(quantised))
            forget_learned(net, i);
    }
}

float gdrq_network_ema(const struct network *net) {
    const gdrq_network_state *state = gdrq_network_state_find(net);
    return state ? state->ema : 0;
}

bool gdrq_network_has_statistics(const struct network *net) {
    return gdrq_statistics_any(net);
}

int gdrq_network_ema_images(const struct network *net) {
    const gdrq_network_state *state = gdrq_network_state_find(net);
    return state && gdrq_statistics_any(net) ? state->ema_images : 0;
}

int gdrq_network_max_shift(const struct network *net) {
    const gdrq_network_state *state = gdrq_network_state_find(net);
    return state ? state->max_shift : 0;
}

void gdrq_network_set_updates(struct network *net, int updates) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    if (state) /* the reshape stage's count of iterations goes on as it was */
        state->training.start += *net->t - updates;
    *net->t = updates;
}

gdrq_stage gdrq_network_stage(const struct network *net) {
    gdrq_stage stage = GDRQ_STAGE_FLOAT;
    for (int i = 0; i < net->n; ++i) {
        const gdrq_quantised *state = gdrq_quantised_state(&net->layers[i]);
        if (!state)
            continue;
        if (gdrq_quantised_reshapes(state))
            return GDRQ_STAGE_RESHAPE;
        stage = GDRQ_STAGE_QUANTISE;
    }
    return stage;
}
