/* Batch norm against its formulas in double precision, gradients against finite differences. */
#include "cmocka_all.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "primitives/batchnorm.h"
#include "random_data.h"

static const double epsilon = .000001;

/* One layer's tensors; `factor` may be NULL. */
typedef struct problem {
    gdrq_bn_shape shape;
    ACTIVATION activation;
    size_t count;
    float *acc, *factor, *gamma, *beta, *mean, *variance;
    float *loss_weights; /* the loss is sum(loss_weights * y) */
} problem;

static float *uniform_array(size_t n, float low, float high) {
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = low + (high - low) * (float)random_unit();
    return x;
}

/* acc looks like a quantised convolution's sums if there is a factor, else like real values. */
static problem make_problem(gdrq_bn_shape shape, ACTIVATION activation, bool with_factor) {
    problem p = {.shape = shape, .activation = activation};
    const size_t channels = (size_t)shape.channels;
    p.count = (size_t)shape.batch * channels * (size_t)shape.spatial;
    p.acc = uniform_array(p.count, -2, 3);
    p.factor = with_factor ? uniform_array(channels, .001f, .01f) : NULL;
    for (size_t i = 0; with_factor && i < p.count; i++)
        p.acc[i] = (float)(int)(100 * p.acc[i]);
    p.gamma = uniform_array(channels, .5f, 1.5f);
    for (size_t c = 0; c < channels; c += 2)
        p.gamma[c] = -p.gamma[c];
    p.beta = uniform_array(channels, -1, 1);
    p.mean = calloc(channels, sizeof(float));
    p.variance = calloc(channels, sizeof(float));
    p.loss_weights = uniform_array(p.count, -1, 1);
    assert_true(p.mean && p.variance);
    return p;
}

static void free_problem(problem *p) {
    free(p->acc);
    free(p->factor);
    free(p->gamma);
    free(p->beta);
    free(p->mean);
    free(p->variance);
    free(p->loss_weights);
}

static int channel_of(const gdrq_bn_shape *s, size_t i) {
    return (int)(i / (size_t)s->spatial) % s->channels;
}

/* z = factor*acc as doubles; the caller frees it. */
static double *real_values(const problem *p) {
    double *z = malloc(p->count * sizeof *z);
    assert_non_null(z);
    for (size_t i = 0; i < p->count; i++)
        z[i] = p->factor ? (double)p->factor[channel_of(&p->shape, i)] * p->acc[i] : p->acc[i];
    return z;
}

static void reference_statistics(const problem *p, const double *z, int c, double *mean,
                                 double *variance) {
    const double n = (double)p->shape.batch * p->shape.spatial;
    *mean = *variance = 0;
    for (size_t i = 0; i < p->count; i++)
        if (channel_of(&p->shape, i) == c)
            *mean += z[i] / n;
    for (size_t i = 0; i < p->count; i++)
        if (channel_of(&p->shape, i) == c)
            *variance += (z[i] - *mean) * (z[i] - *mean) / (n - 1);
}

static double reference_activation(double t, ACTIVATION a) {
    return a == LOGISTIC ? 1 / (1 + exp(-t)) : a == LEAKY ? (t > 0 ? t : .1 * t) : t;
}

/* The part of the loss that channel c contributes, with given or this batch's statistics. */
static double channel_loss(const problem *p, const double *z, int c, bool frozen, double gamma,
                           double beta) {
    double mean = p->mean[c], variance = p->variance[c], loss = 0;
    if (!frozen)
        reference_statistics(p, z, c, &mean, &variance);
    for (size_t i = 0; i < p->count; i++)
        if (channel_of(&p->shape, i) == c) {
            const double t = gamma * (z[i] - mean) / (sqrt(variance) + epsilon) + beta;
            loss += p->loss_weights[i] * reference_activation(t, p->activation);
        }
    return loss;
}

static void forward(const problem *p, float *y) {
    const size_t channels = (size_t)p->shape.channels;
    float *scale = malloc(channels * sizeof *scale), *bias = malloc(channels * sizeof *bias);
    assert_true(scale && bias);
    gdrq_batchnorm_fold(p->shape.channels, p->factor, p->gamma, p->beta, p->mean, p->variance,
                        scale, bias);
    gdrq_scale_bias_activate(&p->shape, p->acc, scale, bias, p->activation, y);
    free(scale);
    free(bias);
}

