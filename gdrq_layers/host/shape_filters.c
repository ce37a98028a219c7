/* Layers with weights: convolutions, connected and recurrent layers. */
#include "host/shape_kinds.h"

/* The option to blame, or the section where the key was left to its default. */
static gdrq_status fail_at_key(const gdrq_layer_input *in, const char *key, gdrq_error *err,
                               const char *message) {
    const gdrq_cfg_option *option = gdrq_cfg_find(in->place.section, key);
    return option ? gdrq_fail_option(&in->place, option, err, "%s", message)
                  : gdrq_fail_section(&in->place, err, "%s", message);
}

/* numload is how many filters a weights file holds; the host reads them all into the layer. */
static gdrq_status check_numload(const gdrq_layer_input *in, int filters, gdrq_error *err) {
    const gdrq_cfg_option *option = gdrq_cfg_find(in->place.section, "numload");
    if (!option || gdrq_value_int(in->place.section, "numload", 0) <= filters)
        return GDRQ_OK;
    return gdrq_fail_option(&in->place, option, err, "the layer has only %d filters", filters);
}

static void read_kernel(const gdrq_cfg_section *section, gdrq_outline_layer *layer) {
    layer->filters = gdrq_value_int(section, "filters", 1);
    layer->size = gdrq_value_int(section, "size", 1);
    layer->stride = gdrq_value_int(section, "stride", 1);
    layer->pad = gdrq_value_int(section, "padding", 0);
    if (gdrq_value_int(section, "pad", 0))
        layer->pad = layer->size / 2;
    layer->groups = gdrq_value_int(section, "groups", 1);
}

/* Inputs that one filter sees: size * size * c / groups. */
static int64_t fan_in(const gdrq_outline_layer *layer) {
    return gdrq_times(gdrq_times(layer->size, layer->size), layer->c / layer->groups);
}

static gdrq_status check_groups(const gdrq_layer_input *in, const gdrq_outline_layer *layer,
                                gdrq_error *err) {
    if (layer->c % layer->groups == 0 && layer->filters % layer->groups == 0)
        return GDRQ_OK;
    return gdrq_fail_option(&in->place, gdrq_cfg_find(in->place.section, "groups"), err,
                            "must divide the %d channels of the input and the %d filters", layer->c,
                            layer->filters);
}

