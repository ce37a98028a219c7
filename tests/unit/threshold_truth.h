/*
 * What the backward of a quantised layer with learned thresholds must leave, in double precision,
 * from what quant/grid.h, quant/gradient.h and primitives/batchnorm.h state: the ranges of codes,
 * LSQ's gradient of T and its scale, and the gradient through batch norm. From the layer come T and
 * the codes, which are checked: a value half-way between two codes may have either.
 */
#ifndef TESTS_THRESHOLD_TRUTH_H
#define TESTS_THRESHOLD_TRUTH_H

#include "quantised_test.h"

/* How far float32 may take x/step, relative to it: across a jump, if there is one so near. */
#define RELATIVE_DOUBT 1e-6

typedef struct true_grid {
    double step;
    int min, max;
} true_grid;

static inline true_grid make_true_grid(gdrq_range range, int bits, double threshold) {
    const int levels = (1 << bits) - 1, top = (1 << (bits - 1)) - 1;
    const int zero = range == GDRQ_RANGE_OFFSET ? (int)rint(.1 * levels / 1.1) : 0;
    true_grid g = {0, -zero, levels - zero};
    if (range == GDRQ_RANGE_SIGNED)
        g = (true_grid){0, -top, top};
    g.step = threshold / g.max;
    return g;
}

/* dQ(x)/dstep */
static inline double true_slope(double x, const true_grid *g) {
    const double r = x / g->step;
    return r < g->min ? g->min : r > g->max ? g->max : rint(r) - r;
}

static inline double clipped_code(double x, const true_grid *g) {
    return fmin(fmax(x / g->step, g->min), g->max);
}

static inline void values_of_codes(const float *codes, const float *x, size_t n, const true_grid *g,
                                   double *values) {
    for (size_t i = 0; i < n; ++i) {
        values[i] = g->step * codes[i];
        if (!(fabs(codes[i] - clipped_code(x[i], g)) <= .5 + 1e-4))
            fail_msg("%g has code %g in steps of %g from %d to %d", (double)x[i], (double)codes[i],
                     g->step, g->min, g->max);
    }
}

/* ---- dL/d(quantised values) ---- */

/* Gradients, and what their sums would be of magnitudes alone: behind batch norm most cancels. */
typedef struct sized_gradient {
    double *value, *size;
} sized_gradient;

static inline sized_gradient new_gradient(size_t n) {
    return (sized_gradient){calloc(n, sizeof(double)), calloc(n, sizeof(double))};
}

static inline void free_gradient(sized_gradient *g) {
    free(g->value);
    free(g->size);
}

/* One channel: values of `batch` images, `stride` apart, and batch norm's sums over them. */
typedef struct normalised_channel {
    int batch, spatial;
    size_t stride;
    double gamma, mean, deviation, mean_dy, product, mean_size, product_size;
} normalised_channel;

static inline void sum_channel(normalised_channel *c, const double *z, const double *dy) {
    const double n = c->batch * c->spatial;
    double squares = 0;
    for (int k = 0; k < c->batch * c->spatial; ++k) {
        const size_t i = k / c->spatial * c->stride + k % c->spatial;
        c->mean += z[i] / n;
        c->mean_dy += dy[i] / n;
        c->mean_size += fabs(dy[i]) / n;
    }
    for (int k = 0; k < c->batch * c->spatial; ++k) {
        const size_t i = k / c->spatial * c->stride + k % c->spatial;
        const double centred = z[i] - c->mean;
        squares += centred * centred;
        c->product += centred * dy[i];
        c->product_size += fabs(centred * dy[i]);
    }
    c->deviation = sqrt(squares / (n - 1));
}

/* dz from dL/dy. Values that are all the same have no gradient of the deviation. */
static inline void through_channel(const normalised_channel *c, const double *z, const double *dy,
                                   double *dz, double *size) {
    const double n = c->batch * c->spatial, divisor = c->deviation + 1e-6;
    for (int k = 0; k < c->batch * c->spatial; ++k) {
        const size_t i = k / c->spatial * c->stride + k % c->spatial;
        const double share =
            c->deviation > 0 ? (z[i] - c->mean) / ((n - 1) * c->deviation * divisor) : 0;
        dz[i] = c->gamma / divisor * (dy[i] - c->mean_dy - share * c->product);
        size[i] =
            fabs(c->gamma) / divisor * (fabs(dy[i]) + c->mean_size + fabs(share) * c->product_size);
    }
}

