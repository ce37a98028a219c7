/* gdrq_fold(): a trained network with quantised layers into a folded cfg and its weights. */
#include "gdrq.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/same_file.h"
#include "base/status.h"
#include "host/attach.h"
#include "host/cfg_text.h"
#include "host/network_state.h"
#include "host/scratch_buffer.h"
#include "host/section_keys.h"
#include "host/text_file.h"
#include "host/weight_spans.h"
#include "host/weights.h"
#include "model/folded.h"
#include "quant/pack.h"
#include "train/quantised_layer.h"

typedef struct folding {
    const char *cfg_path;
    char *text; /* of the cfg, n bytes */
    size_t n;
    gdrq_outline outline; /* of the cfg */
    network *net;
    const gdrq_tensor_classes *classes; /* the network's */
    gdrq_folded folded;
    gdrq_error *err;
} folding;

static gdrq_status no_memory(const folding *f) {
    return gdrq_fail(f->err, GDRQ_ERROR_MEMORY, "%s: out of memory", f->cfg_path);
}

/* ---- the cfg ---- */

static const char *folded_name(LAYER_TYPE type) {
    return type == CONNECTED ? "folded_connected" : "folded_convolutional";
}

static void write_folded_header(const folding *f, int i, const gdrq_line *line, const char *usual,
                                FILE *out) {
    const gdrq_outline_layer *l = &f->outline.layers[i];
    const gdrq_running_threshold *t = &f->classes->classes[f->classes->of_layer[i]];
    const gdrq_section_kind *kind = gdrq_section_kind_find(folded_name(l->type));
    const gdrq_key *range = gdrq_key_find(kind, "activation_range", NULL);
    gdrq_write_header(out, line, kind->name);
    gdrq_insert_after(out, line, usual, "weight_bits=%d", l->options.weight_bits);
    gdrq_insert_after(out, line, usual, "activation_bits=%d", t->bits);
    gdrq_insert_after(out, line, usual, "activation_range=%s", range->choices[t->range]);
}

/* Whether a line of a quantised section says what the folded one needs, too. */
static bool stays(LAYER_TYPE type, const char *key) {
    bool ours = true;
    gdrq_key_find(gdrq_section_kind_find(folded_name(type)), key, &ours);
    return !ours;
}

/* Deployment runs image by image, and memory is allocated for the batch that the cfg names. */
static void write_net_option(const gdrq_cfg_option *option, const gdrq_line *line, FILE *out) {
    bool ours = false;
    gdrq_key_find(&gdrq_section_kinds[0], option->key, &ours);
    if (!strcmp(option->key, "batch") || !strcmp(option->key, "subdivisions"))
        fprintf(out, "%s=1%s", option->key, line->end);
    else if (!ours)
        fwrite(line->text, 1, line->n, out);
}

/* Section `s` of the cfg (0: [net]) up to the line before the next one, or before `stop`. */
static const char *write_section(const folding *f, int s, const char *text, int *number,
                                 const char *usual, FILE *out) {
    const gdrq_cfg *cfg = &f->outline.cfg;
    const char *stop = f->text + f->n;
    const int last =
        s + 1 < cfg->n ? cfg->sections[s + 1].line : 0; /* the line after it, 0: none */
    const gdrq_outline_layer *l = s > 0 ? &f->outline.layers[s - 1] : NULL;
    const bool quantised = l && l->quantised;
    const gdrq_cfg_option *option = cfg->sections[s].options;
    const gdrq_cfg_option *end = option + cfg->sections[s].n;
    for (; text < stop && *number != last; ++*number) {
        const gdrq_line line = gdrq_line_at(text, stop);
        text += line.n;
        const gdrq_cfg_option *here = option < end && option->line == *number ? option++ : NULL;
        if (quantised && *number == cfg->sections[s].line)
            write_folded_header(f, s - 1, &line, usual, out);
        else if (here && s == 0)
            write_net_option(here, &line, out);
        else if (!here || !quantised || stays(l->type, here->key))
            fwrite(line.text, 1, line.n, out);
    }
    return text;
}

