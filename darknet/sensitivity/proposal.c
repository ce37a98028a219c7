#include "sensitivity/proposal.h"

#include "base/alloc.h"
#include "base/status.h"
#include "sensitivity/allocation.h"
#include "sensitivity/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bits that -activations chooses from, and the part of the budget that they may take. */
enum { FEW_BITS = 4, MANY_BITS = 8 };
static const double activation_share = .5;

static const double mega = 1e6;

bool budget_is_given(const budget *b) {
    return b->size > 0 || b->bits_mean > 0 || b->error > 0;
}

/* ---- weights ---- */

static double size_of_weights(const sensitive_layer *l, const budget *b, int bits) {
    return b->bits_mean > 0 ? (double)sensitive_layer_weights(l) * bits
                            : (double)gdrq_quantisation_bytes(&l->quantisation, bits);
}

/*
 * What choosing takes bits to cost: `caution` times their error, which of a metric is one image at
 * least with 2 bits. Below that a difference says nothing, and many such layers together still cost
 * something; a quarter per bit is what the error of quantising falls by.
 */
static double assumed_error(const sensitivity *s, const double *errors, int bits, double caution) {
    const double resolution = s->metric ? 100. / metric_images(s->metric) : 0;
    return caution * fmax(sensitivity_error(errors, bits), ldexp(resolution, -2 * (bits - 2)));
}

/* With a budget for the error, sizes are what is to become small. */
static void list_choices(const sensitivity *s, const budget *b, double caution,
                         allocation_item *items) {
    for (int i = 0; i < s->n; i++)
        for (int bits = BITS_FIRST; bits < BITS_END; bits++) {
            if (!bits_has(s->weight_bits, bits))
                continue;
            const sensitive_layer *l = &s->layers[i];
            const double size = size_of_weights(l, b, bits);
            const double error = assumed_error(s, l->weight_errors, bits, caution);
            items[i].choices[items[i].n++] =
                b->error > 0 ? (allocation_choice){error, size} : (allocation_choice){size, error};
        }
}

/* The bits of a layer's choice, which are in rising order. */
static int chosen_bits(bit_set set, int chosen) {
    int bits = BITS_FIRST;
    while (!bits_has(set, bits) || chosen-- > 0)
        bits++;
    return bits;
}

static double weight_budget(const sensitivity *s, const budget *b, double activations) {
    if (b->size > 0)
        return b->size;
    if (b->error > 0)
        return b->error - activations;
    double weights = 0;
    for (int i = 0; i < s->n; i++)
        weights += (double)sensitive_layer_weights(&s->layers[i]);
    return b->bits_mean * weights;
}

gdrq_status budget_check(const budget *b, const sensitivity *s, gdrq_error *err) {
    double least = 0;
    for (int i = 0; i < s->n; i++)
        least += size_of_weights(&s->layers[i], b, chosen_bits(s->weight_bits, 0));
    if (b->bits_mean > 0 && weight_budget(s, b, 0) < least)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "-bits_mean %g is less than the fewest bits to be measured (-bits)",
                         b->bits_mean);
    if (b->size > 0 && b->size < least)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "-size %g: with the fewest bits to be measured the weights take %.6g MB",
                         b->size / mega, least / mega);
    return GDRQ_OK;
}

/* What the activations of `bits` cost: no caution, which is there to be spent on weights. */
static double activation_error(const sensitivity *s, const layer_bits *bits) {
    double sum = 0;
    for (int i = 0; i < s->n; i++)
        if (s->layers[i].has_tensor)
            sum += assumed_error(s, s->layers[i].activation_errors, bits[i].activations, 1);
    return sum;
}

/* Where no choice keeps the budget the least errors are chosen. */
static void choose_weights(const sensitivity *s, const budget *b, proposal *p,
                           allocation_item *items) {
    layer_bits *bits = p->rows[PROPOSAL_CHOSEN].bits;
    const double activations = activation_error(s, bits);
    list_choices(s, b, p->caution, items);
    p->is_most_careful = !allocate(items, s->n, weight_budget(s, b, activations));
    for (int i = 0; i < s->n; i++)
        bits[i].weights = chosen_bits(s->weight_bits, items[i].chosen);
}

/* ---- activations ---- */

/* Of all layers that read the input of the layer `first`, which is the first of them. */
static double macs_of_tensor(const sensitivity *s, int first) {
    double sum = 0;
    for (int i = first; i < s->n; i++)
        if (s->layers[i].quantisation.input_reader == s->layers[first].quantisation.layer)
            sum += s->layers[i].macs;
    return sum;
}

