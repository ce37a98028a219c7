#include "primitives/batchnorm.h"

#include <math.h>
#include <stdbool.h>

#include "primitives/batchnorm_runs.h"
#include "primitives/kernels.h"

static const double epsilon = .000001;

static bool is_large(const gdrq_bn_shape *s) {
    return (size_t)s->batch * (size_t)s->channels * (size_t)s->spatial >= GDRQ_PARALLEL_FROM;
}

/* From the values as they are to those with a factor: mean and variance of the run's channels. */
static void run_statistics(const gdrq_bn_run *run, const float *acc, const float *factor,
                           float *mean, float *variance) {
    const double count = (double)run->shape->batch * run->shape->spatial;
    double means[GDRQ_BN_RUN], squares[GDRQ_BN_RUN];
    gdrq_bn_sum(run, acc, means);
    for (int j = 0; j < run->n; j++)
        means[j] /= count;
    gdrq_bn_sum_squares(run, acc, means, squares);
    for (int j = 0; j < run->n; j++) {
        const double f = factor ? factor[run->first + j] : 1;
        mean[run->first + j] = (float)(f * means[j]);
        variance[run->first + j] = count > 1 ? (float)(f * f * (squares[j] / (count - 1))) : 0;
    }
}

void gdrq_batchnorm_statistics(const gdrq_bn_shape *shape, const float *acc, const float *factor,
                               float *mean, float *variance) {
#pragma omp parallel for schedule(static) if (is_large(shape))
    for (int c = 0; c < shape->channels; c += gdrq_bn_run_step(shape)) {
        const gdrq_bn_run run = gdrq_bn_run_at(shape, c);
        run_statistics(&run, acc, factor, mean, variance);
    }
}

void gdrq_batchnorm_fold(int channels, const float *factor, const float *gamma, const float *beta,
                         const float *mean, const float *variance, float *scale, float *bias) {
    for (int c = 0; c < channels; c++) {
        const double a = gamma[c] / (sqrt(variance[c]) + epsilon);
        scale[c] = (float)(factor ? a * factor[c] : a);
        bias[c] = (float)(beta[c] - a * mean[c]);
    }
}

void gdrq_batchnorm_centre(int channels, const float *factor, const float *gamma, const float *mean,
                           const float *variance, float *centre, float *scale) {
    for (int c = 0; c < channels; c++) {
        const float f = factor ? factor[c] : 1.f;
        centre[c] = f != 0 ? mean[c] / f : 0;
        scale[c] = (float)((double)f * gamma[c] / (sqrt(variance[c]) + epsilon));
    }
}

void gdrq_scale_bias_activate(const gdrq_bn_shape *shape, const float *acc, const float *scale,
                              const float *bias, ACTIVATION a, float *y) {
    gdrq_centre_scale_activate(shape, acc, NULL, scale, bias, a, y);
}

void gdrq_centre_scale_activate(const gdrq_bn_shape *shape, const float *acc, const float *centre,
                                const float *scale, const float *bias, ACTIVATION a, float *y) {
    const int step = gdrq_bn_run_step(shape);
#pragma omp parallel for collapse(2) schedule(static) if (is_large(shape))
    for (int b = 0; b < shape->batch; b++)
        for (int c = 0; c < shape->channels; c += step) {
            const gdrq_bn_run run = gdrq_bn_run_at(shape, c);
            gdrq_bn_centre_scale_activate(&run, b, acc, centre, scale, bias, a, y);
        }
}

/*
 * With N values per channel, m and v their mean and variance (over N - 1), s = sqrt(v) + epsilon,
 * t = gamma*(z - m)/s + beta and g = dL/dt:
 *
 *   dL/dz = gamma/s * (g - sum(g)/N) - gamma*sum(g*(z - m)) / (s^2*sqrt(v)*(N - 1)) * (z - m)
 *
 * as ds/dz = (z - m) / (sqrt(v)*(N - 1)). Where v = 0 every z - m is 0 and the last term vanishes.
 */