static void write_cfg(const void *user, FILE *out) {
    const folding *f = user;
    const char *text = f->text;
    const char *usual = gdrq_line_at(text, text + f->n).end;
    int number = 1;
    for (int s = 0; s < f->outline.cfg.n; s++)
        text = write_section(f, s, text, &number, usual, out);
}

/* ---- the numbers ---- */

static gdrq_status fold_classes(folding *f) {
    f->folded.n_classes = f->classes->n;
    f->folded.classes = gdrq_alloc((size_t)f->classes->n, sizeof *f->folded.classes);
    if (!f->folded.classes)
        return no_memory(f);
    for (int k = 0; k < f->classes->n; k++) {
        const gdrq_running_threshold *t = &f->classes->classes[k];
        f->folded.classes[k] = (gdrq_folded_class){.tensor = t->tensor,
                                                   .bits = t->bits,
                                                   .range = t->range,
                                                   .grid = gdrq_threshold_grid(t)};
    }
    return GDRQ_OK;
}

static void pack_filter(const float *codes, size_t n, int bits, int8_t *room, uint8_t *packed) {
    for (size_t i = 0; i < n; i++)
        room[i] = (int8_t)codes[i];
    gdrq_pack(room, n, bits, packed);
}

static gdrq_status fold_layer(folding *f, int i, gdrq_folded_layer *to) {
    const layer *l = &f->net->layers[i];
    gdrq_quantised *q = gdrq_quantised_state(l);
    const int bits = q->options.weight_bits;
    const size_t size = gdrq_packed_size(q->filter_size, bits);
    int8_t *room = gdrq_alloc(q->filter_size, 1);
    uint8_t *packed = gdrq_alloc((size_t)q->filters, size);
    *to = (gdrq_folded_layer){.index = i,
                              .input = f->classes->of_layer[i],
                              .filters = q->filters,
                              .weight_bits = bits,
                              .filter_size = q->filter_size,
                              .weights = packed,
                              .scale = q->scale,
                              .bias = q->bias};
    if (room && packed) {
        gdrq_quantised_fold(q, l);
        for (int k = 0; k < q->filters; k++)
            pack_filter(q->weight_codes + (size_t)k * q->filter_size, q->filter_size, bits, room,
                        packed + (size_t)k * size);
    }
    free(room);
    return room && packed ? GDRQ_OK : no_memory(f);
}

static bool append_span(void *user, const gdrq_weight_span *span) {
    float **to = user;
    memcpy(*to, span->data, span->count * sizeof(float));
    *to += span->count;
    return true;
}

static gdrq_status copy_floats(folding *f, int i, size_t n, gdrq_folded_layer *to) {
    float *floats = gdrq_alloc(n, sizeof *floats), *next = floats;
    *to = (gdrq_folded_layer){.index = i, .floats = floats, .n_floats = n};
    if (!floats)
        return no_memory(f);
    gdrq_visit_weight_spans(&f->net->layers[i], GDRQ_ALL, append_span, &next);
    return GDRQ_OK;
}

static gdrq_status fold_layers(folding *f) {
    f->folded.layers = gdrq_alloc((size_t)f->net->n, sizeof *f->folded.layers);
    gdrq_status status = f->folded.layers ? GDRQ_OK : no_memory(f);
    for (int i = 0; status == GDRQ_OK && i < f->net->n; i++) {
        gdrq_folded_layer *to = &f->folded.layers[f->folded.n_layers];
        const size_t floats = gdrq_count_weights(&f->net->layers[i], GDRQ_ALL);
        if (floats == 0)
            continue;
        f->folded.n_layers++;
        status = gdrq_quantised_state(&f->net->layers[i]) ? fold_layer(f, i, to)
                                                          : copy_floats(f, i, floats, to);
    }
    return status;
}

/* ---- all of it ---- */

static gdrq_status check_foldable(const folding *f) {
    if (gdrq_outline_is_folded(&f->outline))
        return gdrq_fail(f->err, GDRQ_ERROR_STATE, "%s: is folded already", f->cfg_path);
    for (int i = 0; i < f->outline.n; i++)
        if (f->outline.layers[i].quantised)
            return GDRQ_OK;
    return gdrq_fail(f->err, GDRQ_ERROR_STATE,
                     "%s: has no quantised layers to fold: make some with `darknet gdrq convert` "
                     "and train them",
                     f->cfg_path);
}

