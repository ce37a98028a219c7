#include "primitives/batchnorm.h"

#include "primitives/kernels.h"

#include <math.h>

/*
 * Sums run in double in LANES interleaved partial sums, so that any vector width gives the same
 * result; a channel is summed by one thread, so that any number of threads does.
 */
enum { LANES = 16 };

static const double epsilon = .000001;

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

/* Where the values of channel c of image b begin. */
static size_t plane(const gdrq_bn_shape *s, int b, int c) {
    return ((size_t)b * (size_t)s->channels + (size_t)c) * (size_t)s->spatial;
}

static void channel_statistics(const gdrq_bn_shape *s, const float *acc, int c, double *mean,
                               double *variance) {
    const double count = (double)s->batch * s->spatial;
    double sums[LANES] = {0}, squares[LANES] = {0};
    for (int b = 0; b < s->batch; b++)
        add_values(acc + plane(s, b, c), (size_t)s->spatial, sums);
    *mean = sum_lanes(sums) / count;
    for (int b = 0; b < s->batch; b++)
        add_squares(acc + plane(s, b, c), (size_t)s->spatial, *mean, squares);
    *variance = count > 1 ? sum_lanes(squares) / (count - 1) : 0;
}

void gdrq_batchnorm_statistics(const gdrq_bn_shape *shape, const float *acc, const float *factor,
                               float *mean, float *variance) {
#pragma omp parallel for schedule(static)
    for (int c = 0; c < shape->channels; c++) {
        const double f = factor ? factor[c] : 1;
        double m, v;
        channel_statistics(shape, acc, c, &m, &v);
        mean[c] = (float)(f * m);
        variance[c] = (float)(f * f * v);
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
    const size_t spatial = (size_t)shape->spatial;
#pragma omp parallel for collapse(2) schedule(static)
    for (int b = 0; b < shape->batch; b++)
        for (int c = 0; c < shape->channels; c++)
            for (size_t i = 0; i < spatial; i += GDRQ_BLOCK) {
                const size_t at = plane(shape, b, c) + i, n = gdrq_block_length(i, spatial);
                scale_bias(acc + at, n, centre ? centre[c] : 0.f, scale ? scale[c] : 1.f, bias[c],
                           y + at);
                gdrq_activate_block(y + at, n, a);
            }
}

/*
 * delta = dL/dy becomes dL/dt, t being the activation's input. Returns the channel's sum of it, and
 * in *product, unless acc is NULL, the sum of dL/dt * (factor*acc - mean).
 */
static double activation_backward(const gdrq_bn_shape *s, int c, const float *y, ACTIVATION a,
                                  const float *acc, double factor, double mean, float *delta,
                                  double *product) {
    const size_t spatial = (size_t)s->spatial;
    double sums[LANES] = {0}, products[LANES] = {0};
    for (int b = 0; b < s->batch; b++)
        for (size_t i = 0; i < spatial; i += GDRQ_BLOCK) {
            const size_t at = plane(s, b, c) + i, n = gdrq_block_length(i, spatial);
            gdrq_activation_gradient_block(y + at, n, a, delta + at);
            add_values(delta + at, n, sums);
            if (acc)
                add_products(delta + at, acc + at, n, factor, mean, products);
        }
    if (acc)
        *product = sum_lanes(products);
    return sum_lanes(sums);
}

/*
 * With N values per channel, m and v their mean and variance (over N - 1), s = sqrt(v) + epsilon,
 * t = gamma*(z - m)/s + beta and g = dL/dt:
 *
 *   dL/dz = gamma/s * (g - sum(g)/N) - gamma*sum(g*(z - m)) / (s^2*sqrt(v)*(N - 1)) * (z - m)
 *
 * as ds/dz = (z - m) / (sqrt(v)*(N - 1)). Where v = 0 every z - m is 0 and the last term vanishes.
 */
static void channel_backward(const gdrq_bn_shape *s, int c, const float *acc, float factor,
                             float mean, float variance, float gamma, double sum, double product,
                             float *delta) {
    const double count = (double)s->batch * s->spatial;
    const double root = sqrt(variance), deviation = root + epsilon;
    const double a = gamma / deviation;
    const double b = root > 0 ? a * product / (deviation * root * (count - 1)) : 0;
    for (int image = 0; image < s->batch; image++)
        combine(acc + plane(s, image, c), (size_t)s->spatial, factor, mean, (float)a, (float)b,
                (float)(a * sum / count), delta + plane(s, image, c));
}

void gdrq_batchnorm_backward(const gdrq_bn_shape *shape, const float *acc, const float *factor,
                             const float *mean, const float *variance, const float *gamma,
                             const float *y, ACTIVATION a, float *delta, float *gamma_updates,
                             float *beta_updates) {
#pragma omp parallel for schedule(static)
    for (int c = 0; c < shape->channels; c++) {
        const float f = factor ? factor[c] : 1.f;
        double product;
        const double sum = activation_backward(shape, c, y, a, acc, f, mean[c], delta, &product);
        beta_updates[c] += (float)sum;
        gamma_updates[c] += (float)(product / (sqrt(variance[c]) + epsilon));
        channel_backward(shape, c, acc, f, mean[c], variance[c], gamma[c], sum, product, delta);
    }
}

void gdrq_batchnorm_backward_frozen(const gdrq_bn_shape *shape, const float *acc,
                                    const float *factor, const float *mean, const float *variance,
                                    const float *gamma, const float *y, ACTIVATION a, float *delta,
                                    float *gamma_updates, float *beta_updates) {
#pragma omp parallel for schedule(static)
    for (int c = 0; c < shape->channels; c++) {
        const double deviation = sqrt(variance[c]) + epsilon;
        double product;
        beta_updates[c] += (float)activation_backward(shape, c, y, a, acc, factor ? factor[c] : 1,
                                                      mean[c], delta, &product);
        gamma_updates[c] += (float)(product / deviation);
        for (int b = 0; b < shape->batch; b++)
            scale_bias(delta + plane(shape, b, c), (size_t)shape->spatial, 0,
                       (float)(gamma[c] / deviation), 0, delta + plane(shape, b, c));
    }
}

void gdrq_bias_backward(const gdrq_bn_shape *shape, const float *y, ACTIVATION a, float *delta,
                        float *beta_updates) {
#pragma omp parallel for schedule(static)
    for (int c = 0; c < shape->channels; c++)
        beta_updates[c] += (float)activation_backward(shape, c, y, a, NULL, 1, 0, delta, NULL);
}
