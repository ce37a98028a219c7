/* The update of parameters against the host's, and against formulas in double where it has none. */
#include "cmocka_all.h"

#include <dlfcn.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "primitives/update.h"
#include "random_data.h"

typedef void update_function(layer l, update_args a);

static update_function *host_function(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        fail_msg("libdarknet has no %s", name);
    return function;
}

static float *copy_of(const float *x, size_t n) {
    float *copy = malloc(n * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

/* A layer of `outputs` filters with n weights each, whichever type asks. */
static layer make_layer(int n, int outputs, bool scales, bool moments) {
    const size_t weights = (size_t)n * (size_t)outputs, count = (size_t)outputs;
    layer l = {.learning_rate_scale = .7f,
               .n = outputs,
               .outputs = outputs,
               .inputs = n,
               .c = n,
               .size = 1,
               .nweights = n * outputs};
    l.weights = random_array(weights, 1);
    l.weight_updates = random_array(weights, 10);
    l.biases = random_array(count, 1);
    l.bias_updates = random_array(count, 10);
    if (scales) {
        l.scales = random_array(count, 1);
        l.scale_updates = random_array(count, 10);
    }
    if (moments) {
        l.m = calloc(weights, sizeof(float));
        l.v = calloc(weights, sizeof(float));
        l.bias_m = calloc(count, sizeof(float));
        l.bias_v = calloc(count, sizeof(float));
        l.scale_m = calloc(count, sizeof(float));
        l.scale_v = calloc(count, sizeof(float));
    }
    return l;
}

static layer copy_layer(const layer *l) {
    const size_t weights = (size_t)l->nweights, count = (size_t)l->outputs;
    layer copy = *l;
    copy.weights = copy_of(l->weights, weights);
    copy.weight_updates = copy_of(l->weight_updates, weights);
    copy.biases = copy_of(l->biases, count);
    copy.bias_updates = copy_of(l->bias_updates, count);
    if (l->scales) {
        copy.scales = copy_of(l->scales, count);
        copy.scale_updates = copy_of(l->scale_updates, count);
    }
    if (l->m) {
        copy.m = copy_of(l->m, weights);
        copy.v = copy_of(l->v, weights);
        copy.bias_m = copy_of(l->bias_m, count);
        copy.bias_v = copy_of(l->bias_v, count);
        copy.scale_m = copy_of(l->scale_m, count);
        copy.scale_v = copy_of(l->scale_v, count);
    }
    return copy;
}

static void free_arrays(layer *l) {
    float *arrays[] = {l->weights, l->weight_updates, l->biases,  l->bias_updates,
                       l->scales,  l->scale_updates,  l->m,       l->v,
                       l->bias_m,  l->bias_v,         l->scale_m, l->scale_v};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
}

static void assert_near(const char *what, const float *got, const float *expected, size_t n,
                        double tolerance) {
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - expected[i]) <= tolerance * (1 + fabs(expected[i]))))
            fail_msg("%s[%zu of %zu] is %.9g, not %.9g", what, i, n, got[i], expected[i]);
}

static void assert_same_layer(const layer *got, const layer *expected, double tolerance) {
    const size_t weights = (size_t)got->nweights, count = (size_t)got->outputs;
    assert_near("weights", got->weights, expected->weights, weights, tolerance);
    assert_near("weight_updates", got->weight_updates, expected->weight_updates, weights,
                tolerance);
    assert_near("biases", got->biases, expected->biases, count, tolerance);
    assert_near("bias_updates", got->bias_updates, expected->bias_updates, count, tolerance);
    if (!got->scales)
        return;
    assert_near("scales", got->scales, expected->scales, count, tolerance);
    assert_near("scale_updates", got->scale_updates, expected->scale_updates, count, tolerance);
}

static update_args random_args(void) {
    return (update_args){.batch = random_int(1, 64),
                         .learning_rate = .001f + .1f * (float)random_unit(),
                         .momentum = .9f,
                         .decay = .0005f * (float)random_int(0, 3),
                         .B1 = .9f,
                         .B2 = .999f,
                         .eps = 1e-8f,
                         .t = 1};
}

static void momentum_is_the_hosts(void **state) {
    (void)state;
    static const struct {
        const char *name;
        update_function *ours;
    } kinds[] = {{"update_convolutional_layer", gdrq_update_convolutional_layer},
                 {"update_connected_layer", gdrq_update_connected_layer},
                 {"update_deconvolutional_layer", gdrq_update_deconvolutional_layer}};
    for (int i = 0; i < 60; i++) {
        update_function *const host = host_function(kinds[i % 3].name);
        layer ours = make_layer(random_int(1, 400), random_int(1, 150), random_int(0, 1), false);
        ours.batch_normalize = ours.scales != NULL;
        layer theirs = copy_layer(&ours);
        for (int step = 0; step < 3; step++) {
            const update_args args = random_args();
            host(theirs, args);
            kinds[i % 3].ours(ours, args);
        }
        assert_same_layer(&ours, &theirs, 1e-6);
        free_arrays(&ours);
        free_arrays(&theirs);
    }
}

/* The hooks by which recurrent layers reach theirs. */
static void hooks_are_ours(void **state) {
    (void)state;
    layer ours = make_layer(5, 3, false, true), theirs = copy_layer(&ours);
    update_args args = random_args();
    args.adam = 1;
    void (*hook)(layer, update_args) = dlsym(RTLD_DEFAULT, "update_connected_layer");
    assert_non_null(hook);
    hook(theirs, args);
    gdrq_update_connected_layer(ours, args);
    assert_same_layer(&ours, &theirs, 0);
    free_arrays(&ours);
    free_arrays(&theirs);
}

