#include "host/shape.h"

#include "base/alloc.h"
#include "base/status.h"
#include "host/limits.h"
#include "host/shape_kinds.h"

int64_t gdrq_times(int64_t a, int64_t b) {
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

gdrq_status gdrq_shape_needs_image(const gdrq_layer_input *in, gdrq_error *err) {
    if (in->w && in->h && in->c)
        return GDRQ_OK;
    return gdrq_fail_section(&in->place, err,
                             "needs an image, but %s gives %d values without width, height and "
                             "channels",
                             in->index ? "the layer before it" : "[net]", in->inputs);
}

gdrq_status gdrq_shape_check_count(const gdrq_layer_input *in, const char *what, int64_t count,
                                   gdrq_error *err) {
    if (count <= GDRQ_MAX_ELEMENTS)
        return GDRQ_OK;
    return gdrq_fail_section(&in->place, err,
                             "needs %s%lld %s, more than the %d that Darknet can count; make it "
                             "smaller",
                             count == INT64_MAX ? "over " : "", (long long)count, what,
                             GDRQ_MAX_ELEMENTS);
}

void gdrq_shape_set_input(const gdrq_layer_input *in, gdrq_outline_layer *layer) {
    layer->w = in->w;
    layer->h = in->h;
    layer->c = in->c;
    layer->inputs = in->inputs;
}

gdrq_status gdrq_shape_set_output(const gdrq_layer_input *in, gdrq_outline_layer *layer, int64_t w,
                                  int64_t h, int64_t c, gdrq_error *err) {
    if (w < 1 || h < 1 || c < 1)
        return gdrq_fail_section(&in->place, err,
                                 "its output would be empty (%lld x %lld x %lld) for an input of "
                                 "%d x %d x %d",
                                 (long long)w, (long long)h, (long long)c, in->w, in->h, in->c);
    const int64_t outputs = gdrq_times(gdrq_times(w, h), c);
    const gdrq_status status =
        gdrq_shape_check_count(in, "outputs per batch", gdrq_times(outputs, in->batch), err);
    if (status != GDRQ_OK)
        return status;
    layer->out_w = (int)w;
    layer->out_h = (int)h;
    layer->out_c = (int)c;
    layer->outputs = (int)outputs;
    return GDRQ_OK;
}

gdrq_status gdrq_shape_reads_previous(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                      gdrq_error *err) {
    layer->reads = gdrq_alloc(1, sizeof *layer->reads);
    if (!layer->reads)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", in->place.cfg->path);
    layer->reads[0] = in->index - 1;
    layer->n_reads = 1;
    return GDRQ_OK;
}

static gdrq_shape_fn *const shape_functions[] = {
    [CONVOLUTIONAL] = gdrq_shape_convolutional,
    [DECONVOLUTIONAL] = gdrq_shape_deconvolutional,
    [CONNECTED] = gdrq_shape_connected,
    [MAXPOOL] = gdrq_shape_maxpool,
    [SOFTMAX] = gdrq_shape_softmax,
    [DETECTION] = gdrq_shape_detection,
    [DROPOUT] = gdrq_shape_dropout,
    [CROP] = gdrq_shape_crop,
    [ROUTE] = gdrq_shape_route,
    [COST] = gdrq_shape_cost,
    [NORMALIZATION] = gdrq_shape_normalization,
    [AVGPOOL] = gdrq_shape_avgpool,
    [LOCAL] = gdrq_shape_local,
    [SHORTCUT] = gdrq_shape_shortcut,
    [ACTIVE] = gdrq_shape_valuewise,
    [RNN] = gdrq_shape_recurrent,
    [GRU] = gdrq_shape_recurrent,
    [LSTM] = gdrq_shape_recurrent,
    [CRNN] = gdrq_shape_crnn,
    [BATCHNORM] = gdrq_shape_batchnorm,
    [REGION] = gdrq_shape_region,
    [YOLO] = gdrq_shape_yolo,
    [ISEG] = gdrq_shape_iseg,
    [REORG] = gdrq_shape_reorg,
    [UPSAMPLE] = gdrq_shape_upsample,
    [LOGXENT] = gdrq_shape_logistic,
    [L2NORM] = gdrq_shape_valuewise,
};

static ACTIVATION default_activation(LAYER_TYPE type) {
    switch (type) {
    case CONVOLUTIONAL:
    case DECONVOLUTIONAL:
    case CONNECTED:
    case LOCAL:
    case RNN:
    case CRNN:
        return LOGISTIC;
    default:
        return LINEAR;
    }
}

static gdrq_status check_limits(const gdrq_layer_input *in, const gdrq_outline_layer *layer,
                                const gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status =
        gdrq_shape_check_count(in, "outputs per batch", gdrq_times(layer->outputs, in->batch), err);
    if (status == GDRQ_OK)
        status = gdrq_shape_check_count(in, "inputs per batch",
                                        gdrq_times(layer->inputs, in->batch), err);
    if (status == GDRQ_OK)
        status = gdrq_shape_check_count(in, "values of truth per batch",
                                        gdrq_times(facts->truths, in->batch), err);
    if (status == GDRQ_OK && facts->workspace_needed > GDRQ_MAX_WORKSPACE)
        status = gdrq_fail_section(&in->place, err,
                                   "needs a workspace of %lld bytes, more than Darknet's limit of "
                                   "%d; make its output or its kernel smaller",
                                   (long long)facts->workspace_needed, GDRQ_MAX_WORKSPACE);
    return status;
}

gdrq_status gdrq_layer_shape(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                             gdrq_layer_facts *facts, gdrq_error *err) {
    const gdrq_cfg_section *section = layer->section;
    *facts = (gdrq_layer_facts){.has_gradient = true};
    layer->activation = (ACTIVATION)gdrq_value_choice(section, "activation", gdrq_activation_names,
                                                      (int)default_activation(layer->type));
    layer->alpha = gdrq_value_float(section, "alpha", 1);
    layer->beta = gdrq_value_float(section, "beta", 1);
    gdrq_shape_fn *const shape =
        layer->segmentation ? gdrq_shape_segmentation : shape_functions[layer->type];
    const gdrq_status status = shape(in, layer, facts, err);
    layer->workspace = (size_t)facts->workspace_needed;
    return status == GDRQ_OK ? check_limits(in, layer, facts, err) : status;
}
