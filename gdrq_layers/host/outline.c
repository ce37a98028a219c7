#include "host/outline.h"

#include "base/alloc.h"
#include "base/status.h"
#include "host/net_section.h"
#include "host/network_check.h"
#include "host/quantised_section.h"
#include "host/section_check.h"
#include "host/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LAYERS 65536

/* What building an outline works with beside the outline itself. */
typedef struct builder {
    gdrq_outline *outline;
    gdrq_layer_facts *facts; /* one per layer */
    gdrq_notes notes;
    int time_steps;
} builder;

static gdrq_status read_net(builder *b, gdrq_error *err) {
    gdrq_outline *o = b->outline;
    const gdrq_place place = {&o->cfg, &o->cfg.sections[0], -1};
    const gdrq_section_kind *kind = gdrq_section_kind_find(place.section->name);
    if (!kind || kind->type != NETWORK)
        return gdrq_fail_section(&place, err, "the first section must be [net]");
    const gdrq_status status = gdrq_section_check(&place, &kind, &b->notes, err);
    if (status != GDRQ_OK)
        return status;
    if (o->cfg.n == 1)
        return gdrq_fail_section(&place, err, "no layer follows; a network needs at least one");
    if (o->cfg.n - 1 > MAX_LAYERS)
        return gdrq_fail_section(&place, err, "%d layers follow; at most %d are possible",
                                 o->cfg.n - 1, MAX_LAYERS);
    return gdrq_net_section_read(&place, o, &b->time_steps, &b->notes, err);
}

static gdrq_layer_input input_of(const builder *b, const gdrq_place *place) {
    const gdrq_outline *o = b->outline;
    gdrq_layer_input in = {.place = *place,
                           .layers = o->layers,
                           .index = place->layer,
                           .w = o->w,
                           .h = o->h,
                           .c = o->c,
                           .inputs = o->inputs,
                           .batch = o->batch,
                           .time_steps = b->time_steps};
    if (place->layer > 0) {
        const gdrq_outline_layer *before = &o->layers[place->layer - 1];
        in.w = before->out_w;
        in.h = before->out_h;
        in.c = before->out_c;
        in.inputs = before->outputs;
    }
    return in;
}

static gdrq_status read_layer(builder *b, int i, gdrq_error *err) {
    gdrq_outline *o = b->outline;
    const gdrq_place place = {&o->cfg, &o->cfg.sections[i + 1], i};
    const gdrq_section_kind *kind;
    const gdrq_status status = gdrq_section_check(&place, &kind, &b->notes, err);
    if (status != GDRQ_OK)
        return status;
    if (kind->type == NETWORK)
        return gdrq_fail_section(&place, err, "only the first section can be [net]");
    gdrq_outline_layer *layer = &o->layers[i];
    layer->section = place.section;
    layer->type = kind->type;
    layer->quantised = kind->quantised;
    layer->folded = kind->folded;
    layer->segmentation = kind->segmentation;
    o->n = i + 1; /* so that what it allocates is freed after an error */
    const gdrq_layer_input in = input_of(b, &place);
    return gdrq_layer_shape(&in, layer, &b->facts[i], err);
}

/* Quantising keys in [net] are defaults for sections of ours; without one they are likely a slip.
 */
static gdrq_status note_unused_defaults(builder *b, gdrq_error *err) {
    const gdrq_outline *o = b->outline;
    for (int i = 0; i < o->n; i++)
        if (o->layers[i].quantised)
            return GDRQ_OK;
    const gdrq_cfg_section *net = &o->cfg.sections[0];
    const gdrq_section_kind *quantised = gdrq_section_kind_find("gdrq_convolutional");
    for (int i = 0; i < net->n; i++) {
        bool ours = false;
        const char *key = net->options[i].key;
        gdrq_key_find(quantised, key, &ours);
        gdrq_status status = GDRQ_OK;
        if (ours)
            status = gdrq_notes_add(&b->notes, &o->cfg, net->options[i].line, err,
                                    "[net] %s has no effect: there is no [gdrq_convolutional] or "
                                    "[gdrq_connected]",
                                    key);
        if (status != GDRQ_OK)
            return status;
    }
    return GDRQ_OK;
}

static double weights_of_filter(const gdrq_outline_layer *l) {
    return l->type == CONNECTED ? l->inputs : (double)l->size * l->size * l->c / l->groups;
}

/* Whose products add up to 31 bits. */
static int most_weights(const gdrq_outline_layer *l) {
    const int code = (1 << l->options.activation_bits) - 1;
    const int weight = (1 << (l->options.weight_bits - 1)) - 1;
    return INT32_MAX / (code * weight);
}

/*
 * A half folded network would have thresholds in two places; and sums of too many products could
 * overflow 32 bits.
 */
static gdrq_status check_folded(const gdrq_outline *o, gdrq_error *err) {
    const bool folded = gdrq_outline_is_folded(o);
    for (int i = 0; i < o->n; i++) {
        const gdrq_place place = {&o->cfg, o->layers[i].section, i};
        if (o->layers[i].folded && weights_of_filter(&o->layers[i]) > most_weights(&o->layers[i]))
            return gdrq_fail_section(
                &place, err,
                "a filter has %.0f weights; with %d bits by %d at most %d are "
                "possible",
                weights_of_filter(&o->layers[i]), o->layers[i].options.weight_bits,
                o->layers[i].options.activation_bits, most_weights(&o->layers[i]));
        if (folded && o->layers[i].quantised && !o->layers[i].folded)
            return gdrq_fail_section(&place, err,
                                     "stands beside folded sections, which `darknet gdrq fold` "
                                     "writes for a whole network: fold the cfg that this one was "
                                     "made of");
    }
    return GDRQ_OK;
}