/* What is read must survive, and the two outputs are two files. */
static gdrq_status check_paths(const char *cfg, const char *weights, const char *out_cfg,
                               const char *out_weights, gdrq_error *err) {
    const char *const inputs[] = {cfg, weights}, *const outputs[] = {out_cfg, out_weights};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++)
            if (gdrq_same_file(inputs[i], outputs[k]))
                return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                                 "%s would be replaced: give the results other names", inputs[i]);
    if (gdrq_same_file(out_cfg, out_weights))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "%s can't be both, the cfg and its weights",
                         out_cfg);
    return GDRQ_OK;
}

static gdrq_status read_network(folding *f, const char *weights_path, gdrq_note *note, void *user) {
    gdrq_status status =
        gdrq_text_file_read(f->cfg_path, GDRQ_MAX_CFG_SIZE, &f->text, &f->n, f->err);
    if (status == GDRQ_OK)
        status = gdrq_outline_parse(f->cfg_path, f->text, f->n, &f->outline, f->err);
    if (status == GDRQ_OK)
        status = check_foldable(f);
    if (status == GDRQ_OK)
        status = gdrq_attach_parse(f->cfg_path, note, user, &f->net, f->err);
    if (status == GDRQ_OK)
        status = gdrq_weights_load(f->net, weights_path, 0, f->net->n, false, NULL, f->err);
    if (status == GDRQ_OK)
        status = gdrq_network_ready(f->net, f->err);
    if (status != GDRQ_OK)
        return status;
    f->classes = &gdrq_network_state_find(f->net)->tensors;
    if (note && gdrq_is_on_gpu(f->net))
        note(user, "batch norm is folded as the GPU computes it, by sqrt(variance + 1e-5); as the "
                   "CPU does, by sqrt(variance) + 1e-6: -nogpu");
    return GDRQ_OK;
}

static gdrq_status write_files(folding *f, const char *out_cfg, const char *out_weights) {
    char *text;
    size_t n;
    gdrq_outline folded;
    gdrq_status status = gdrq_cfg_text_make(out_cfg, write_cfg, f, &text, &n, &folded, f->err);
    if (status != GDRQ_OK)
        return status;
    f->folded.cfg_hash = gdrq_outline_hash(&folded);
    gdrq_outline_free(&folded);
    gdrq_folded_output numbers = {out_weights, &f->folded};
    gdrq_cfg_output cfg = {out_cfg, text, n};
    const gdrq_output outputs[] = {{out_weights, gdrq_folded_write_to, &numbers},
                                   {out_cfg, gdrq_cfg_text_write_to, &cfg}};
    status = gdrq_write_files_atomically(outputs, 2, f->err);
    free(text);
    return status;
}

static void free_folding(folding *f) {
    for (int i = 0; f->folded.layers && i < f->folded.n_layers; i++) {
        free((uint8_t *)f->folded.layers[i].weights);
        free((float *)f->folded.layers[i].floats);
    }
    free(f->folded.layers);
    free(f->folded.classes);
    gdrq_attach_free(f->net);
    gdrq_outline_free(&f->outline);
    free(f->text);
}

gdrq_status gdrq_fold(const char *cfg_path, const char *weights_path, const char *out_cfg,
                      const char *out_weights, gdrq_note *note, void *user, gdrq_error *err) {
    folding f = {.cfg_path = cfg_path, .err = err};
    gdrq_status status = check_paths(cfg_path, weights_path, out_cfg, out_weights, err);
    if (status == GDRQ_OK)
        status = read_network(&f, weights_path, note, user);
    if (status == GDRQ_OK)
        status = fold_classes(&f);
    if (status == GDRQ_OK)
        status = fold_layers(&f);
    if (status == GDRQ_OK)
        status = write_files(&f, out_cfg, out_weights);
    free_folding(&f);
    return status;
}
