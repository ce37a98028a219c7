#include "gdrq.h"

#include "base/alloc.h"
#include "base/status.h"
#include "host/cfg_text.h"
#include "host/outline.h"
#include "host/quantised_section.h"
#include "host/section_keys.h"
#include "host/tensor_union.h"
#include "host/text_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

gdrq_convert_options gdrq_convert_defaults(void) {
    return (gdrq_convert_options){.first_weight_bits = 8,
                                  .head_weight_bits = 8,
                                  .head_activation_bits = 8,
                                  .weight_bits = 4,
                                  .activation_bits = 4};
}

/* What one layer is, and what its section becomes. */
typedef struct layer_plan {
    const char *becomes; /* its section's new name; NULL: it stays */
    bool feeds_result; /* its output becomes a detection or a class without more weights between */
    bool reads_input, gives_input; /* the network's input, at most moved and cropped */
    bool bits_given;               /* it reads pixels as they are: activation bits are given */
    int weight_bits, activation_bits;
} layer_plan;

typedef struct conversion {
    const char *path;
    const gdrq_convert_options *options;
    char *text; /* of the file, n bytes */
    size_t n;
    gdrq_outline outline;
    int *tensors; /* gdrq_tensor_union() */
    layer_plan *plans;
} conversion;

static int max_int(int a, int b) {
    return a > b ? a : b;
}

static gdrq_status check_bits(const char *what, int bits, gdrq_error *err) {
    if (gdrq_are_bits(bits))
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s is %d; allowed: 2 to 8", what, bits);
}

static gdrq_status check_threshold(const char *threshold, gdrq_error *err) {
    const gdrq_key *key = gdrq_key_find(&gdrq_section_kinds[0], "threshold", NULL);
    for (int i = 0; threshold && key->choices[i]; i++)
        if (!strcmp(key->choices[i], threshold))
            return GDRQ_OK;
    return threshold ? gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                                 "threshold is %s; allowed: scale, search, learned", threshold)
                     : GDRQ_OK;
}

static gdrq_status check_options(const gdrq_convert_options *o, gdrq_error *err) {
    gdrq_status status;
    if ((status = check_bits("first_weight_bits", o->first_weight_bits, err)) != GDRQ_OK ||
        (status = check_bits("head_weight_bits", o->head_weight_bits, err)) != GDRQ_OK ||
        (status = check_bits("head_activation_bits", o->head_activation_bits, err)) != GDRQ_OK ||
        (status = check_bits("weight_bits", o->weight_bits, err)) != GDRQ_OK)
        return status;
    status = check_bits("activation_bits", o->activation_bits, err);
    return status == GDRQ_OK ? check_threshold(o->threshold, err) : status;
}

/* Only cfgs without anything of ours can be converted, and only with something to convert. */
static gdrq_status check_stock(const conversion *c, gdrq_error *err) {
    const gdrq_outline *o = &c->outline;
    const gdrq_cfg_section *net = &o->cfg.sections[0];
    /* Of the keys of ours in [net], ema= is the training's and not quantising's. */
    const gdrq_section_kind *quantised = gdrq_section_kind_find("gdrq_convolutional");
    for (int i = 0; i < net->n; i++) {
        bool ours = false;
        gdrq_key_find(quantised, net->options[i].key, &ours);
        if (ours)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s:%d: [net] has %s already; only a cfg without quantised keys can "
                             "be converted",
                             c->path, net->options[i].line, net->options[i].key);
    }
    bool any = false;
    for (int i = 0; i < o->n; i++) {
        if (o->layers[i].quantised)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s:%d: layer %d is [%s] already; only a cfg without quantised "
                             "sections can be converted",
                             c->path, o->layers[i].section->line, i, o->layers[i].section->name);
        any |= c->plans[i].becomes != NULL;
    }
    if (!any)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: has no [convolutional] or [connected] to convert", c->path);
    return GDRQ_OK;
}

static bool is_on(const gdrq_cfg_section *section, const char *key) {
    const gdrq_cfg_option *option = gdrq_cfg_find(section, key);
    return option && strtol(option->value, NULL, 10) != 0;
}

/* The quantised form of a layer's section, NULL if it has none. */
static const char *quantised_form(const gdrq_outline_layer *layer) {
    if (layer->type == CONNECTED)
        return "gdrq_connected";
    const bool one_bit = is_on(layer->section, "binary") || is_on(layer->section, "xnor");
    return layer->type == CONVOLUTIONAL && !one_bit ? "gdrq_convolutional" : NULL;
}

static bool is_result(LAYER_TYPE type) {
    return type == YOLO || type == REGION || type == DETECTION || type == ISEG || type == SOFTMAX ||
           type == LOGXENT || type == COST;
}

/* Between a head and its result, these do not hide the one from the other. */
static bool passes_on(const gdrq_outline_layer *layer) {
    return layer->type == AVGPOOL || layer->type == REORG || layer->type == COST ||
           layer->keeps_values;
}

/* Backwards, so that every layer is seen after all that read it. */
static void mark_heads(conversion *c) {
    for (int i = c->outline.n - 1; i >= 0; i--) {
        const gdrq_outline_layer *layer = &c->outline.layers[i];
        if (!is_result(layer->type) && !(c->plans[i].feeds_result && passes_on(layer)))
            continue;
        for (int r = 0; r < layer->n_reads; r++)
            if (layer->reads[r] >= 0)
                c->plans[layer->reads[r]].feeds_result = true;
    }
}

