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
 * What choosing takes bits to cost: their error, which of a metric is one image at least with 2
 * bits. Below that a difference says nothing, and many such layers together still cost something; a
 * quarter per bit is what the error of quantising falls by.
 */
static double assumed_error(const sensitivity *s, const double *errors, int bits) {
    const double resolution = s->metric ? 100. / metric_images(s->metric) : 0;
    return fmax(sensitivity_error(errors, bits), ldexp(resolution, -2 * (bits - 2)));
}

/* With a budget for the error, sizes are what is to become small. */
static void list_choices(const sensitivity *s, const budget *b, allocation_item *items) {
    for (int i = 0; i < s->n; i++)
        for (int bits = BITS_FIRST; bits < BITS_END; bits++) {
            if (!bits_has(s->weight_bits, bits))
                continue;
            const sensitive_layer *l = &s->layers[i];
            const double size = size_of_weights(l, b, bits);
            const double error = assumed_error(s, l->weight_errors, bits);
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

/* With a budget for the error, `left` of it is for weights. */
static double weight_budget(const sensitivity *s, const budget *b, double left) {
    if (b->size > 0)
        return b->size;
    if (b->error > 0)
        return left;
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

/* False where no choice keeps the budget: the least errors are then chosen. */
static bool choose_weights(const sensitivity *s, const budget *b, double left,
                           allocation_item *items, layer_bits *bits) {
    list_choices(s, b, items);
    const bool kept = allocate(items, s->n, weight_budget(s, b, left));
    for (int i = 0; i < s->n; i++)
        bits[i].weights = chosen_bits(s->weight_bits, items[i].chosen);
    return kept;
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

/* What the activations of `bits` cost. */
static double activation_error(const sensitivity *s, const layer_bits *bits) {
    double sum = 0;
    for (int i = 0; i < s->n; i++)
        if (s->layers[i].has_tensor)
            sum += assumed_error(s, s->layers[i].activation_errors, bits[i].activations);
    return sum;
}

/* False where even the least errors are above the budget: they are then chosen. */
static bool choose_activations(const sensitivity *s, double most, allocation_item *items,
                               layer_bits *bits) {
    for (int i = 0; i < s->n; i++) {
        const sensitive_layer *l = &s->layers[i];
        items[i] = (allocation_item){.n = 1}; /* nothing to choose, and no cost */
        if (l->has_tensor)
            items[i] =
                (allocation_item){.choices = {{assumed_error(s, l->activation_errors, FEW_BITS), 0},
                                              {assumed_error(s, l->activation_errors, MANY_BITS),
                                               macs_of_tensor(s, i)}},
                                  .n = 2};
    }
    const bool kept = allocate(items, s->n, most);
    for (int i = 0; i < s->n; i++)
        if (s->layers[i].has_tensor)
            set_tensor(s, i, items[i].chosen == 0 ? FEW_BITS : MANY_BITS, bits);
    memset(items, 0, (size_t)s->n * sizeof *items);
    return kept;
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

/*
 * Chooses bits whose errors add up to `allowance`, which only a budget for the error has a use for;
 * *least: whether they are the least errors that there are.
 */
static gdrq_status choose(const sensitivity *s, const budget *b, double allowance, layer_bits *bits,
                          bool *least, gdrq_error *err) {
    allocation_item *items = gdrq_alloc((size_t)s->n, sizeof *items);
    if (!items)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", s->n);
    bool activations_kept = false;
    double left = allowance;
    if (b->activations) {
        activations_kept = choose_activations(s, activation_share * allowance, items, bits);
        left = fmax(allowance - activation_error(s, bits), (1 - activation_share) * allowance);
    }
    *least = !choose_weights(s, b, left, items, bits) && !activations_kept;
    free(items);
    return GDRQ_OK;
}

/* ---- a budget for the error ---- */

/*
 * Together layers cost more than their errors add up to, or less where single errors are mostly
 * noise. So the allowance, for which the choice above is made, is searched: the most for which what
 * is measured is within the budget.
 */
typedef struct allowance_search {
    double kept, exceeded; /* allowances with which the budget was kept or not; 0: none yet */
    proposal_row *best;    /* the smallest choice that keeps it */
    layer_bits *bits;      /* the last choice, which was measured to cost: */
    double measured;
    int tries; /* measured choices */
} allowance_search;

/* Measured choices at most, unless none has kept the budget yet. */
enum { MOST_TRIES = 10 };
/* Steps of the allowance: the least and the most downwards, and what is near enough. */
static const double least_step = 1.5, most_step = 4, near = 1.05;
/* Allowances, in budgets, at which there is nothing more or less to choose. */
static const double least_allowance = 1e-9, most_allowance = 1e6;

/* Activation bits of all multiply-accumulates: what there is to gain at equal size. */
static double activation_work(const sensitivity *s, const layer_bits *bits) {
    double sum = 0;
    for (int i = 0; i < s->n; i++)
        sum += s->layers[i].macs * bits[i].activations;
    return sum;
}

static bool is_smaller(const sensitivity *s, const layer_bits *bits, const proposal_row *than) {
    const double bytes = sensitivity_bytes(s, bits);
    if (isnan(than->measured) || bytes != than->bytes)
        return isnan(than->measured) || bytes < than->bytes;
    return activation_work(s, bits) < activation_work(s, than->bits);
}

static void keep_if_best(allowance_search *a, const sensitivity *s, const budget *b) {
    if (a->measured > b->error || !is_smaller(s, a->bits, a->best))
        return;
    memcpy(a->best->bits, a->bits, (size_t)s->n * sizeof *a->bits);
    a->best->bytes = sensitivity_bytes(s, a->bits);
    a->best->measured = a->measured;
}

static gdrq_status measure_choice(allowance_search *a, sensitivity *s, const budget *b,
                                  gdrq_error *err) {
    const gdrq_status status =
        sensitivity_measure(s, (const layer_bits *const[]){a->bits}, 1, &a->measured, err);
    a->tries++;
    if (status == GDRQ_OK)
        keep_if_best(a, s, b);
    return status;
}

/* Chooses, and measures if that isn't the same choice as the last one. */
static gdrq_status try_allowance(allowance_search *a, sensitivity *s, const budget *b,
                                 double allowance, bool *least, gdrq_error *err) {
    const size_t size = (size_t)s->n * sizeof *a->bits;
    layer_bits *last = gdrq_alloc((size_t)s->n, sizeof *last);
    if (!last)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", s->n);
    memcpy(last, a->bits, size);
    gdrq_status status = choose(s, b, allowance, a->bits, least, err);
    if (status == GDRQ_OK && (a->tries == 0 || memcmp(last, a->bits, size) != 0))
        status = measure_choice(a, s, b, err);
    free(last);
    if (status == GDRQ_OK)
        *(a->measured > b->error ? &a->exceeded : &a->kept) = allowance;
    return status;
}

/* Less until the budget is kept, more until it isn't, then between the two. */
static double next_allowance(const allowance_search *a, const budget *b, double allowance) {
    if (!(a->kept > 0))
        return allowance / fmin(fmax(a->measured / b->error, least_step), most_step);
    return a->exceeded > 0 ? sqrt(a->kept * a->exceeded) : allowance * least_step;
}

static bool is_found(const allowance_search *a, const budget *b) {
    return a->kept > 0 && (a->tries >= MOST_TRIES || a->kept > most_allowance * b->error ||
                           (a->exceeded > 0 && a->exceeded < near * a->kept));
}

static gdrq_status fail_error(const sensitivity *s, const budget *b, double measured,
                              gdrq_error *err) {
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                     "-error %g: even the bits that cost least come to %.4g %s together: %s",
                     b->error, measured, sensitivity_unit(s),
                     b->activations ? "measure more bits (-bits), or allow a larger error"
                                    : "choose those of activations as well (-activations), "
                                      "measure more (-bits), or allow a larger error");
}

static gdrq_status search_allowance(allowance_search *a, sensitivity *s, const budget *b,
                                    gdrq_error *err) {
    const double left = b->activations ? b->error : b->error - activation_error(s, a->bits);
    double allowance = fmax(left, (1 - activation_share) * b->error);
    for (;;) {
        bool least;
        const gdrq_status status = try_allowance(a, s, b, allowance, &least, err);
        if (status != GDRQ_OK || is_found(a, b))
            return status;
        if (!(a->kept > 0) && (least || allowance < least_allowance * b->error))
            return fail_error(s, b, a->measured, err);
        allowance = next_allowance(a, b, allowance);
    }
}

/* Single errors that are noise can hide that few bits throughout are good enough. */
static gdrq_status try_uniform(allowance_search *a, sensitivity *s, const budget *b,
                               gdrq_error *err) {
    for (int bits = BITS_FIRST; bits < BITS_END; bits++) {
        if (!bits_has(s->weight_bits, bits))
            continue;
        memcpy(a->bits, a->best->bits, (size_t)s->n * sizeof *a->bits);
        for (int i = 0; i < s->n; i++)
            a->bits[i].weights = bits;
        if (!is_smaller(s, a->bits, a->best))
            return GDRQ_OK;
        const gdrq_status status = measure_choice(a, s, b, err);
        if (status != GDRQ_OK || a->measured <= b->error)
            return status;
    }
    return GDRQ_OK;
}

static gdrq_status choose_by_error(proposal_row *row, sensitivity *s, const budget *b,
                                   gdrq_error *err) {
    allowance_search a = {.best = row, .bits = gdrq_alloc((size_t)s->n, sizeof *a.bits)};
    if (!a.bits)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", s->n);
    memcpy(a.bits, row->bits, (size_t)s->n * sizeof *a.bits);
    gdrq_status status = search_allowance(&a, s, b, err);
    if (status == GDRQ_OK)
        status = try_uniform(&a, s, b, err);
    free(a.bits);
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
    *p = (proposal){0};
    if (!budget_is_given(b))
        return GDRQ_OK;
    gdrq_status status = add_row(p, s, "proposed", err);
    if (status == GDRQ_OK)
        status = b->error > 0 ? choose_by_error(&p->rows[PROPOSAL_CHOSEN], s, b, err)
                              : choose(s, b, 0, p->rows[PROPOSAL_CHOSEN].bits, &(bool){false}, err);
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
