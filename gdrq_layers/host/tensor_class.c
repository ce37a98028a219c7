#include "host/tensor_class.h"

#include <stdlib.h>

#include "base/alloc.h"
#ifdef GPU
#include "base/cuda/device.h"
#endif
#include "base/status.h"
#include "host/section_value.h"
#include "host/tensor_union.h"

/* The wider of two ranges: what can hold the values of both. */
static gdrq_range join(gdrq_range a, gdrq_range b) {
    if (a == GDRQ_RANGE_SIGNED || b == GDRQ_RANGE_SIGNED)
        return GDRQ_RANGE_SIGNED;
    if (a == GDRQ_RANGE_OFFSET || b == GDRQ_RANGE_OFFSET)
        return GDRQ_RANGE_OFFSET;
    return GDRQ_RANGE_UNSIGNED;
}

static gdrq_range range_of_activation(ACTIVATION activation) {
    switch (activation) {
    case RELU:
    case LOGISTIC:
        return GDRQ_RANGE_UNSIGNED;
    case LEAKY:
        return GDRQ_RANGE_OFFSET;
    default:
        return GDRQ_RANGE_SIGNED;
    }
}

/* The range of all that layer i reads; ranges[k + 1] is that of layer k's output. */
static gdrq_range range_of_reads(const gdrq_outline_layer *l, const gdrq_range *ranges) {
    gdrq_range range = GDRQ_RANGE_UNSIGNED;
    for (int k = 0; k < l->n_reads; ++k)
        range = join(range, ranges[l->reads[k] + 1]);
    return range;
}

/* What a layer can output, given what its inputs can hold. */
static gdrq_range range_of_output(const gdrq_outline_layer *l, const gdrq_range *ranges) {
    if (l->keeps_values || l->type == AVGPOOL)
        return range_of_reads(l, ranges);
    if (l->type == UPSAMPLE)
        return gdrq_value_float(l->section, "scale", 1) >= 0 ? range_of_reads(l, ranges)
                                                             : GDRQ_RANGE_SIGNED;
    if (l->type == SOFTMAX)
        return GDRQ_RANGE_UNSIGNED;
    /* A sum of tensors without (or with a small) negative tail has none (a small one) either. */
    if (l->type == SHORTCUT && l->activation == LINEAR && l->alpha >= 0 && l->beta >= 0)
        return range_of_reads(l, ranges);
    if (l->type == CONVOLUTIONAL || l->type == CONNECTED || l->type == SHORTCUT ||
        l->type == ACTIVE || l->type == LOCAL || l->type == DECONVOLUTIONAL)
        return range_of_activation(l->activation);
    return GDRQ_RANGE_SIGNED;
}

static gdrq_range *ranges_of_outputs(const gdrq_outline *outline) {
    gdrq_range *ranges = gdrq_alloc((size_t)outline->n + 1, sizeof *ranges);
    if (!ranges)
        return NULL;
    ranges[0] = gdrq_outline_reads_pixels(outline) ? GDRQ_RANGE_UNSIGNED : GDRQ_RANGE_SIGNED;
    for (int i = 0; i < outline->n; ++i)
        ranges[i + 1] = range_of_output(&outline->layers[i], ranges);
    return ranges;
}

/* The range that holds the outputs of all members of a class. */
static gdrq_range range_of_class(const gdrq_outline *outline, const int *representative,
                                 const gdrq_range *ranges, int tensor) {
    gdrq_range range = GDRQ_RANGE_UNSIGNED;
    for (int i = -1; i < outline->n; ++i)
        if (representative[i + 1] == tensor)
            range = join(range, ranges[i + 1]);
    return range;
}

static gdrq_running_threshold new_class(const gdrq_layer_options *o, int tensor, bool pixels,
                                        int reader, gdrq_range automatic) {
    gdrq_running_threshold t = {.tensor = tensor,
                                .first_reader = reader,
                                .bits = o->activation_bits,
                                .slope = GDRQ_LEAKY_SLOPE,
                                .how = o->threshold_activations,
                                .k = o->k_activations,
                                .has_usual_k = o->has_usual_k,
                                .momentum = o->activation_momentum,
                                .norm = o->search_norm,
                                .fixed = pixels,
                                .threshold = pixels ? 1.f : 0.f};
    t.range = pixels                                   ? GDRQ_RANGE_UNSIGNED
              : o->activation_range == GDRQ_RANGE_AUTO ? automatic
                                                       : o->activation_range;
    return t;
}

