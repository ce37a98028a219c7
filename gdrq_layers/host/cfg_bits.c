/* gdrq_cfg_set_bits(): other bits for the quantised layers of a cfg. */
#include "gdrq.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "host/cfg_text.h"
#include "host/outline.h"
#include "host/text_file.h"

enum { WEIGHTS, ACTIVATIONS, KINDS };

static const char *const keys[KINDS] = {"weight_bits", "activation_bits"};

/* The bits that a layer's section gets; 0: as they are. */
typedef struct new_bits {
    int of[KINDS];
} new_bits;

typedef struct edit {
    char *text; /* of the file, n bytes */
    size_t n;
    gdrq_outline outline;
    new_bits *layers;
} edit;

static gdrq_status fail_bits(const char *path, const gdrq_layer_bits *b, gdrq_error *err) {
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                     "%s: layer %d can't get %d and %d bits: only quantised ones can, from 2 to 8",
                     path, b->layer, b->weight_bits, b->activation_bits);
}

static gdrq_status plan(edit *e, const char *path, const gdrq_layer_bits *bits, int n,
                        gdrq_error *err) {
    const gdrq_outline *o = &e->outline;
    e->layers = gdrq_alloc((size_t)o->n, sizeof *e->layers);
    if (!e->layers)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    for (int i = 0; i < n; i++) {
        const gdrq_layer_bits *b = &bits[i];
        const gdrq_outline_layer *l =
            b->layer >= 0 && b->layer < o->n ? &o->layers[b->layer] : NULL;
        if (!l || !l->quantised || l->folded ||
            !(b->weight_bits == 0 || gdrq_are_bits(b->weight_bits)) ||
            !(b->activation_bits == 0 || gdrq_are_bits(b->activation_bits)))
            return fail_bits(path, b, err);
        if (b->weight_bits != l->options.weight_bits)
            e->layers[b->layer].of[WEIGHTS] = b->weight_bits;
        if (b->activation_bits != l->options.activation_bits)
            e->layers[b->layer].of[ACTIVATIONS] = b->activation_bits;
    }
    return GDRQ_OK;
}

/* The line with another number; what else stands there, as a comment, stays. */
static void write_value(FILE *out, const gdrq_line *line, int bits) {
    const char *stop = line->text + line->n;
    const char *number = (const char *)memchr(line->text, '=', line->n) + 1;
    while (number < stop && (*number == ' ' || *number == '\t'))
        number++;
    const char *rest = number;
    while (rest < stop && (isdigit((unsigned char)*rest) || *rest == '+'))
        rest++;
    fwrite(line->text, 1, (size_t)(number - line->text), out);
    fprintf(out, "%d", bits);
    fwrite(rest, 1, (size_t)(stop - rest), out);
}

static int bits_of_option(const new_bits *bits, const gdrq_cfg_option *option) {
    for (int k = 0; k < KINDS; k++)
        if (!strcmp(option->key, keys[k]))
            return bits->of[k];
    return 0;
}

static void write_missing(FILE *out, const gdrq_line *header, const char *usual,
                          const gdrq_cfg_section *section, const new_bits *bits) {
    for (int k = 0; k < KINDS; k++)
        if (bits->of[k] && !gdrq_cfg_find(section, keys[k]))
            gdrq_insert_after(out, header, usual, "%s=%d", keys[k], bits->of[k]);
}

static const gdrq_cfg_option *option_in(const gdrq_cfg_section *section, int line) {
    for (int i = 0; i < section->n; i++)
        if (section->options[i].line == line)
            return &section->options[i];
    return NULL;
}

static void write_lines(const void *user, FILE *out) {
    static const new_bits none;
    const edit *e = user;
    const gdrq_cfg *cfg = &e->outline.cfg;
    const char *stop = e->text + e->n;
    const char *usual = gdrq_line_at(e->text, stop).end;
    int s = -1; /* the section that the line is in */
    int number = 1;
    for (const char *text = e->text; text < stop; number++) {
        const gdrq_line l = gdrq_line_at(text, stop);
        text += l.n;
        const bool header = s + 1 < cfg->n && number == cfg->sections[s + 1].line;
        s += header;
        const new_bits *bits = s > 0 ? &e->layers[s - 1] : &none;
        const gdrq_cfg_option *option = s > 0 ? option_in(&cfg->sections[s], number) : NULL;
        const int value = option ? bits_of_option(bits, option) : 0;
        if (value)
            write_value(out, &l, value);
        else
            fwrite(l.text, 1, l.n, out);
        if (header && s > 0)
            write_missing(out, &l, usual, &cfg->sections[s], bits);
    }
}

gdrq_status gdrq_cfg_set_bits(const char *in_path, const char *out_path,
                              const gdrq_layer_bits *bits, int n, gdrq_error *err) {
    edit e = {0};
    gdrq_status status = gdrq_text_file_read(in_path, GDRQ_MAX_CFG_SIZE, &e.text, &e.n, err);
    if (status == GDRQ_OK)
        status = gdrq_outline_parse(in_path, e.text, e.n, &e.outline, err);
    if (status == GDRQ_OK)
        status = plan(&e, in_path, bits, n, err);
    if (status == GDRQ_OK)
        status = gdrq_cfg_text_save(out_path, write_lines, &e, err);
    free(e.layers);
    free(e.text);
    gdrq_outline_free(&e.outline);
    return status;
}