static gdrq_status build(builder *b, gdrq_error *err) {
    gdrq_outline *o = b->outline;
    gdrq_status status = read_net(b, err);
    if (status != GDRQ_OK)
        return status;
    o->layers = gdrq_alloc((size_t)o->cfg.n - 1, sizeof *o->layers);
    b->facts = gdrq_alloc((size_t)o->cfg.n - 1, sizeof *b->facts);
    if (!o->layers || !b->facts)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", o->cfg.path);
    for (int i = 0; status == GDRQ_OK && i < o->cfg.n - 1; i++)
        status = read_layer(b, i, err);
    if (status == GDRQ_OK)
        status = gdrq_network_check(o, b->facts, err);
    if (status == GDRQ_OK)
        status = gdrq_network_check_training(o, b->facts, &b->notes, err);
    if (status == GDRQ_OK)
        status = gdrq_quantised_sections_read(o, err);
    if (status == GDRQ_OK)
        status = check_folded(o, err);
    return status == GDRQ_OK ? note_unused_defaults(b, err) : status;
}

/* Takes over outline->cfg; frees it on failure. */
static gdrq_status build_or_free(gdrq_outline *outline, gdrq_error *err) {
    builder b = {.outline = outline};
    const gdrq_status status = build(&b, err);
    free(b.facts);
    outline->notes = b.notes.lines;
    outline->n_notes = b.notes.n;
    if (status != GDRQ_OK)
        gdrq_outline_free(outline);
    return status;
}

gdrq_status gdrq_outline_read(const char *path, gdrq_outline *outline, gdrq_error *err) {
    *outline = (gdrq_outline){0};
    const gdrq_status status = gdrq_cfg_read(path, &outline->cfg, err);
    return status == GDRQ_OK ? build_or_free(outline, err) : status;
}

gdrq_status gdrq_outline_parse(const char *path, const char *text, size_t n, gdrq_outline *outline,
                               gdrq_error *err) {
    *outline = (gdrq_outline){0};
    const gdrq_status status = gdrq_cfg_parse(path, text, n, &outline->cfg, err);
    return status == GDRQ_OK ? build_or_free(outline, err) : status;
}

void gdrq_outline_free(gdrq_outline *outline) {
    for (int i = 0; i < outline->n; i++)
        free(outline->layers[i].reads);
    free(outline->layers);
    gdrq_notes notes = {outline->notes, outline->n_notes};
    gdrq_notes_free(&notes);
    free(outline->untrainable);
    gdrq_cfg_free(&outline->cfg);
    *outline = (gdrq_outline){0};
}

bool gdrq_outline_reads_pixels(const gdrq_outline *outline) {
    return outline->w && outline->h && outline->c;
}

bool gdrq_outline_is_folded(const gdrq_outline *outline) {
    for (int i = 0; i < outline->n; i++)
        if (outline->layers[i].folded)
            return true;
    return false;
}

/* Whether the host's parser looks at a key. */
static bool is_stock(const gdrq_section_kind *kind, const gdrq_key *key) {
    bool ours;
    gdrq_key_find(kind, key->name, &ours);
    return !ours && key->kind != GDRQ_KEY_IGNORED && key->kind != GDRQ_KEY_FIXED &&
           key->kind != GDRQ_KEY_SAME;
}

/* Writes the options that the host knows; of repeated ones the first. */
static void translate_section(const gdrq_cfg_section *section, FILE *out) {
    const gdrq_section_kind *kind = gdrq_section_kind_find(section->name);
    const gdrq_key *written[GDRQ_MAX_KEYS];
    int n = 0;
    fprintf(out, "[%s]\n", kind->stock);
    if (kind->folded)
        fprintf(out, "%s=%d\n", kind->type == CONNECTED ? "batch_normalize" : "binary",
                GDRQ_FOLDED_MARK);
    for (int i = 0; i < section->n; i++) {
        const gdrq_cfg_option *option = &section->options[i];
        const gdrq_key *key = gdrq_key_find(kind, option->key, NULL);
        int known = 0;
        while (known < n && written[known] != key)
            known++;
        if (known < n)
            continue;
        written[n++] = key;
        if (is_stock(kind, key))
            fprintf(out, "%s=%s\n", option->key, option->value);
    }
}

gdrq_status gdrq_outline_translate(const gdrq_outline *outline, char **text, gdrq_error *err) {
    char *buffer = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&buffer, &size);
    if (!out)
        return gdrq_fail_errno(err, GDRQ_ERROR_MEMORY, "%s: can't translate", outline->cfg.path);
    for (int i = 0; i < outline->cfg.n; i++)
        translate_section(&outline->cfg.sections[i], out);
    const bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(buffer);
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", outline->cfg.path);
    }
    *text = buffer;
    return GDRQ_OK;
}