/* One array's adam in double; the last step leaves the values in `w`. */
static void adam_reference(const float *start, float *const gradients[], int steps, size_t n,
                           const update_args *a, double rate, float *w) {
    for (size_t i = 0; i < n; i++) {
        double value = start[i], m = 0, v = 0;
        for (int t = 1; t <= steps; t++) {
            const double u = gradients[t - 1][i] - (double)a->decay * a->batch * value;
            m = a->B1 * m + (1. - a->B1) * u;
            v = a->B2 * v + (1. - a->B2) * u * u;
            value += rate * (m / (1 - pow(a->B1, t))) / (sqrt(v / (1 - pow(a->B2, t))) + a->eps);
        }
        w[i] = (float)value;
    }
}

enum { ADAM_STEPS = 4 };

/* Runs ADAM_STEPS updates with fresh gradients for the array that `updates` and `values` belong to.
 */
static void check_adam(layer *l, float *values, float *updates, size_t n, update_function *update,
                       update_args args) {
    float *gradients[ADAM_STEPS], *expected = malloc(n * sizeof *expected);
    float *start = copy_of(values, n);
    assert_non_null(expected);
    args.adam = 1;
    for (int t = 0; t < ADAM_STEPS; t++) {
        gradients[t] = random_array(n, 3);
        memcpy(updates, gradients[t], n * sizeof *updates);
        args.t = t + 1;
        update(*l, args);
        for (size_t i = 0; i < n; i++)
            assert_true(updates[i] == 0);
    }
    adam_reference(start, gradients, ADAM_STEPS, n, &args,
                   args.learning_rate * l->learning_rate_scale, expected);
    assert_near("adam", values, expected, n, 2e-5);
    for (int t = 0; t < ADAM_STEPS; t++)
        free(gradients[t]);
    free(expected);
    free(start);
}

static void adam_is_the_formula(void **state) {
    (void)state;
    update_function *const updates[] = {gdrq_update_convolutional_layer,
                                        gdrq_update_connected_layer,
                                        gdrq_update_deconvolutional_layer};
    for (int i = 0; i < 9; i++) {
        layer l = make_layer(random_int(1, 300), random_int(1, 150), true, true);
        const size_t weights = (size_t)l.nweights, count = (size_t)l.outputs;
        update_args args = random_args();
        args.learning_rate = .01f;
        layer copies[] = {copy_layer(&l), copy_layer(&l)};
        check_adam(&l, l.weights, l.weight_updates, weights, updates[i % 3], args);
        check_adam(&copies[0], copies[0].biases, copies[0].bias_updates, count, updates[i % 3],
                   args);
        check_adam(&copies[1], copies[1].scales, copies[1].scale_updates, count, updates[i % 3],
                   args);
        free_arrays(&l);
        free_arrays(&copies[0]);
        free_arrays(&copies[1]);
    }
}

/* The convolutions inside of [crnn] have none. */
static void adam_without_moments_is_momentum(void **state) {
    (void)state;
    layer ours = make_layer(33, 17, true, false), same = copy_layer(&ours);
    update_args args = random_args();
    gdrq_update_convolutional_layer(same, args);
    args.adam = 1;
    gdrq_update_convolutional_layer(ours, args);
    assert_same_layer(&ours, &same, 0);
    free_arrays(&ours);
    free_arrays(&same);
}

static void check_clip(bool adam) {
    layer l = make_layer(101, 97, true, adam), unclipped = copy_layer(&l);
    update_args args = random_args();
    args.adam = adam;
    gdrq_update_convolutional_layer(unclipped, args);
    l.clip = .4f;
    l.weights[5] = NAN;
    gdrq_update_convolutional_layer(l, args);
    int clipped = 0;
    for (int i = 0; i < l.nweights; i++) {
        if (i == 5)
            continue;
        clipped += fabsf(unclipped.weights[i]) > .4f;
        assert_true(l.weights[i] == fmaxf(-.4f, fminf(.4f, unclipped.weights[i])));
    }
    assert_in_range(clipped, 1, l.nweights - 1);
    assert_true(isnan(l.weights[5]));
    assert_memory_equal(l.biases, unclipped.biases, 97 * sizeof(float));
    assert_memory_equal(l.scales, unclipped.scales, 97 * sizeof(float));
    free_arrays(&l);
    free_arrays(&unclipped);
}

static void weights_are_clipped(void **state) {
    (void)state;
    check_clip(false);
    check_clip(true);
}

static void any_number_of_threads(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    for (int adam = 0; adam < 2; adam++) {
        layer first = make_layer(1031, 67, true, true);
        layer start = copy_layer(&first);
        update_args args = random_args();
        args.adam = adam;
        omp_set_num_threads(1);
        gdrq_update_convolutional_layer(first, args);
        for (int threads = 1; threads <= 4; threads *= 2) {
            layer again = copy_layer(&start);
            omp_set_num_threads(threads);
            gdrq_update_convolutional_layer(again, args);
            assert_same_layer(&again, &first, 0);
            free_arrays(&again);
        }
        free_arrays(&first);
        free_arrays(&start);
    }
    omp_set_num_threads(before);
}

int main(void) {
    seed_random(31);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(momentum_is_the_hosts), cmocka_unit_test(hooks_are_ours),
        cmocka_unit_test(adam_is_the_formula),   cmocka_unit_test(adam_without_moments_is_momentum),
        cmocka_unit_test(weights_are_clipped),   cmocka_unit_test(any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