/* Two readers of one class must say the same of it; `t` stands for its first reader. */
static gdrq_status check_agreement(const gdrq_outline *outline, const gdrq_running_threshold *t,
                                   const gdrq_running_threshold *other, gdrq_error *err) {
    if (t->fixed)
        return GDRQ_OK;
    const int a = t->first_reader, b = other->first_reader;
    const gdrq_layer_options *o = &outline->layers[a].options, *p = &outline->layers[b].options;
    const bool scales = t->how == GDRQ_THRESHOLD_SCALE, learns = t->how == GDRQ_THRESHOLD_LEARNED;
    const char *what = NULL;
    if (t->bits != other->bits)
        what = "activation_bits";
    else if (t->range != other->range)
        what = "activation_range";
    else if (t->how != other->how)
        what = "threshold_activations";
    else if (t->momentum != other->momentum)
        what = "activation_momentum";
    else if (scales && t->k != other->k)
        what = "k_activations";
    else if (!scales && t->norm != other->norm)
        what = "search_norm";
    else if (learns && o->threshold_rate != p->threshold_rate)
        what = "threshold_rate";
    else if (learns && o->threshold_decay != p->threshold_decay)
        what = "threshold_decay";
    if (!what)
        return GDRQ_OK;
    return gdrq_fail(
        err, GDRQ_ERROR_FORMAT,
        "%s: layer %d (line %d) and layer %d (line %d) read the same tensor but differ "
        "in %s: give both the same value",
        outline->cfg.path, a, outline->layers[a].section->line, b, outline->layers[b].section->line,
        what);
}

/* Pixels have a fixed threshold, which what a layer computes can't share. */
static gdrq_status check_pixels(const gdrq_outline *outline, const int *representative, int reader,
                                gdrq_error *err) {
    for (int i = 0; i < outline->n; ++i)
        if (representative[i + 1] == -1 && !outline->layers[i].keeps_values)
            return gdrq_fail(
                err, GDRQ_ERROR_FORMAT,
                "%s: layer %d (line %d) reads pixels of the input joined with the "
                "output of layer %d (line %d), which no single quantiser fits: make it "
                "a [%s], or don't join them",
                outline->cfg.path, reader, outline->layers[reader].section->line, i,
                outline->layers[i].section->line,
                gdrq_section_kind_find(outline->layers[reader].section->name)->stock);
    return GDRQ_OK;
}

static int find_class(const gdrq_tensor_classes *classes, int tensor) {
    for (int k = 0; k < classes->n; ++k)
        if (classes->classes[k].tensor == tensor)
            return k;
    return -1;
}

static gdrq_status add_reader(const gdrq_outline *outline, const int *representative,
                              const gdrq_range *ranges, int reader, gdrq_tensor_classes *out,
                              gdrq_error *err) {
    const int tensor = representative[outline->layers[reader].reads[0] + 1];
    const bool pixels = tensor == -1 && gdrq_outline_reads_pixels(outline);
    const gdrq_status status =
        pixels ? check_pixels(outline, representative, reader, err) : GDRQ_OK;
    if (status != GDRQ_OK)
        return status;
    const gdrq_running_threshold t =
        new_class(&outline->layers[reader].options, tensor, pixels, reader,
                  range_of_class(outline, representative, ranges, tensor));
    int k = find_class(out, tensor);
    if (k < 0) {
        k = out->n++;
        out->classes[k] = t;
    }
    out->of_layer[reader] = k;
    out->classes[k].has_usual_k &= t.has_usual_k;
    return check_agreement(outline, &out->classes[k], &t, err);
}

gdrq_status gdrq_tensor_classes_build(const gdrq_outline *outline, gdrq_tensor_classes *out,
                                      gdrq_error *err) {
    *out = (gdrq_tensor_classes){0};
    gdrq_status status = GDRQ_OK;
    int *representative = gdrq_tensor_union(outline);
    gdrq_range *ranges = ranges_of_outputs(outline);
    out->classes = gdrq_alloc((size_t)outline->n, sizeof *out->classes);
    out->of_layer = gdrq_alloc((size_t)outline->n, sizeof *out->of_layer);
    if (!representative || !ranges || !out->classes || !out->of_layer)
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", outline->cfg.path);
    for (int i = 0; status == GDRQ_OK && i < outline->n; ++i) {
        out->of_layer[i] = -1;
        if (outline->layers[i].quantised)
            status = add_reader(outline, representative, ranges, i, out, err);
    }
    free(representative);
    free(ranges);
    if (status != GDRQ_OK)
        gdrq_tensor_classes_free(out);
    return status;
}

void gdrq_tensor_classes_free(gdrq_tensor_classes *classes) {
    for (int k = 0; k < classes->n; ++k) {
        free(classes->classes[k].histogram);
#ifdef GPU
        gdrq_device_free(classes->classes[k].on_gpu);
#endif
    }
    free(classes->classes);
    free(classes->of_layer);
    *classes = (gdrq_tensor_classes){0};
}