static void set_tensor(const sensitivity *s, int first, int activations, layer_bits *bits) {
    for (int i = first; i < s->n; i++)
        if (s->layers[i].quantisation.input_reader == s->layers[first].quantisation.layer)
            bits[i].activations = activations;
}

static void choose_activations(const sensitivity *s, const budget *b, double caution,
                               allocation_item *items, layer_bits *bits) {
    for (int i = 0; i < s->n; i++) {
        const sensitive_layer *l = &s->layers[i];
        items[i] = (allocation_item){.n = 1}; /* nothing to choose, and no cost */
        if (l->has_tensor)
            items[i] = (allocation_item){
                .choices = {{assumed_error(s, l->activation_errors, FEW_BITS, caution), 0},
                            {assumed_error(s, l->activation_errors, MANY_BITS, caution),
                             macs_of_tensor(s, i)}},
                .n = 2};
    }
    /* Where even the least errors are above their part, they are what remains chosen. */
    allocate(items, s->n, activation_share * b->error);
    for (int i = 0; i < s->n; i++)
        if (s->layers[i].has_tensor)
            set_tensor(s, i, items[i].chosen == 0 ? FEW_BITS : MANY_BITS, bits);
    memset(items, 0, (size_t)s->n * sizeof *items);
}

/* ---- rows ---- */

static gdrq_status add_row(proposal *p, const sensitivity *s, const char *name, gdrq_error *err) {
    layer_bits *bits = gdrq_alloc((size_t)s->n, sizeof *bits);
    if (!bits)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", s->n);
    sensitivity_cfg_bits(s, bits);
    p->rows[p->n++] = (proposal_row){.name = name, .bits = bits, .measured = NAN};
    return GDRQ_OK;
}

/* The same number of bits for all weights; for activations, too, or those of the proposal. */
static gdrq_status add_uniform(proposal *p, const sensitivity *s, const char *name, int bits,
                               bool activations, gdrq_error *err) {
    const gdrq_status status = add_row(p, s, name, err);
    const layer_bits *chosen = p->rows[PROPOSAL_CHOSEN].bits;
    for (int i = 0; i < s->n && status == GDRQ_OK; i++)
        p->rows[p->n - 1].bits[i] = (layer_bits){
            bits, activations && !s->layers[i].reads_pixels ? bits : chosen[i].activations};
    return status;
}

static gdrq_status choose(proposal *p, const sensitivity *s, const budget *b, gdrq_error *err) {
    allocation_item *items = gdrq_alloc((size_t)s->n, sizeof *items);
    if (!items)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", s->n);
    if (b->activations)
        choose_activations(s, b, p->caution, items, p->rows[PROPOSAL_CHOSEN].bits);
    choose_weights(s, b, p, items);
    free(items);
    p->rows[PROPOSAL_CHOSEN].bytes = sensitivity_bytes(s, p->rows[PROPOSAL_CHOSEN].bits);
    return GDRQ_OK;
}

/* ---- a budget for the error ---- */

/* With which caution the budget was kept, and with which it wasn't; 0: none yet. */
typedef struct caution_search {
    double kept, exceeded;
    proposal_row best; /* of the choices that keep it the smallest; its bits are a copy, owned */
    int tries;
} caution_search;

/* Choices that are measured once one has kept the budget, to make it smaller. */
enum { MOST_TRIES = 8 };
/* Steps of caution: the least and the most to keep the budget, and what is near enough. */
static const double least_step = 1.5, most_step = 4, near = 1.05;
/* From here on only bits without any error are affordable, if there are such. */
static const double most_caution = 1e9;

/* More until it is kept, less until it isn't, then between the two. */
static double next_caution(const caution_search *c, double caution, double excess) {
    if (!(c->kept > 0))
        return caution * fmin(fmax(excess, least_step), most_step);
    return c->exceeded > 0 ? sqrt(c->kept * c->exceeded) : caution / least_step;
}

static bool is_found(const caution_search *c) {
    return c->kept > 0 &&
           (c->tries >= MOST_TRIES || (c->exceeded > 0 && c->kept < near * c->exceeded));
}

static gdrq_status measure_chosen(proposal *p, sensitivity *s, gdrq_error *err) {
    proposal_row *r = &p->rows[PROPOSAL_CHOSEN];
    return sensitivity_measure(s, (const layer_bits *const[]){r->bits}, 1, &r->measured, err);
}

