#include "host/network_check.h"

#include "base/alloc.h"
#include "base/status.h"
#include "host/gpu_sections.h"

#include <stdlib.h>

#ifdef GPU
static const bool on_gpu = true;
#else
static const bool on_gpu = false;
#endif

static gdrq_place place_of(const gdrq_outline *o, int i) {
    return (gdrq_place){&o->cfg, o->layers[i].section, i};
}

/* The network's output is that of the last layer that is no [cost]; the host looks no further. */
static gdrq_status find_output(const gdrq_outline *o, int *output, gdrq_error *err) {
    *output = o->n - 1;
    while (*output >= 0 && o->layers[*output].type == COST)
        --*output;
    if (*output >= 0)
        return GDRQ_OK;
    const gdrq_place place = place_of(o, 0);
    return gdrq_fail_section(&place, err, "a network needs a layer that is no [cost]");
}

/*
 * The truth holds as many values per image as the last layer wants, or as the network has outputs;
 * behind a layer with truth=1 it is that layer's output.
 */
static gdrq_status check_truth(const gdrq_outline *o, const gdrq_layer_facts *facts, int output,
                               gdrq_error *err) {
    int available = facts[o->n - 1].truths ? facts[o->n - 1].truths : o->layers[output].outputs;
    for (int i = 0; i < o->n; i++) {
        const gdrq_place place = place_of(o, i);
        if (facts[i].truth_read > available)
            return gdrq_fail_section(&place, err,
                                     "compares with %d values of truth per image, but there are "
                                     "only %d (set by the network's last layer, or by truth=1)",
                                     facts[i].truth_read, available);
        if (gdrq_value_int(o->layers[i].section, "truth", 0))
            available = o->layers[i].outputs;
    }
    return GDRQ_OK;
}

/*
 * Boxes of all heads share one array whose elements have room for the classes (and masks) of the
 * last layer.
 */
static gdrq_status check_boxes(const gdrq_outline *o, const gdrq_layer_facts *facts,
                               gdrq_error *err) {
    const gdrq_layer_facts *last = &facts[o->n - 1];
    for (int i = 0; i < o->n; i++) {
        const gdrq_place place = place_of(o, i);
        if (facts[i].classes > last->classes)
            return gdrq_fail_section(&place, err,
                                     "has classes=%d, but boxes have room for the %d of the "
                                     "network's last layer; give the head with most classes last",
                                     facts[i].classes, last->classes);
        if (facts[i].coords > 4 && facts[i].coords > last->coords)
            return gdrq_fail_section(&place, err,
                                     "has coords=%d, but boxes have room for the %d of the "
                                     "network's last layer",
                                     facts[i].coords, last->coords);
    }
    return GDRQ_OK;
}

/* One truth serves all heads of a type, so they must agree on how many boxes it has. */
static gdrq_status check_max(const gdrq_outline *o, const gdrq_layer_facts *facts, LAYER_TYPE type,
                             gdrq_error *err) {
    int first = -1;
    for (int i = 0; i < o->n; i++) {
        if (o->layers[i].type != type)
            continue;
        const gdrq_place place = place_of(o, i);
        if (first < 0)
            first = i;
        else if (facts[i].truths != facts[first].truths)
            return gdrq_fail_section(&place, err,
                                     "max=%d differs from max=%d of layer %d; give all the same",
                                     facts[i].truths / (facts[i].coords + 1),
                                     facts[first].truths / (facts[first].coords + 1), first);
    }
    return GDRQ_OK;
}

gdrq_status gdrq_network_check(const gdrq_outline *outline, const gdrq_layer_facts *facts,
                               gdrq_error *err) {
    int output;
    gdrq_status status;
    if ((status = find_output(outline, &output, err)) != GDRQ_OK ||
        (status = check_max(outline, facts, YOLO, err)) != GDRQ_OK ||
        (status = check_max(outline, facts, REGION, err)) != GDRQ_OK ||
        (status = check_boxes(outline, facts, err)) != GDRQ_OK)
        return status;
    return check_truth(outline, facts, output, err);
}

/* Whether layer i keeps a gradient for those that read it; [dropout] uses the one before it. */
static bool keeps_gradient(const gdrq_outline *o, const gdrq_layer_facts *facts, int i) {
    while (i > 0 && o->layers[i].type == DROPOUT)
        i--;
    return i >= 0 && facts[i].has_gradient;
}

/* The backward pass starts at the last layer and ends before one with stopbackward; -1: none. */
static int last_stop(const gdrq_outline *o) {
    int i = o->n - 1;
    while (i >= 0 && !gdrq_value_int(o->layers[i].section, "stopbackward", 0))
        i--;
    return i;
}

/* Values per channel over which batch norm takes its variance; 0 without batch norm. */
static int64_t normalised_values(const gdrq_outline *o, const gdrq_outline_layer *layer) {
    const bool normalises =
        layer->type == BATCHNORM || gdrq_value_int(layer->section, "batch_normalize", 0);
    return normalises && layer->out_c ? (int64_t)o->batch * layer->out_w * layer->out_h : 0;
}

/* NULL, or what of a layer fails in training even where no gradient reaches it. */
static const char *forward_fault(const gdrq_outline *o, const gdrq_outline_layer *layer) {
    /* The variance divides by one less than the number of values. */
    if (normalised_values(o, layer) == 1)
        return "batch norm of a single value; raise batch= or lower subdivisions=";
    if (on_gpu)
        return gdrq_gpu_training_fault(o, layer);
    /* The state of the one is too short for a training pass; the other has no backward pass. */
    if (layer->type == RNN || layer->type == LSTM)
        return "Darknet can train it with a GPU only";
    if (layer->type == CONVOLUTIONAL && gdrq_value_int(layer->section, "binary", 0) &&
        !gdrq_value_int(layer->section, "batch_normalize", 0))
        return "with binary=1 Darknet updates scales that only batch_normalize=1 brings";
    return NULL;
}

/* NULL, or what layer i lacks in the backward pass. */
static const char *backward_fault(const gdrq_outline *o, const gdrq_layer_facts *facts, int i) {
    const gdrq_outline_layer *layer = &o->layers[i];
    if (facts[i].writes_gradient && !keeps_gradient(o, facts, i - 1))
        return i ? "the layer before it takes no gradient"
                 : "the first layer has none to pass it to";
    for (int r = 0; r < layer->n_reads; r++)
        if ((layer->type == ROUTE || layer->type == SHORTCUT) &&
            !keeps_gradient(o, facts, layer->reads[r]))
            return "a layer that it reads takes no gradient";
    return NULL;
}

gdrq_status gdrq_network_check_training(gdrq_outline *outline, const gdrq_layer_facts *facts,
                                        gdrq_notes *notes, gdrq_error *err) {
    const int stop = last_stop(outline);
    for (int i = 0; i < outline->n; i++) {
        const char *fault = forward_fault(outline, &outline->layers[i]);
        if (!fault && i > stop)
            fault = backward_fault(outline, facts, i);
        if (!fault)
            continue;
        const gdrq_cfg_section *section = outline->layers[i].section;
        const gdrq_status status =
            gdrq_notes_add(notes, &outline->cfg, section->line, err,
                           "layer %d [%s] makes the network one that can't be trained: %s", i,
                           section->name, fault);
        if (status != GDRQ_OK)
            return status;
        outline->untrainable = gdrq_strdup(notes->lines[notes->n - 1]);
        return outline->untrainable
                   ? GDRQ_OK
                   : gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", outline->cfg.path);
    }
    return on_gpu ? GDRQ_OK : gdrq_gpu_note_differences(outline, notes, err);
}
