#include "primitives/batchnorm_runs.h"

#include <stdbool.h>
#include <string.h>

#include "primitives/kernels.h"

/* A channel is summed in LANES interleaved partial sums, so that any vector width does the same. */
enum { LANES = 16 };

static double sum_lanes(const double lanes[LANES]) {
    double sum = 0;
    for (int j = 0; j < LANES; j++)
        sum += lanes[j];
    return sum;
}

/* lanes[i % LANES] += x[i] */
GDRQ_KERNEL void add_values(const float *x, size_t n, double lanes[LANES]) {
    double sums[LANES] = {0};
    const size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++)
            sums[j] += x[i + j];
    for (size_t i = whole; i < n; i++)
        sums[i - whole] += x[i];
    for (int j = 0; j < LANES; j++)
        lanes[j] += sums[j];
}

/* lanes[i % LANES] += (x[i] - mean)^2 */
GDRQ_KERNEL void add_squares(const float *x, size_t n, double mean, double lanes[LANES]) {
    double sums[LANES] = {0};
    const size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++) {
            const double d = x[i + j] - mean;
            sums[j] += d * d;
        }
    for (size_t i = whole; i < n; i++) {
        const double d = x[i] - mean;
        sums[i - whole] += d * d;
    }
    for (int j = 0; j < LANES; j++)
        lanes[j] += sums[j];
}

/* lanes[i % LANES] += a[i] * (factor*b[i] - mean) */
GDRQ_KERNEL void add_products(const float *a, const float *b, size_t n, double factor, double mean,
                              double lanes[LANES]) {
    double sums[LANES] = {0};
    const size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++)
            sums[j] += a[i + j] * (factor * b[i + j] - mean);
    for (size_t i = whole; i < n; i++)
        sums[i - whole] += a[i] * (factor * b[i] - mean);
    for (int j = 0; j < LANES; j++)
        lanes[j] += sums[j];
}

/* y = scale*(x - centre) + bias; y may be x. */
GDRQ_KERNEL void scale_bias(const float *x, size_t n, float centre, float scale, float bias,
                            float *y) {
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = scale * (x[i] - centre) + bias;
}

/* delta = a*delta - (b*(factor*acc - mean) + c) */
GDRQ_KERNEL void combine(const float *restrict acc, size_t n, float factor, float mean, float a,
                         float b, float c, float *restrict delta) {
    for (size_t i = 0; i < n; i++)
        delta[i] = a * delta[i] - (b * (factor * acc[i] - mean) + c);
}

GDRQ_KERNEL void scale_values(float a, size_t n, float *delta) {
    for (size_t i = 0; i < n; i++)
        delta[i] *= a;
}

/* The same for n channels with one value each: what is a number above is an array here. */

GDRQ_KERNEL void add_values_each(const float *restrict x, size_t n, double *restrict sums) {
    for (size_t i = 0; i < n; i++)
        sums[i] += x[i];
}

GDRQ_KERNEL void add_squares_each(const float *restrict x, size_t n, const double *restrict mean,
                                  double *restrict sums) {
    for (size_t i = 0; i < n; i++) {
        const double d = x[i] - mean[i];
        sums[i] += d * d;
    }
}

/* factor NULL means 1. */
GDRQ_KERNEL void add_products_each(const float *restrict a, const float *restrict b, size_t n,
                                   const float *restrict factor, const float *restrict mean,
                                   double *restrict sums) {
    for (size_t i = 0; i < n; i++)
        sums[i] += a[i] * ((double)(factor ? factor[i] : 1.f) * b[i] - mean[i]);
}

/* centre NULL means 0, scale NULL means 1. */
GDRQ_KERNEL void scale_bias_each(const float *x, size_t n, const float *centre, const float *scale,
                                 const float *bias, float *y) {
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = (scale ? scale[i] : 1.f) * (x[i] - (centre ? centre[i] : 0.f)) + bias[i];
}

/* factor NULL means 1. */
GDRQ_KERNEL void combine_each(const float *restrict acc, size_t n, const float *restrict factor,
                              const float *restrict mean, const float *restrict a,
                              const float *restrict b, const float *restrict c,
                              float *restrict delta) {
    for (size_t i = 0; i < n; i++)
        delta[i] =
            a[i] * delta[i] - (b[i] * ((factor ? factor[i] : 1.f) * acc[i] - mean[i]) + c[i]);
}

GDRQ_KERNEL void scale_each(const float *restrict a, size_t n, float *restrict delta) {
    for (size_t i = 0; i < n; i++)
        delta[i] *= a[i];
}

static bool has_single_values(const gdrq_bn_shape *s) {
    return s->spatial == 1;
}

int gdrq_bn_run_step(const gdrq_bn_shape *shape) {
    return has_single_values(shape) ? GDRQ_BN_RUN : 1;
}

gdrq_bn_run gdrq_bn_run_at(const gdrq_bn_shape *shape, int first) {
    const int step = gdrq_bn_run_step(shape), rest = shape->channels - first;
    return (gdrq_bn_run){.shape = shape, .first = first, .n = rest < step ? rest : step};
}

/* Where the run's values of image b begin. */
static size_t start(const gdrq_bn_run *run, int b) {
    const gdrq_bn_shape *s = run->shape;
    return ((size_t)b * (size_t)s->channels + (size_t)run->first) * (size_t)s->spatial;
}