gdrq_status gdrq_shape_convolutional(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                     gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_shape_set_input(in, layer);
    read_kernel(layer->section, layer);
    if ((status = check_groups(in, layer, err)) != GDRQ_OK ||
        (status = check_numload(in, layer->filters, err)) != GDRQ_OK)
        return status;
    const int64_t room_w = (int64_t)layer->w + 2 * (int64_t)layer->pad - layer->size;
    const int64_t room_h = (int64_t)layer->h + 2 * (int64_t)layer->pad - layer->size;
    if (room_w < 0 || room_h < 0)
        return fail_at_key(in, "size", err, "the kernel is larger than the padded input");
    const int64_t out_w = room_w / layer->stride + 1, out_h = room_h / layer->stride + 1;
    /* The host takes the input itself for the columns of a 1x1 kernel, so it can't pad it. */
    if (layer->size == 1 && gdrq_times(out_w, out_h) > gdrq_times(layer->w, layer->h))
        return fail_at_key(in, "padding", err, "a kernel of size 1 can't have padding");
    const int64_t weights = gdrq_times(fan_in(layer), layer->filters);
    if ((status = gdrq_shape_check_count(in, "weights", weights, err)) != GDRQ_OK ||
        (status = gdrq_shape_check_count(in, "inputs per filter and group",
                                         gdrq_times(fan_in(layer), layer->groups), err)) != GDRQ_OK)
        return status;
    facts->workspace_needed =
        gdrq_times(gdrq_times(out_w, out_h), gdrq_times(fan_in(layer), sizeof(float)));
    if ((status = gdrq_shape_set_output(in, layer, out_w, out_h, layer->filters, err)) != GDRQ_OK)
        return status;
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_deconvolutional(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                       gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_shape_set_input(in, layer);
    read_kernel(layer->section, layer);
    if ((status = check_numload(in, layer->filters, err)) != GDRQ_OK)
        return status;
    const int64_t grown = layer->size - 2 * (int64_t)layer->pad;
    const int64_t out_w = (int64_t)(layer->w - 1) * layer->stride + grown;
    const int64_t out_h = (int64_t)(layer->h - 1) * layer->stride + grown;
    const int64_t weights = gdrq_times(fan_in(layer), layer->filters);
    if ((status = gdrq_shape_check_count(in, "weights", weights, err)) != GDRQ_OK)
        return status;
    facts->workspace_needed =
        gdrq_times(gdrq_times((int64_t)layer->w * layer->h, sizeof(float)),
                   gdrq_times((int64_t)layer->size * layer->size, layer->filters));
    if ((status = gdrq_shape_set_output(in, layer, out_w, out_h, layer->filters, err)) != GDRQ_OK)
        return status;
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_local(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                             gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_shape_set_input(in, layer);
    read_kernel(layer->section, layer);
    layer->pad = gdrq_value_int(layer->section, "pad", 0);
    /* The host pads by `pad` pixels, yet computes the output as if by size/2. */
    if (layer->pad && layer->size != 3)
        return fail_at_key(in, "pad", err, "local layers can be padded with size=3 only");
    const int64_t taken = layer->pad ? 1 : layer->size;
    if (layer->w < taken || layer->h < taken)
        return fail_at_key(in, "size", err, "the kernel is larger than the input");
    const int64_t out_w = (layer->w - taken) / layer->stride + 1;
    const int64_t out_h = (layer->h - taken) / layer->stride + 1;
    const int64_t columns = gdrq_times(gdrq_times(out_w, out_h), fan_in(layer));
    const int64_t weights = gdrq_times(columns, layer->filters);
    if ((status = gdrq_shape_check_count(in, "weights", weights, err)) != GDRQ_OK)
        return status;
    facts->workspace_needed = gdrq_times(columns, sizeof(float));
    if ((status = gdrq_shape_set_output(in, layer, out_w, out_h, layer->filters, err)) != GDRQ_OK)
        return status;
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_connected(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                 gdrq_layer_facts *facts, gdrq_error *err) {
    (void)facts;
    const int64_t output = gdrq_value_int(layer->section, "output", 1);
    layer->w = layer->h = 1;
    layer->c = layer->inputs = in->inputs;
    layer->filters = (int)output;
    gdrq_status status = gdrq_shape_check_count(in, "weights", gdrq_times(in->inputs, output), err);
    if (status == GDRQ_OK)
        status = gdrq_shape_set_output(in, layer, 1, 1, output, err);
    return status == GDRQ_OK ? gdrq_shape_reads_previous(in, layer, err) : status;
}

/* [rnn], [gru], [lstm]: connected layers inside, and no shapes outside. */
gdrq_status gdrq_shape_recurrent(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                 gdrq_layer_facts *facts, gdrq_error *err) {
    const int64_t output = gdrq_value_int(layer->section, "output", 1);
    gdrq_status status = gdrq_shape_check_count(in, "weights", gdrq_times(in->inputs, output), err);
    if (status == GDRQ_OK)
        status = gdrq_shape_check_count(in, "weights", gdrq_times(output, output), err);
    if (status != GDRQ_OK)
        return status;
    layer->inputs = in->inputs;
    layer->outputs = (int)output;
#ifndef GPU
    facts->has_gradient = layer->type != LSTM;
#else
    (void)facts;
#endif
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_crnn(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                            gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    const int64_t hidden = gdrq_value_int(layer->section, "hidden_filters", 1);
    const int64_t filters = gdrq_value_int(layer->section, "output_filters", 1);
    const int64_t kernel = 3 * 3, pixels = (int64_t)in->w * in->h;
    const int64_t widest_in = hidden > in->c ? hidden : in->c;
    const int64_t widest_out = hidden > filters ? hidden : filters;
    const int64_t weights = gdrq_times(gdrq_times(widest_in, widest_out), kernel);
    /* One state per time step and one before them, for every sequence. */
    const int64_t states = gdrq_times(gdrq_times(pixels, hidden),
                                      gdrq_times(in->batch / in->time_steps, in->time_steps + 1));
    if ((status = gdrq_shape_check_count(in, "weights", weights, err)) != GDRQ_OK ||
        (status = gdrq_shape_check_count(in, "values of state", states, err)) != GDRQ_OK)
        return status;
    /* The host hands over width for height; the convolutions inside agree with each other. */
    layer->w = in->h;
    layer->h = in->w;
    layer->c = in->c;
    layer->inputs = in->inputs;
    facts->workspace_needed =
        gdrq_times(gdrq_times(pixels, kernel), gdrq_times(widest_in, sizeof(float)));
    if ((status = gdrq_shape_set_output(in, layer, in->h, in->w, filters, err)) != GDRQ_OK)
        return status;
    return gdrq_shape_reads_previous(in, layer, err);
}
