#include "host/net_section.h"

#include "host/shape_kinds.h"

static gdrq_status read_batch(const gdrq_place *place, gdrq_outline *outline, int *time_steps,
                              gdrq_notes *notes, gdrq_error *err) {
    const gdrq_cfg_section *net = place->section;
    const int batch = gdrq_value_int(net, "batch", 1);
    const int subdivisions = gdrq_value_int(net, "subdivisions", 1);
    *time_steps = gdrq_value_int(net, "time_steps", 1);
    if (subdivisions > batch)
        return gdrq_fail_option(place, gdrq_cfg_find(net, "subdivisions"), err,
                                "is above batch=%d: no image would be left per pass; allowed: 1 to "
                                "%d",
                                batch, batch);
    if (gdrq_times(batch, *time_steps) > GDRQ_MAX_ELEMENTS)
        return gdrq_fail_option(place, gdrq_cfg_find(net, "time_steps"), err,
                                "with batch=%d these are more images than Darknet can count",
                                batch);
    outline->batch = batch / subdivisions * *time_steps;
    if (batch % subdivisions == 0)
        return GDRQ_OK;
    return gdrq_notes_add(notes, place->cfg, net->line, err,
                          "[net] batch=%d is no multiple of subdivisions=%d: batches of %d are "
                          "trained",
                          batch, subdivisions, batch / subdivisions * subdivisions);
}

static gdrq_status read_input(const gdrq_place *place, gdrq_outline *outline, gdrq_error *err) {
    const gdrq_cfg_section *net = place->section;
    outline->w = gdrq_value_int(net, "width", 0);
    outline->h = gdrq_value_int(net, "height", 0);
    outline->c = gdrq_value_int(net, "channels", 0);
    const int64_t pixels = gdrq_times(gdrq_times(outline->w, outline->h), outline->c);
    const gdrq_cfg_option *inputs = gdrq_cfg_find(net, "inputs");
    const int64_t values = inputs ? gdrq_value_int(net, "inputs", 0) : pixels;
    if (values == 0)
        return gdrq_fail_section(place, err,
                                 "needs width=, height= and channels= above 0 (or inputs= for a "
                                 "network that reads no images); they are %d, %d and %d",
                                 outline->w, outline->h, outline->c);
    if (inputs && (outline->w || outline->h || outline->c) && values != pixels)
        return gdrq_fail_option(place, inputs, err,
                                "contradicts width * height * channels = %lld; leave out one of "
                                "them",
                                (long long)pixels);
    if (gdrq_times(values, outline->batch) > GDRQ_MAX_ELEMENTS)
        return gdrq_fail_section(place, err,
                                 "a batch of %d inputs of %lld values is more than Darknet can "
                                 "count; raise subdivisions= or make the input smaller",
                                 outline->batch, (long long)values);
    outline->inputs = (int)values;
    return GDRQ_OK;
}

static gdrq_status check_steps(const gdrq_place *place, gdrq_error *err) {
    const gdrq_cfg_option *steps = gdrq_cfg_find(place->section, "steps");
    const gdrq_cfg_option *scales = gdrq_cfg_find(place->section, "scales");
    if (!steps || !scales)
        return gdrq_fail_section(place, err, "policy=steps needs %s=, e.g. %s",
                                 steps ? "scales" : "steps",
                                 steps ? "scales=.1,.1" : "steps=40000,45000");
    const int n_steps = gdrq_list_count(steps->value), n_scales = gdrq_list_count(scales->value);
    if (n_steps == n_scales)
        return GDRQ_OK;
    return gdrq_fail_option(place, scales, err,
                            "has %d numbers, but steps=%.60s has %d; give one scale for each step",
                            n_scales, steps->value, n_steps);
}

static gdrq_status check_policy(const gdrq_place *place, gdrq_error *err) {
    const gdrq_key *key = gdrq_key_find(&gdrq_section_kinds[0], "policy", NULL);
    const int policy =
        gdrq_value_choice(place->section, "policy", key->choices, GDRQ_POLICY_CONSTANT);
    if (policy == GDRQ_POLICY_STEPS)
        return check_steps(place, err);
    if (policy == GDRQ_POLICY_POLY && gdrq_value_int(place->section, "max_batches", 0) == 0)
        return gdrq_fail_section(place, err,
                                 "policy=poly falls to 0 at max_batches, so it needs "
                                 "max_batches= above 0");
    return GDRQ_OK;
}

gdrq_status gdrq_net_section_read(const gdrq_place *place, gdrq_outline *outline, int *time_steps,
                                  gdrq_notes *notes, gdrq_error *err) {
    gdrq_status status = read_batch(place, outline, time_steps, notes, err);
    if (status == GDRQ_OK)
        status = read_input(place, outline, err);
    return status == GDRQ_OK ? check_policy(place, err) : status;
}