/* The run's part of an array that holds an element per channel; NULL of NULL. */
static const float *part(const gdrq_bn_run *run, const float *array) {
    return array ? array + run->first : NULL;
}

void gdrq_bn_sum(const gdrq_bn_run *run, const float *acc, double *sums) {
    const gdrq_bn_shape *s = run->shape;
    if (has_single_values(s)) {
        memset(sums, 0, (size_t)run->n * sizeof *sums);
        for (int b = 0; b < s->batch; b++)
            add_values_each(acc + start(run, b), (size_t)run->n, sums);
        return;
    }
    double lanes[LANES] = {0};
    for (int b = 0; b < s->batch; b++)
        add_values(acc + start(run, b), (size_t)s->spatial, lanes);
    sums[0] = sum_lanes(lanes);
}

void gdrq_bn_sum_squares(const gdrq_bn_run *run, const float *acc, const double *mean,
                         double *sums) {
    const gdrq_bn_shape *s = run->shape;
    if (has_single_values(s)) {
        memset(sums, 0, (size_t)run->n * sizeof *sums);
        for (int b = 0; b < s->batch; b++)
            add_squares_each(acc + start(run, b), (size_t)run->n, mean, sums);
        return;
    }
    double lanes[LANES] = {0};
    for (int b = 0; b < s->batch; b++)
        add_squares(acc + start(run, b), (size_t)s->spatial, mean[0], lanes);
    sums[0] = sum_lanes(lanes);
}

void gdrq_bn_centre_scale_activate(const gdrq_bn_run *run, int b, const float *acc,
                                   const float *centre, const float *scale, const float *bias,
                                   ACTIVATION a, float *y) {
    const size_t spatial = (size_t)run->shape->spatial;
    const float *ce = part(run, centre), *sc = part(run, scale), *bi = part(run, bias);
    if (has_single_values(run->shape)) {
        const size_t at = start(run, b);
        scale_bias_each(acc + at, (size_t)run->n, ce, sc, bi, y + at);
        gdrq_activate_block(y + at, (size_t)run->n, a);
        return;
    }
    for (size_t i = 0; i < spatial; i += GDRQ_BLOCK) {
        const size_t at = start(run, b) + i, n = gdrq_block_length(i, spatial);
        scale_bias(acc + at, n, ce ? *ce : 0.f, sc ? *sc : 1.f, *bi, y + at);
        gdrq_activate_block(y + at, n, a);
    }
}

static void activation_backward_each(const gdrq_bn_run *run, const float *y, ACTIVATION a,
                                     const float *acc, const float *factor, const float *mean,
                                     float *delta, double *sums, double *products) {
    const size_t n = (size_t)run->n;
    memset(sums, 0, n * sizeof *sums);
    if (acc)
        memset(products, 0, n * sizeof *products);
    for (int b = 0; b < run->shape->batch; b++) {
        const size_t at = start(run, b);
        gdrq_activation_gradient_block(y + at, n, a, delta + at);
        add_values_each(delta + at, n, sums);
        if (acc)
            add_products_each(delta + at, acc + at, n, part(run, factor), part(run, mean),
                              products);
    }
}

void gdrq_bn_activation_backward(const gdrq_bn_run *run, const float *y, ACTIVATION a,
                                 const float *acc, const float *factor, const float *mean,
                                 float *delta, double *sums, double *products) {
    if (has_single_values(run->shape)) {
        activation_backward_each(run, y, a, acc, factor, mean, delta, sums, products);
        return;
    }
    const size_t spatial = (size_t)run->shape->spatial;
    double lanes[LANES] = {0}, product_lanes[LANES] = {0};
    for (int b = 0; b < run->shape->batch; b++)
        for (size_t i = 0; i < spatial; i += GDRQ_BLOCK) {
            const size_t at = start(run, b) + i, n = gdrq_block_length(i, spatial);
            gdrq_activation_gradient_block(y + at, n, a, delta + at);
            add_values(delta + at, n, lanes);
            if (acc)
                add_products(delta + at, acc + at, n, factor ? *part(run, factor) : 1,
                             *part(run, mean), product_lanes);
        }
    sums[0] = sum_lanes(lanes);
    if (acc)
        products[0] = sum_lanes(product_lanes);
}

void gdrq_bn_combine(const gdrq_bn_run *run, const float *acc, const float *factor,
                     const float *mean, const float *a, const float *b, const float *c,
                     float *delta) {
    const gdrq_bn_shape *s = run->shape;
    const float *f = part(run, factor), *m = part(run, mean);
    for (int image = 0; image < s->batch; image++) {
        const size_t at = start(run, image);
        if (has_single_values(s))
            combine_each(acc + at, (size_t)run->n, f, m, a, b, c, delta + at);
        else
            combine(acc + at, (size_t)s->spatial, f ? *f : 1.f, *m, *a, *b, *c, delta + at);
    }
}

void gdrq_bn_scale(const gdrq_bn_run *run, const float *a, float *delta) {
    const gdrq_bn_shape *s = run->shape;
    for (int image = 0; image < s->batch; image++) {
        float *const d = delta + start(run, image);
        if (has_single_values(s))
            scale_each(a, (size_t)run->n, d);
        else
            scale_values(*a, (size_t)s->spatial, d);
    }
}