static void note_chosen(caution_search *c, const proposal *p, const sensitivity *s,
                        const budget *b) {
    const proposal_row *r = &p->rows[PROPOSAL_CHOSEN];
    layer_bits *bits = c->best.bits;
    c->tries++;
    if (r->measured > b->error) {
        c->exceeded = p->caution;
        return;
    }
    if (!(c->kept > 0) || r->bytes < c->best.bytes) {
        memcpy(bits, r->bits, (size_t)s->n * sizeof *bits);
        c->best = *r;
        c->best.bits = bits;
    }
    c->kept = p->caution;
}

static gdrq_status search_caution(caution_search *c, proposal *p, sensitivity *s, const budget *b,
                                  gdrq_error *err) {
    proposal_row *r = &p->rows[PROPOSAL_CHOSEN];
    for (;;) {
        gdrq_status status = choose(p, s, b, err);
        if (status == GDRQ_OK)
            status = measure_chosen(p, s, err);
        if (status != GDRQ_OK)
            return status;
        note_chosen(c, p, s, b);
        if (is_found(c))
            return GDRQ_OK;
        if (!(c->kept > 0) && (p->is_most_careful || p->caution > most_caution))
            return gdrq_fail(
                err, GDRQ_ERROR_ARGUMENT,
                "-error %g: even the bits that cost least come to %.4g %s together: %s", b->error,
                r->measured, sensitivity_unit(s),
                b->activations ? "measure more bits (-bits), or allow a larger error"
                               : "choose those of activations as well (-activations), "
                                 "measure more (-bits), or allow a larger error");
        p->caution = next_caution(c, p->caution, r->measured / b->error);
    }
}

/*
 * Together layers cost more than one by one, or less where single errors are mostly noise: takes
 * them to be as much higher or lower as it needs for what is measured to be within the budget, and
 * the size to be small.
 */
static gdrq_status choose_by_error(proposal *p, sensitivity *s, const budget *b, gdrq_error *err) {
    proposal_row *r = &p->rows[PROPOSAL_CHOSEN];
    caution_search c = {.best.bits = gdrq_alloc((size_t)s->n, sizeof *c.best.bits)};
    if (!c.best.bits)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", s->n);
    const gdrq_status status = search_caution(&c, p, s, b, err);
    if (status == GDRQ_OK) {
        memcpy(r->bits, c.best.bits, (size_t)s->n * sizeof *r->bits);
        r->measured = c.best.measured;
    }
    free(c.best.bits);
    return status;
}

gdrq_status proposal_choose(proposal *p, sensitivity *s, const budget *b, gdrq_error *err) {
    static const struct {
        const char *name;
        int bits;
        bool activations;
    } uniform[] = {{"4-bit weights", 4, false},
                   {"8-bit weights", 8, false},
                   {"4-bit weights and activations", 4, true},
                   {"8-bit weights and activations", 8, true}};
    *p = (proposal){.caution = 1};
    if (!budget_is_given(b))
        return GDRQ_OK;
    gdrq_status status = add_row(p, s, "proposed", err);
    if (status == GDRQ_OK)
        status = b->error > 0 ? choose_by_error(p, s, b, err) : choose(p, s, b, err);
    if (status == GDRQ_OK)
        status = add_row(p, s, "as the cfg has it", err);
    for (int k = 0; k < (int)(sizeof uniform / sizeof *uniform) && status == GDRQ_OK; k++)
        status = add_uniform(p, s, uniform[k].name, uniform[k].bits, uniform[k].activations, err);
    for (int k = 0; k < p->n; k++) {
        proposal_row *r = &p->rows[k];
        r->bytes = sensitivity_bytes(s, r->bits);
        r->mean_bits = sensitivity_mean_bits(s, r->bits);
        r->predicted = sensitivity_sum(s, r->bits);
    }
    return status;
}

gdrq_status proposal_measure(proposal *p, sensitivity *s, gdrq_error *err) {
    const layer_bits *bits[PROPOSAL_MOST_ROWS];
    double errors[PROPOSAL_MOST_ROWS];
    const int first = p->n && !isnan(p->rows[PROPOSAL_CHOSEN].measured);
    for (int k = first; k < p->n; k++)
        bits[k - first] = p->rows[k].bits;
    const gdrq_status status =
        p->n ? sensitivity_measure(s, bits, p->n - first, errors, err) : GDRQ_OK;
    for (int k = first; k < p->n && status == GDRQ_OK; k++)
        p->rows[k].measured = errors[k - first];
    return status;
}

void proposal_free(proposal *p) {
    for (int k = 0; k < p->n; k++)
        free(p->rows[k].bits);
    p->n = 0;
}
