/* All activations and their gradients against the host's. */
#include "cmocka_all.h"

#include <dlfcn.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random_data.h"
#include "primitives/activation.h"

static const struct {
    ACTIVATION activation;
    const char *name;
} activations[] = {
    {LOGISTIC, "logistic"}, {RELU, "relu"},   {RELIE, "relie"}, {LINEAR, "linear"},
    {RAMP, "ramp"},         {TANH, "tanh"},   {PLSE, "plse"},   {LEAKY, "leaky"},
    {ELU, "elu"},           {LOGGY, "loggy"}, {STAIR, "stair"}, {HARDTAN, "hardtan"},
    {LHTAN, "lhtan"},       {SELU, "selu"},
};

enum { N_ACTIVATIONS = sizeof activations / sizeof *activations };

typedef void host_activate(float *x, const int n, const ACTIVATION a);
typedef void host_gradient(const float *x, const int n, const ACTIVATION a, float *delta);

/* The library's, even if something before it in the program has the same name. */
static void *host_function(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        fail_msg("libdarknet has no %s", name);
    return function;
}

static float uniform(float low, float high) {
    return low + (high - low) * (float)random_unit();
}

/* Corners of the definitions first, then values of all magnitudes; where the host is finite. */
static void fill_inputs(float *x, size_t n) {
    static const float corners[] = {0.f,   -0.f,   1.f,   -1.f,   .5f,  -.5f,  2.f,  -2.f,
                                    4.f,   -4.f,   3.f,   -3.f,   87.f, -87.f, 88.f, -88.f,
                                    104.f, -104.f, 300.f, -300.f, 1.5f, -1.5f};
    for (size_t i = 0; i < n; i++)
        x[i] = i < sizeof corners / sizeof *corners ? corners[i]
               : i % 3 == 0                         ? uniform(-1, 1)
               : i % 3 == 1                         ? uniform(-8, 8)
                                                    : uniform(-120, 120);
}

/* The host computes in double and rounds once: a few units in the last place, or below FLT_MIN. */
static void assert_close(const char *what, const char *name, float input, float got,
                         float expected) {
    const float difference = fabsf(got - expected);
    if (!(difference <= 3.6e-7f * fabsf(expected) + 1.2e-38f))
        fail_msg("%s of %s at %.9g is %.9g, the host's is %.9g", what, name, input, got, expected);
}

static void same_values_as_host(void **state) {
    (void)state;
    enum { N = 100003 };
    host_activate *activate = host_function("activate_array");
    float *x = malloc(N * sizeof *x), *expected = malloc(N * sizeof *x),
          *got = malloc(N * sizeof *x);
    assert_true(x && expected && got);
    fill_inputs(x, N);
    for (int k = 0; k < N_ACTIVATIONS; k++) {
        memcpy(expected, x, N * sizeof *x);
        memcpy(got, x, N * sizeof *x);
        activate(expected, N, activations[k].activation);
        gdrq_activate(got, N, activations[k].activation);
        for (int i = 0; i < N; i++)
            assert_close("value", activations[k].name, x[i], got[i], expected[i]);
    }
    free(x);
    free(expected);
    free(got);
}

static void same_gradients_as_host(void **state) {
    (void)state;
    enum { N = 100003 };
    host_gradient *gradient = host_function("gradient_array");
    float *y = malloc(N * sizeof *y), *expected = malloc(N * sizeof *y),
          *got = malloc(N * sizeof *y);
    assert_true(y && expected && got);
    fill_inputs(y, N);
    for (int k = 0; k < N_ACTIVATIONS; k++) {
        for (int i = 0; i < N; i++)
            expected[i] = got[i] = uniform(-2, 2);
        gradient(y, N, activations[k].activation, expected);
        gdrq_activation_gradient(y, N, activations[k].activation, got);
        for (int i = 0; i < N; i++)
            assert_close("gradient", activations[k].name, y[i], got[i], expected[i]);
    }
    free(y);
    free(expected);
    free(got);
}

/* Short arrays at any alignment, with the neighbours untouched. */
static void lengths_and_alignments(void **state) {
    (void)state;
    host_activate *activate = host_function("activate_array");
    float buffer[64];
    for (int k = 0; k < N_ACTIVATIONS; k++)
        for (int offset = 1; offset < 5; offset++)
            for (int n = 0; n < 40; n++) {
                float x[40], expected[40];
                for (int i = 0; i < n; i++)
                    x[i] = expected[i] = uniform(-6, 6);
                for (int i = 0; i < 64; i++)
                    buffer[i] = 77.f;
                memcpy(buffer + offset, x, (size_t)n * sizeof *x);
                activate(expected, n, activations[k].activation);
                gdrq_activate(buffer + offset, (size_t)n, activations[k].activation);
                for (int i = 0; i < n; i++)
                    assert_close("value", activations[k].name, x[i], buffer[offset + i],
                                 expected[i]);
                assert_true(buffer[offset - 1] == 77.f && buffer[offset + n] == 77.f);
            }
}

/* Where the host's formulas divide infinity by infinity or cancel to 0, ours do not. */
static void extreme_inputs(void **state) {
    (void)state;
    const struct {
        ACTIVATION activation;
        float x, y;
    } cases[] = {{TANH, 1000, 1},         {TANH, -1000, -1},        {ELU, 1000, 1000},
                 {ELU, -1000, -1},        {LOGISTIC, 1e30f, 1},     {LOGISTIC, -1e30f, 0},
                 {LOGISTIC, INFINITY, 1}, {LOGISTIC, -INFINITY, 0}, {LOGGY, 1000, 1},
                 {LOGGY, -1000, -1},      {SELU, 1000, 1050.7f},    {STAIR, 1e30f, 5e29f},
                 {TANH, 1e-30f, 1e-30f},  {TANH, -1e-30f, -1e-30f}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float x = cases[i].x;
        gdrq_activate(&x, 1, cases[i].activation);
        assert_true(x == cases[i].y);
    }
}

/* A diverged training must be seen, not be hidden by an activation. */
static void nan_stays_nan(void **state) {
    (void)state;
    for (int k = 0; k < N_ACTIVATIONS; k++) {
        float x[20];
        for (int i = 0; i < 20; i++)
            x[i] = NAN;
        gdrq_activate(x, 20, activations[k].activation);
        for (int i = 0; i < 20; i++)
            if (!isnan(x[i]))
                fail_msg("%s of NaN is %g", activations[k].name, x[i]);
    }
}

static void any_number_of_threads(void **state) {
    (void)state;
    enum { N = 200001 };
    const int before = omp_get_max_threads();
    float *x = malloc(N * sizeof *x), *first = malloc(N * sizeof *x), *got = malloc(N * sizeof *x);
    assert_true(x && first && got);
    fill_inputs(x, N);
    memcpy(first, x, N * sizeof *x);
    omp_set_num_threads(1);
    gdrq_activate(first, N, LOGISTIC);
    for (int threads = 2; threads < 5; threads++) {
        memcpy(got, x, N * sizeof *x);
        omp_set_num_threads(threads);
        gdrq_activate(got, N, LOGISTIC);
        assert_memory_equal(got, first, N * sizeof *x);
    }
    omp_set_num_threads(before);
    free(x);
    free(first);
    free(got);
}

int main(void) {
    seed_random(12);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_values_as_host),    cmocka_unit_test(same_gradients_as_host),
        cmocka_unit_test(lengths_and_alignments), cmocka_unit_test(extreme_inputs),
        cmocka_unit_test(nan_stays_nan),          cmocka_unit_test(any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