static inline void through_batchnorm(const layer *l, const double *z, const double *dy,
                                     const sized_gradient *dz) {
    const int spatial = l->out_w * l->out_h;
    for (int f = 0; f < l->out_c; ++f) {
        const size_t at = (size_t)(f * spatial);
        normalised_channel c = {.batch = l->batch,
                                .spatial = spatial,
                                .stride = (size_t)l->outputs,
                                .gamma = l->scales[f]};
        sum_channel(&c, z + at, dy + at);
        through_channel(&c, z + at, dy + at, dz->value + at, dz->size + at);
    }
}

/* dL/d(sums of real values) of a linear layer, from its output's. */
static inline void to_sums(const layer *l, const double *z, const double *dy,
                           const sized_gradient *dz) {
    if (l->batch_normalize)
        through_batchnorm(l, z, dy, dz);
    for (int i = 0; !l->batch_normalize && i < l->batch * l->outputs; ++i) {
        dz->value[i] = dy[i];
        dz->size[i] = fabs(dy[i]);
    }
}

/* Of layer 1 of three, which is linear and whose output [cost] reads. */
typedef struct threshold_truth {
    const layer *l;
    const gdrq_quantised *q;
    const float *x; /* what the layer read */
    size_t inputs, weights, per_group;
    true_grid input, *of_groups;
    sized_gradient dx, dw; /* dL/d(quantised x), dL/d(quantised w) */
} threshold_truth;

static inline threshold_truth new_truth(const network *net, gdrq_range range) {
    const layer *l = &net->layers[1];
    const gdrq_quantised *q = gdrq_quantised_state(l);
    const size_t groups = (size_t)q->options.quant_groups, weights = (size_t)count_weights(l);
    const size_t inputs = (size_t)(l->batch * l->inputs);
    threshold_truth t = {
        .l = l,
        .q = q,
        .x = net->layers[0].output,
        .inputs = inputs,
        .weights = weights,
        .per_group = weights / groups,
        .input = make_true_grid(range, q->options.activation_bits, (double)q->input->threshold),
        .of_groups = calloc(groups, sizeof(true_grid)),
        .dx = new_gradient(inputs),
        .dw = new_gradient(weights)};
    for (size_t g = 0; g < groups; ++g)
        t.of_groups[g] = make_true_grid(GDRQ_RANGE_SIGNED, q->options.weight_bits,
                                        (double)q->weight_thresholds[g]);
    return t;
}

static inline void free_truth(threshold_truth *t) {
    free(t->of_groups);
    free_gradient(&t->dx);
    free_gradient(&t->dw);
}

static inline void make_absolute(double *x, size_t n) {
    for (size_t i = 0; i < n; ++i)
        x[i] = fabs(x[i]);
}

/* Through the products: dx and dw from dy = dL/d(output), their sizes from magnitudes. */
static inline void to_factors(threshold_truth *t, double *xq, double *wq, const double *dy) {
    const size_t outputs = (size_t)(t->l->batch * t->l->outputs);
    double *z = calloc(outputs, sizeof *z);
    sized_gradient dz = new_gradient(outputs);
    products p = {.wq = wq, .xq = xq, .y = z};
    for_each_product(t->l, forward_product, &p);
    to_sums(t->l, z, dy, &dz);
    p = (products){.wq = wq, .xq = xq, .dy = dz.value, .dw = t->dw.value, .dx = t->dx.value};
    for_each_product(t->l, backward_product, &p);
    make_absolute(xq, t->inputs);
    make_absolute(wq, t->weights);
    p = (products){.wq = wq, .xq = xq, .dy = dz.size, .dw = t->dw.size, .dx = t->dx.size};
    for_each_product(t->l, backward_product, &p);
    free(z);
    free_gradient(&dz);
}