static void assert_near(const char *what, size_t i, double got, double expected, double allowed) {
    if (!(fabs(got - expected) <= allowed))
        fail_msg("%s[%zu] is %.9g, not %.9g", what, i, got, expected);
}

static void check_forward(gdrq_bn_shape shape, bool with_factor) {
    problem p = make_problem(shape, LEAKY, with_factor);
    double *z = real_values(&p);
    float *y = malloc(p.count * sizeof *y);
    assert_non_null(y);
    gdrq_batchnorm_statistics(&p.shape, p.acc, p.factor, p.mean, p.variance);
    forward(&p, y);
    for (int c = 0; c < shape.channels; c++) {
        double mean, variance;
        reference_statistics(&p, z, c, &mean, &variance);
        assert_near("mean", (size_t)c, p.mean[c], mean, 1e-6 * (fabs(mean) + 1e-3));
        assert_near("variance", (size_t)c, p.variance[c], variance, 1e-6 * variance);
        for (size_t i = 0; i < p.count; i++)
            if (channel_of(&p.shape, i) == c) {
                const double a = p.gamma[c] / (sqrt(variance) + epsilon);
                const double t = a * (z[i] - mean) + p.beta[c];
                /* a*z and a*mean are rounded before they cancel. */
                assert_near("y", i, y[i], reference_activation(t, LEAKY),
                            2e-7 * (fabs(a * z[i]) + fabs(a * mean) + 10));
            }
    }
    free(y);
    free(z);
    free_problem(&p);
}

static void forward_is_the_formula(void **state) {
    (void)state;
    for (int with_factor = 0; with_factor < 2; with_factor++) {
        check_forward((gdrq_bn_shape){2, 3, 5}, with_factor);
        check_forward((gdrq_bn_shape){1, 1, 2}, with_factor);
        check_forward((gdrq_bn_shape){3, 7, 16}, with_factor);
        check_forward((gdrq_bn_shape){2, 2, 5001}, with_factor);
        check_forward((gdrq_bn_shape){2, 1, 1}, with_factor);
        check_forward((gdrq_bn_shape){3, 300, 1}, with_factor);
    }
}

/* What a backward pass gives: dL/dz, and what was added to the updates. */
typedef struct gradients {
    float *z, *gamma, *beta;
} gradients;

/* The updates start at 1: they must be added to. */
static gradients backward(const problem *p, bool frozen) {
    const size_t channels = (size_t)p->shape.channels;
    gradients g = {malloc(p->count * sizeof(float)), uniform_array(channels, 1, 1),
                   uniform_array(channels, 1, 1)};
    float *y = malloc(p->count * sizeof *y);
    assert_true(g.z && y);
    forward(p, y);
    memcpy(g.z, p->loss_weights, p->count * sizeof *g.z);
    (frozen ? gdrq_batchnorm_backward_frozen
            : gdrq_batchnorm_backward)(&p->shape, p->acc, p->factor, p->mean, p->variance, p->gamma,
                                       y, p->activation, g.z, g.gamma, g.beta);
    for (size_t c = 0; c < channels; c++) {
        g.gamma[c] -= 1;
        g.beta[c] -= 1;
    }
    free(y);
    return g;
}

static void free_gradients(gradients *g) {
    free(g->z);
    free(g->gamma);
    free(g->beta);
}

/* Derivatives of a channel's loss by central differences. */
static const double h = 1e-6;

static double by_z(const problem *p, double *z, size_t i, bool frozen) {
    const int c = channel_of(&p->shape, i);
    const double before = z[i];
    z[i] = before + h;
    const double up = channel_loss(p, z, c, frozen, p->gamma[c], p->beta[c]);
    z[i] = before - h;
    const double down = channel_loss(p, z, c, frozen, p->gamma[c], p->beta[c]);
    z[i] = before;
    return (up - down) / (2 * h);
}

static double by_parameters(const problem *p, const double *z, int c, bool frozen, double d_gamma,
                            double d_beta) {
    const double gamma = p->gamma[c], beta = p->beta[c];
    return (channel_loss(p, z, c, frozen, gamma + d_gamma, beta + d_beta) -
            channel_loss(p, z, c, frozen, gamma - d_gamma, beta - d_beta)) /
           (2 * h);
}