static void mark_input(conversion *c) {
    for (int i = 0; i < c->outline.n; i++) {
        const gdrq_outline_layer *layer = &c->outline.layers[i];
        const int read = layer->reads[0];
        c->plans[i].reads_input = read < 0 || c->plans[read].gives_input;
        c->plans[i].gives_input =
            c->plans[i].reads_input && (layer->keeps_values || layer->type == CROP);
    }
}

static void choose_bits(const conversion *c, int i) {
    const gdrq_convert_options *options = c->options;
    layer_plan *plan = &c->plans[i];
    const bool head = plan->feeds_result;
    plan->weight_bits = head ? options->head_weight_bits : options->weight_bits;
    plan->activation_bits = head ? options->head_activation_bits : options->activation_bits;
    if (plan->reads_input) {
        plan->weight_bits = head ? max_int(plan->weight_bits, options->first_weight_bits)
                                 : options->first_weight_bits;
        plan->activation_bits = GDRQ_PIXEL_BITS;
    }
    plan->bits_given = gdrq_outline_reads_pixels(&c->outline) &&
                       c->tensors[c->outline.layers[i].reads[0] + 1] == -1;
}

/* A tensor is quantised once: all its readers get the most bits that one of them wants. */
static gdrq_status agree_on_bits(conversion *c, gdrq_error *err) {
    const gdrq_outline *o = &c->outline;
    int *most = gdrq_alloc((size_t)o->n + 1, sizeof *most);
    if (!most)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", c->path);
    for (int i = 0; i < o->n; i++) {
        int *bits = &most[c->tensors[o->layers[i].reads[0] + 1] + 1];
        if (c->plans[i].becomes)
            *bits = max_int(*bits, c->plans[i].activation_bits);
    }
    for (int i = 0; i < o->n; i++)
        if (c->plans[i].becomes)
            c->plans[i].activation_bits = most[c->tensors[o->layers[i].reads[0] + 1] + 1];
    free(most);
    return GDRQ_OK;
}

static gdrq_status plan_layers(conversion *c, gdrq_error *err) {
    c->tensors = gdrq_tensor_union(&c->outline);
    c->plans = gdrq_alloc((size_t)c->outline.n, sizeof *c->plans);
    if (!c->tensors || !c->plans)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", c->path);
    for (int i = 0; i < c->outline.n; i++)
        c->plans[i].becomes = quantised_form(&c->outline.layers[i]);
    const gdrq_status status = check_stock(c, err);
    if (status != GDRQ_OK)
        return status;
    mark_heads(c);
    mark_input(c);
    for (int i = 0; i < c->outline.n; i++)
        choose_bits(c, i);
    return agree_on_bits(c, err);
}

static void write_lines(const void *user, FILE *out) {
    const conversion *c = user;
    const gdrq_convert_options *options = c->options;
    const gdrq_cfg *cfg = &c->outline.cfg;
    const gdrq_cfg_section *net = &cfg->sections[0];
    const char *stop = c->text + c->n;
    const char *usual = gdrq_line_at(c->text, stop).end;
    int next = 0; /* the next layer whose section line comes */
    int number = 1;
    for (const char *text = c->text; text < stop; number++) {
        const gdrq_line l = gdrq_line_at(text, stop);
        text += l.n;
        const bool header = next < c->outline.n && number == cfg->sections[next + 1].line;
        const layer_plan *plan = header ? &c->plans[next++] : NULL;
        const bool changes = plan && plan->becomes;
        if (changes)
            gdrq_write_header(out, &l, plan->becomes);
        else
            fwrite(l.text, 1, l.n, out);
        if (changes && plan->weight_bits != options->weight_bits)
            gdrq_insert_after(out, &l, usual, "weight_bits=%d", plan->weight_bits);
        if (changes && !plan->bits_given && plan->activation_bits != options->activation_bits)
            gdrq_insert_after(out, &l, usual, "activation_bits=%d", plan->activation_bits);
        if (number == net->options[net->n - 1].line) {
            gdrq_insert_after(out, &l, usual, "weight_bits=%d", options->weight_bits);
            gdrq_insert_after(out, &l, usual, "activation_bits=%d", options->activation_bits);
            if (options->threshold)
                gdrq_insert_after(out, &l, usual, "threshold=%s", options->threshold);
        }
    }
}

gdrq_status gdrq_convert_cfg(const char *in_path, const char *out_path,
                             const gdrq_convert_options *options, gdrq_error *err) {
    conversion c = {.path = in_path, .options = options};
    gdrq_status status = check_options(options, err);
    if (status == GDRQ_OK)
        status = gdrq_text_file_read(in_path, GDRQ_MAX_CFG_SIZE, &c.text, &c.n, err);
    if (status == GDRQ_OK)
        status = gdrq_outline_parse(in_path, c.text, c.n, &c.outline, err);
    if (status == GDRQ_OK)
        status = plan_layers(&c, err);
    if (status == GDRQ_OK)
        status = gdrq_cfg_text_save(out_path, write_lines, &c, err);
    free(c.plans);
    free(c.tensors);
    free(c.text);
    gdrq_outline_free(&c.outline);
    return status;
}