static void normalisation_backward(const gdrq_bn_run *run, const float *acc, const float *factor,
                                   const float *mean, const float *variance, const float *gamma,
                                   const double *sums, const double *products, float *delta) {
    const double count = (double)run->shape->batch * run->shape->spatial;
    float a[GDRQ_BN_RUN], b[GDRQ_BN_RUN], c[GDRQ_BN_RUN];
    for (int j = 0; j < run->n; j++) {
        const double root = sqrt(variance[run->first + j]), deviation = root + epsilon;
        const double scale = gamma[run->first + j] / deviation;
        a[j] = (float)scale;
        b[j] = root > 0 ? (float)(scale * products[j] / (deviation * root * (count - 1))) : 0;
        c[j] = (float)(scale * sums[j] / count);
    }
    gdrq_bn_combine(run, acc, factor, mean, a, b, c, delta);
}

/* beta's gradient is sum(g), gamma's sum(g*(z - m)) / s. */
static void add_updates(const gdrq_bn_run *run, const double *sums, const double *products,
                        const float *variance, float *gamma_updates, float *beta_updates) {
    for (int j = 0; j < run->n; j++) {
        const int c = run->first + j;
        beta_updates[c] += (float)sums[j];
        gamma_updates[c] += (float)(products[j] / (sqrt(variance[c]) + epsilon));
    }
}

void gdrq_batchnorm_backward(const gdrq_bn_shape *shape, const float *acc, const float *factor,
                             const float *mean, const float *variance, const float *gamma,
                             const float *y, ACTIVATION a, float *delta, float *gamma_updates,
                             float *beta_updates) {
#pragma omp parallel for schedule(static) if (is_large(shape))
    for (int c = 0; c < shape->channels; c += gdrq_bn_run_step(shape)) {
        const gdrq_bn_run run = gdrq_bn_run_at(shape, c);
        double sums[GDRQ_BN_RUN], products[GDRQ_BN_RUN];
        gdrq_bn_activation_backward(&run, y, a, acc, factor, mean, delta, sums, products);
        add_updates(&run, sums, products, variance, gamma_updates, beta_updates);
        normalisation_backward(&run, acc, factor, mean, variance, gamma, sums, products, delta);
    }
}

void gdrq_batchnorm_backward_frozen(const gdrq_bn_shape *shape, const float *acc,
                                    const float *factor, const float *mean, const float *variance,
                                    const float *gamma, const float *y, ACTIVATION a, float *delta,
                                    float *gamma_updates, float *beta_updates) {
#pragma omp parallel for schedule(static) if (is_large(shape))
    for (int c = 0; c < shape->channels; c += gdrq_bn_run_step(shape)) {
        const gdrq_bn_run run = gdrq_bn_run_at(shape, c);
        double sums[GDRQ_BN_RUN], products[GDRQ_BN_RUN];
        float scale[GDRQ_BN_RUN];
        gdrq_bn_activation_backward(&run, y, a, acc, factor, mean, delta, sums, products);
        add_updates(&run, sums, products, variance, gamma_updates, beta_updates);
        for (int j = 0; j < run.n; j++)
            scale[j] = (float)(gamma[c + j] / (sqrt(variance[c + j]) + epsilon));
        gdrq_bn_scale(&run, scale, delta);
    }
}

void gdrq_bias_backward(const gdrq_bn_shape *shape, const float *y, ACTIVATION a, float *delta,
                        float *beta_updates) {
#pragma omp parallel for schedule(static) if (is_large(shape))
    for (int c = 0; c < shape->channels; c += gdrq_bn_run_step(shape)) {
        const gdrq_bn_run run = gdrq_bn_run_at(shape, c);
        double sums[GDRQ_BN_RUN];
        gdrq_bn_activation_backward(&run, y, a, NULL, NULL, NULL, delta, sums, NULL);
        for (int j = 0; j < run.n; j++)
            beta_updates[c + j] += (float)sums[j];
    }
}