/* After a forward, before its backward; the delta of [cost] is the direction of descent. */
static inline threshold_truth true_backward(const network *net, gdrq_range range) {
    threshold_truth t = new_truth(net, range);
    const size_t outputs = (size_t)(t.l->batch * t.l->outputs);
    double *xq = calloc(t.inputs, sizeof *xq), *wq = calloc(t.weights, sizeof *wq);
    double *dy = calloc(outputs, sizeof *dy);
    values_of_codes(t.q->input_codes, t.x, t.inputs, &t.input, xq);
    for (size_t at = 0; at < t.weights; at += t.per_group)
        values_of_codes(t.q->weight_codes + at, t.l->weights + at, t.per_group,
                        &t.of_groups[at / t.per_group], wq + at);
    for (size_t i = 0; i < outputs; ++i)
        dy[i] = net->layers[2].delta[i];
    to_factors(&t, xq, wq, dy);
    free(xq);
    free(wq);
    free(dy);
    return t;
}

/* ---- what follows for T, w and x ---- */

/* What float32 may lose of a sum, relative to that of magnitudes. */
#define SUM_DOUBT 1e-5

/* How much dQ/dstep differs between the two sides of what float32 may make of x. */
static inline double slope_doubt(double x, const true_grid *g) {
    return fabs(true_slope(x * (1 + RELATIVE_DOUBT), g) - true_slope(x * (1 - RELATIVE_DOUBT), g));
}

/* The n values from `at` on share a T; LSQ's scale is sqrt(Q/size). */
static inline void check_threshold_gradient(double update, const float *x, const sized_gradient *dq,
                                            size_t at, size_t n, const true_grid *g, size_t size,
                                            const char *what) {
    double sum = 0, doubt = 0;
    for (size_t i = at; i < at + n; ++i) {
        const double slope = true_slope(x[i], g);
        sum += dq->value[i] * slope;
        doubt += SUM_DOUBT * dq->size[i] * fabs(slope) + dq->size[i] * slope_doubt(x[i], g);
    }
    const double scale = sqrt((double)g->max / (double)size);
    if (!(fabs(update - scale * sum) <= scale * doubt + 1e-9))
        fail_msg("T of %s: %g instead of %g", what, update, scale * sum);
}

/* `got` is dq where x is not clipped, or else, with `mask`, 0. */
static inline void check_passed(const float *got, const float *x, const sized_gradient *dq,
                                size_t at, size_t n, const true_grid *g, bool mask,
                                const char *what) {
    for (size_t i = at; i < at + n; ++i) {
        const double r = x[i] / g->step, near = RELATIVE_DOUBT * fabs(r);
        const bool clipped = mask && (r < g->min || r > g->max);
        const bool can_be_either = mask && fmin(fabs(r - g->min), fabs(r - g->max)) <= near;
        const double expected = clipped ? 0 : dq->value[i];
        if (!can_be_either && !(fabs(got[i] - expected) <= SUM_DOUBT * dq->size[i]))
            fail_msg("%s[%zu]: %g instead of %g", what, i, (double)got[i], expected);
    }
}

/* After the backward of the two last layers; delta: the input's. */
static inline void check_learning_backward(const threshold_truth *t, const float *delta) {
    const gdrq_quantised *q = t->q;
    const bool mask = q->options.weight_gradient == GDRQ_WEIGHT_GRADIENT_MASK;
    check_threshold_gradient(q->input->optimiser.update, t->x, &t->dx, 0, t->inputs, &t->input,
                             (size_t)t->l->inputs, "activations");
    check_passed(delta, t->x, &t->dx, 0, t->inputs, &t->input, true, "input gradient");
    for (size_t at = 0; at < t->weights; at += t->per_group) {
        const size_t g = at / t->per_group;
        check_threshold_gradient(q->weight_optimisers[g].update, t->l->weights, &t->dw, at,
                                 t->per_group, &t->of_groups[g], t->per_group, "weights");
        check_passed(t->l->weight_updates, t->l->weights, &t->dw, at, t->per_group,
                     &t->of_groups[g], mask, "weight gradient");
    }
}

#endif
