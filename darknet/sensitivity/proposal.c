#include "sensitivity/proposal.h"

#include "base/alloc.h"
#include "base/status.h"
#include "sensitivity/allocation.h"

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

/* With a budget for the error, sizes are what is to become small. */
static void list_choices(const sensitivity *s, const budget *b, allocation_item *items) {
    for (int i = 0; i < s->n; i++)
        for (int bits = BITS_FIRST; bits < BITS_END; bits++) {
            if (!bits_has(s->weight_bits, bits))
                continue;
            const sensitive_layer *l = &s->layers[i];
            const double size = size_of_weights(l, b, bits), error = l->weight_errors[bits];
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

static gdrq_status fail_error(const sensitivity *s, const budget *b, double weights,
                              double activations, gdrq_error *err) {
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                     "-error %g: the least errors add up to %.4g %s, of which activations have "
                     "%.4g: %s",
                     b->error, weights + activations, sensitivity_unit(s), activations,
                     b->activations ? "measure more bits (-bits), or allow a larger error"
                                    : "choose their bits as well (-activations), or allow a "
                                      "larger error");
}

/* What the activations of `bits` cost. */
static double activation_error(const sensitivity *s, const layer_bits *bits) {
    double sum = 0;
    for (int i = 0; i < s->n; i++)
        if (s->layers[i].has_tensor)
            sum += s->layers[i].activation_errors[bits[i].activations];
    return sum;
}

static gdrq_status choose_weights(const sensitivity *s, const budget *b, allocation_item *items,
                                  layer_bits *bits, gdrq_error *err) {
    const double activations = activation_error(s, bits);
    list_choices(s, b, items);
    if (!allocate(items, s->n, weight_budget(s, b, activations)))
        return fail_error(s, b, allocation_cost(items, s->n), activations, err);
    for (int i = 0; i < s->n; i++)
        bits[i].weights = chosen_bits(s->weight_bits, items[i].chosen);
    return GDRQ_OK;
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

static void choose_activations(const sensitivity *s, const budget *b, allocation_item *items,
                               layer_bits *bits) {
    for (int i = 0; i < s->n; i++) {
        const sensitive_layer *l = &s->layers[i];
        items[i] = (allocation_item){.n = 1}; /* nothing to choose, and no cost */
        if (l->has_tensor)
            items[i] = (allocation_item){
                .choices = {{l->activation_errors[FEW_BITS], 0},
                            {l->activation_errors[MANY_BITS], macs_of_tensor(s, i)}},
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
    p->rows[p->n++] = (proposal_row){.name = name, .bits = bits};
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
    layer_bits *bits = p->rows[PROPOSAL_CHOSEN].bits;
    allocation_item *items = gdrq_alloc((size_t)s->n, sizeof *items);
    if (!items)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", s->n);
    if (b->activations)
        choose_activations(s, b, items, bits);
    const gdrq_status status = choose_weights(s, b, items, bits, err);
    free(items);
    return status;
}

gdrq_status proposal_choose(proposal *p, const sensitivity *s, const budget *b, gdrq_error *err) {
    static const struct {
        const char *name;
        int bits;
        bool activations;
    } uniform[] = {{"4-bit weights", 4, false},
                   {"8-bit weights", 8, false},
                   {"4-bit weights and activations", 4, true},
                   {"8-bit weights and activations", 8, true}};
    *p = (proposal){0};
    if (!budget_is_given(b))
        return GDRQ_OK;
    gdrq_status status = add_row(p, s, "proposed", err);
    if (status == GDRQ_OK)
        status = choose(p, s, b, err);
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
    for (int k = 0; k < p->n; k++)
        bits[k] = p->rows[k].bits;
    const gdrq_status status = p->n ? sensitivity_measure(s, bits, p->n, errors, err) : GDRQ_OK;
    for (int k = 0; k < p->n && status == GDRQ_OK; k++)
        p->rows[k].measured = errors[k];
    return status;
}

void proposal_free(proposal *p) {
    for (int k = 0; k < p->n; k++)
        free(p->rows[k].bits);
    p->n = 0;
}