static void check_gradient(gdrq_bn_shape shape, ACTIVATION activation, bool with_factor,
                           bool frozen) {
    problem p = make_problem(shape, activation, with_factor);
    double *z = real_values(&p);
    gdrq_batchnorm_statistics(&p.shape, p.acc, p.factor, p.mean, p.variance);
    for (int c = 0; frozen && c < shape.channels; c++) {
        p.mean[c] += .1f;
        p.variance[c] *= 1.3f;
    }
    gradients g = backward(&p, frozen);
    double largest = 0;
    for (size_t i = 0; i < p.count; i++)
        largest = fmax(largest, fabs(g.z[i]));
    assert_true(largest > 0);
    for (size_t i = 0; i < p.count; i++)
        assert_near("dL/dz", i, g.z[i], by_z(&p, z, i, frozen), 2e-5 * fmax(largest, .01));
    for (int c = 0; c < shape.channels; c++) {
        const double gamma = by_parameters(&p, z, c, frozen, h, 0);
        const double beta = by_parameters(&p, z, c, frozen, 0, h);
        assert_near("dL/dgamma", (size_t)c, g.gamma[c], gamma, 1e-5 * (1 + fabs(gamma)));
        assert_near("dL/dbeta", (size_t)c, g.beta[c], beta, 1e-5 * (1 + fabs(beta)));
    }
    free_gradients(&g);
    free(z);
    free_problem(&p);
}

static void gradient_is_exact(void **state) {
    (void)state;
    const ACTIVATION smooth[] = {LINEAR, LOGISTIC};
    for (int frozen = 0; frozen < 2; frozen++)
        for (int with_factor = 0; with_factor < 2; with_factor++)
            for (int k = 0; k < 2; k++) {
                check_gradient((gdrq_bn_shape){2, 3, 9}, smooth[k], with_factor, frozen);
                check_gradient((gdrq_bn_shape){1, 1, 7}, smooth[k], with_factor, frozen);
                check_gradient((gdrq_bn_shape){3, 5, 37}, smooth[k], with_factor, frozen);
                check_gradient((gdrq_bn_shape){8, 3, 1}, smooth[k], with_factor, frozen);
                check_gradient((gdrq_bn_shape){9, 131, 1}, smooth[k], with_factor, frozen);
            }
}

static void check_bias_gradient(gdrq_bn_shape shape) {
    problem p = make_problem(shape, LEAKY, false);
    const size_t channels = (size_t)shape.channels;
    float *y = malloc(p.count * sizeof *y), *delta = malloc(p.count * sizeof *delta);
    float *updates = uniform_array(channels, 1, 20);
    double *expected = malloc(channels * sizeof *expected);
    assert_true(y && delta && expected);
    for (size_t c = 0; c < channels; c++)
        expected[c] = updates[c];
    gdrq_scale_bias_activate(&p.shape, p.acc, NULL, p.beta, LEAKY, y);
    memcpy(delta, p.loss_weights, p.count * sizeof *delta);
    gdrq_bias_backward(&p.shape, y, LEAKY, delta, updates);
    for (size_t i = 0; i < p.count; i++) {
        const int c = channel_of(&p.shape, i);
        const float t = p.acc[i] + p.beta[c];
        assert_near("y", i, y[i], t > 0 ? t : .1 * t, 1e-6);
        const double slope = t > 0 ? 1 : .1;
        assert_near("delta", i, delta[i], slope * p.loss_weights[i], 1e-6);
        expected[c] += slope * p.loss_weights[i];
    }
    for (size_t c = 0; c < channels; c++)
        assert_near("beta", c, updates[c], expected[c], 1e-4);
    free(y);
    free(delta);
    free(updates);
    free(expected);
    free_problem(&p);
}

/* No batch norm: delta and the bias' gradient are sums of dL/dy * a'. */
static void bias_gradient(void **state) {
    (void)state;
    check_bias_gradient((gdrq_bn_shape){2, 3, 2500});
    check_bias_gradient((gdrq_bn_shape){5, 259, 1});
}

static void check_in_place(gdrq_bn_shape shape) {
    problem p = make_problem(shape, LEAKY, true);
    float *y = malloc(p.count * sizeof *y);
    assert_non_null(y);
    gdrq_scale_bias_activate(&p.shape, p.acc, p.gamma, p.beta, LEAKY, y);
    gdrq_scale_bias_activate(&p.shape, p.acc, p.gamma, p.beta, LEAKY, p.acc);
    assert_memory_equal(y, p.acc, p.count * sizeof *y);
    free(y);
    free_problem(&p);
}

