#include "host/quantised_section.h"

#include <stdlib.h>

#include "base/status.h"
#include "host/tensor_union.h"

/* quant_groups = 0 stands for one group per filter (or output), k = 0 for what suits the bits. */
static const gdrq_layer_options defaults = {.weight_bits = 4,
                                            .activation_bits = 4,
                                            .threshold_weights = GDRQ_THRESHOLD_LEARNED,
                                            .threshold_activations = GDRQ_THRESHOLD_LEARNED,
                                            .search_norm = 2,
                                            .threshold_rate = 1,
                                            .weight_gradient = GDRQ_WEIGHT_GRADIENT_PASS,
                                            .activation_range = GDRQ_RANGE_AUTO,
                                            .activation_momentum = 0.001f,
                                            .reshape = GDRQ_RESHAPE_PROJECT};

static int read_choice(const gdrq_cfg_section *section, const char *name, int fallback) {
    const gdrq_key *key = gdrq_key_find(&gdrq_section_kinds[0], name, NULL);
    return gdrq_value_choice(section, name, key->choices, fallback);
}

/* What the section says, and `base` where it says nothing. */
static gdrq_layer_options read_options(const gdrq_cfg_section *section,
                                       const gdrq_layer_options *base) {
    gdrq_layer_options o = *base;
    o.weight_bits = gdrq_value_int(section, "weight_bits", o.weight_bits);
    o.activation_bits = gdrq_value_int(section, "activation_bits", o.activation_bits);
    o.quant_groups = gdrq_value_int(section, "quant_groups", o.quant_groups);
    o.k_weights = gdrq_value_float(section, "k_weights", o.k_weights);
    o.k_activations = gdrq_value_float(section, "k_activations", o.k_activations);
    o.activation_momentum = gdrq_value_float(section, "activation_momentum", o.activation_momentum);
    o.quantize_after = gdrq_value_int(section, "quantize_after", o.quantize_after);
    /* threshold= stands for both; the more specific keys win. */
    o.threshold_weights =
        (gdrq_threshold)read_choice(section, "threshold", (int)o.threshold_weights);
    o.threshold_activations =
        (gdrq_threshold)read_choice(section, "threshold", (int)o.threshold_activations);
    o.threshold_weights =
        (gdrq_threshold)read_choice(section, "threshold_weights", (int)o.threshold_weights);
    o.threshold_activations =
        (gdrq_threshold)read_choice(section, "threshold_activations", (int)o.threshold_activations);
    o.search_norm = gdrq_value_int(section, "search_norm", o.search_norm);
    o.threshold_rate = gdrq_value_float(section, "threshold_rate", o.threshold_rate);
    o.threshold_decay = gdrq_value_float(section, "threshold_decay", o.threshold_decay);
    o.weight_gradient =
        (gdrq_weight_gradient)read_choice(section, "weight_gradient", (int)o.weight_gradient);
    o.activation_range =
        (gdrq_range)read_choice(section, "activation_range", (int)o.activation_range);
    o.reshape = (gdrq_reshape)read_choice(section, "reshape", (int)o.reshape);
    return o;
}

static gdrq_status set_groups(const gdrq_place *place, const gdrq_cfg_section *net,
                              gdrq_outline_layer *layer, gdrq_error *err) {
    gdrq_layer_options *o = &layer->options;
    const char *key = layer->type == CONNECTED ? "output" : "filters";
    if (o->quant_groups == 0)
        o->quant_groups = layer->filters;
    if (layer->filters % o->quant_groups == 0)
        return GDRQ_OK;
    const gdrq_cfg_option *own = gdrq_cfg_find(place->section, "quant_groups");
    if (own)
        return gdrq_fail_option(place, own, err, "must divide %s=%d", key, layer->filters);
    return gdrq_fail_section(place, err,
                             "quant_groups=%d of [net] (line %d) does not divide %s=%d; give "
                             "this section a quant_groups= of its own",
                             o->quant_groups, gdrq_cfg_find(net, "quant_groups")->line, key,
                             layer->filters);
}

static gdrq_status set_pixel_bits(const gdrq_place *place, gdrq_outline_layer *layer,
                                  gdrq_error *err) {
    const gdrq_cfg_option *own = gdrq_cfg_find(place->section, "activation_bits");
    if (own && layer->options.activation_bits != GDRQ_PIXEL_BITS)
        return gdrq_fail_option(place, own, err,
                                "this layer reads the network's input, which are %d-bit pixels; "
                                "only %d is possible, and is the default",
                                GDRQ_PIXEL_BITS, GDRQ_PIXEL_BITS);
    layer->options.activation_bits = GDRQ_PIXEL_BITS;
    const gdrq_cfg_option *range = gdrq_cfg_find(place->section, "activation_range");
    if (range && layer->options.activation_range != GDRQ_RANGE_AUTO &&
        layer->options.activation_range != GDRQ_RANGE_UNSIGNED)
        return gdrq_fail_option(place, range, err,
                                "this layer reads the network's input, which are pixels; only "
                                "unsigned is possible, and is what auto means here");
    return GDRQ_OK;
}

static const gdrq_cfg_option *find_option(const gdrq_cfg_section *section,
                                          const gdrq_cfg_section *net, const char *name) {
    const gdrq_cfg_option *own = gdrq_cfg_find(section, name);
    return own ? own : gdrq_cfg_find(net, name);
}

/*
 * A learned T follows the gradients of the weights, and with batch norm behind it nothing holds it
 * in place: where the weights beyond it get theirs as well, filters drift until all weights are
 * beyond T. Scale-Clip's T follows the weights, and keeps them near it.
 */
static void set_default_gradient(const gdrq_cfg_section *section, const gdrq_cfg_section *net,
                                 gdrq_layer_options *o) {
    if (!find_option(section, net, "weight_gradient") &&
        o->threshold_weights == GDRQ_THRESHOLD_LEARNED)
        o->weight_gradient = GDRQ_WEIGHT_GRADIENT_MASK;
}

static void set_default_k(gdrq_layer_options *o) {
    if (o->k_weights == 0)
        o->k_weights = gdrq_default_k_weights(o->weight_bits);
    o->has_usual_k = o->k_activations == 0;
    if (o->has_usual_k)
        o->k_activations = gdrq_default_k_activations(o->activation_bits);
}

gdrq_status gdrq_quantised_sections_read(gdrq_outline *outline, gdrq_error *err) {
    int *tensors = gdrq_tensor_union(outline);
    if (!tensors)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", outline->cfg.path);
    const gdrq_cfg_section *net = &outline->cfg.sections[0];
    const gdrq_layer_options net_options = read_options(net, &defaults);
    const bool pixels = gdrq_outline_reads_pixels(outline);
    gdrq_status status = GDRQ_OK;
    for (int i = 0; status == GDRQ_OK && i < outline->n; i++) {
        gdrq_outline_layer *layer = &outline->layers[i];
        if (!layer->quantised)
            continue;
        const gdrq_place place = {&outline->cfg, layer->section, i};
        layer->options = read_options(layer->section, &net_options);
        status = set_groups(&place, net, layer, err);
        if (status == GDRQ_OK && pixels && tensors[layer->reads[0] + 1] == -1)
            status = set_pixel_bits(&place, layer, err);
        set_default_k(&layer->options);
        set_default_gradient(layer->section, net, &layer->options);
    }
    free(tensors);
    return status;
}