static void in_place_is_the_same(void **state) {
    (void)state;
    check_in_place((gdrq_bn_shape){2, 5, 4099});
    check_in_place((gdrq_bn_shape){2, 4099, 1});
}

/* Constant channels and single values: nothing to divide by, yet finite and without gradient. */
static void zero_variance(void **state) {
    (void)state;
    const gdrq_bn_shape shapes[] = {{1, 2, 1}, {2, 2, 8}};
    for (int k = 0; k < 2; k++) {
        problem p = make_problem(shapes[k], LINEAR, false);
        float y[64], gamma_updates[2] = {0}, beta_updates[2] = {0};
        static const float constants[] = {.5f, 33.3f};
        float centre[2], scale[2];
        for (size_t i = 0; i < p.count; i++)
            p.acc[i] = constants[k];
        gdrq_batchnorm_statistics(&p.shape, p.acc, NULL, p.mean, p.variance);
        forward(&p, y);
        for (int c = 0; c < 2; c++) {
            assert_true(p.mean[c] == constants[k]);
            assert_true(p.variance[c] == 0);
        }
        /* As training does it: nothing is left of a constant but beta. */
        gdrq_batchnorm_centre(2, NULL, p.gamma, p.mean, p.variance, centre, scale);
        gdrq_centre_scale_activate(&p.shape, p.acc, centre, scale, p.beta, LINEAR, y);
        for (size_t i = 0; i < p.count; i++)
            assert_true(y[i] == p.beta[i / (size_t)p.shape.spatial % 2]);
        for (size_t i = 0; i < p.count; i++)
            p.loss_weights[i] = 1;
        gdrq_batchnorm_backward(&p.shape, p.acc, NULL, p.mean, p.variance, p.gamma, y, LINEAR,
                                p.loss_weights, gamma_updates, beta_updates);
        for (size_t i = 0; i < p.count; i++)
            assert_near("delta", i, p.loss_weights[i], 0, 1e-6);
        free_problem(&p);
    }
}

/* Everything that a training step computes, in one array of 2*count + 4*channels floats. */
static void train_step(const problem *p, float *all) {
    const size_t channels = (size_t)p->shape.channels;
    float *y = all, *delta = y + p->count, *gamma_updates = delta + p->count;
    float *beta_updates = gamma_updates + channels, *mean = beta_updates + channels;
    memset(all, 0, (2 * p->count + 4 * channels) * sizeof *all);
    memcpy(delta, p->loss_weights, p->count * sizeof *delta);
    gdrq_batchnorm_statistics(&p->shape, p->acc, p->factor, p->mean, p->variance);
    memcpy(mean, p->mean, channels * sizeof *mean);
    memcpy(mean + channels, p->variance, channels * sizeof *mean);
    forward(p, y);
    gdrq_batchnorm_backward(&p->shape, p->acc, p->factor, p->mean, p->variance, p->gamma, y,
                            p->activation, delta, gamma_updates, beta_updates);
}

static void check_threads(gdrq_bn_shape shape) {
    const int before = omp_get_max_threads();
    problem p = make_problem(shape, LEAKY, true);
    const size_t n = 2 * p.count + 4 * (size_t)p.shape.channels;
    float *first = malloc(n * sizeof *first), *again = malloc(n * sizeof *again);
    assert_true(first && again);
    omp_set_num_threads(1);
    train_step(&p, first);
    for (int threads = 2; threads < 5; threads++) {
        omp_set_num_threads(threads);
        train_step(&p, again);
        assert_memory_equal(first, again, n * sizeof *first);
    }
    omp_set_num_threads(before);
    free(first);
    free(again);
    free_problem(&p);
}

static void any_number_of_threads(void **state) {
    (void)state;
    check_threads((gdrq_bn_shape){2, 7, 4999});
    check_threads((gdrq_bn_shape){16, 4999, 1});
}

int main(void) {
    seed_random(13);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_formula), cmocka_unit_test(gradient_is_exact),
        cmocka_unit_test(bias_gradient),          cmocka_unit_test(in_place_is_the_same),
        cmocka_unit_test(zero_variance),          cmocka_unit_test(any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
