/* What the tests of yolo and region layers share: random problems, and the host's own functions. */
#ifndef TESTS_UNIT_DETECTION_TEST_H
#define TESTS_UNIT_DETECTION_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "darknet.h"

typedef void layer_function(layer l, network net);

static unsigned test_seed = 20190801;

static void read_seed(void) {
    const char *const given = getenv("TEST_SEED");
    if (given)
        test_seed = (unsigned)strtoul(given, NULL, 10);
    printf("seed %u (TEST_SEED=... chooses another)\n", test_seed);
    srand(test_seed);
}

static float uniform(float low, float high) {
    return low + (high - low) * ((float)rand() / (float)RAND_MAX);
}

static int pick(int low, int high) {
    return low + rand() % (high - low + 1);
}

/* The host's function, even where this program holds one that replaces it. */
static void *stock_function(const char *name) {
    void *const function = dlsym(RTLD_NEXT, name);
    if (!function)
        fail_msg("libdarknet has no %s", name);
    return function;
}

/* Sends what is written to a stream to another descriptor; returns a copy of the old one. */
static int redirect(FILE *stream, int to) {
    fflush(stream);
    const int saved = dup(fileno(stream));
    assert_true(saved >= 0 && dup2(to, fileno(stream)) >= 0);
    return saved;
}

static void restore(FILE *stream, int saved) {
    fflush(stream);
    dup2(saved, fileno(stream));
    close(saved);
}

static int silence(FILE *stream) {
    const int nowhere = open("/dev/null", O_WRONLY);
    assert_true(nowhere >= 0);
    const int saved = redirect(stream, nowhere);
    close(nowhere);
    return saved;
}

static void run_quietly(layer_function *function, layer l, network net) {
    const int saved = silence(stdout);
    function(l, net);
    restore(stdout, saved);
}

static void assert_prints_nothing(layer_function *function, layer l, network net) {
    FILE *const file = tmpfile();
    assert_non_null(file);
    const int saved = redirect(stdout, fileno(file));
    function(l, net);
    restore(stdout, saved);
    assert_int_equal(lseek(fileno(file), 0, SEEK_END), 0);
    fclose(file);
}

static float *random_floats(size_t n, float low, float high) {
    float *const x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = uniform(low, high);
    return x;
}

static float *copy_floats(const float *x, size_t n) {
    float *const copy = malloc(n * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

/* A layer with outputs of its own and the rest shared; free_twin() ends it. */
static layer twin_of(const layer *l) {
    layer twin = *l;
    const size_t n = (size_t)l->batch * l->outputs;
    twin.output = random_floats(n, 5, 6);
    twin.delta = random_floats(n, 5, 6);
    twin.cost = malloc(sizeof *twin.cost);
    assert_non_null(twin.cost);
    *twin.cost = -1;
    return twin;
}

static void free_twin(layer *twin) {
    free(twin->output);
    free(twin->delta);
    free(twin->cost);
}

/* One box of an image: coords + 1 floats. */
static void random_truth(float *row, int coords, int labels) {
    row[0] = uniform(.01f, .99f);
    row[1] = uniform(.01f, .99f);
    row[2] = uniform(.05f, .7f);
    row[3] = uniform(.05f, .7f);
    for (int i = 4; i < coords; i++)
        row[i] = uniform(0, 1);
    row[coords] = (float)pick(0, labels - 1);
}

/* `count` truths per image; every fourth repeats its forerunner's box with another label. */
static float *random_truths(const layer *l, int coords, int labels, int count) {
    float *const rows = calloc((size_t)l->batch * l->truths, sizeof *rows);
    assert_non_null(rows);
    for (int b = 0; b < l->batch; b++) {
        for (int i = 0; i < count; i++) {
            float *const row = rows + (size_t)b * l->truths + (size_t)i * (coords + 1);
            random_truth(row, coords, labels);
            if (i % 4 == 3)
                memcpy(row, row - (coords + 1), 4 * sizeof *row);
        }
    }
    return rows;
}

static void assert_close(const char *what, const float *ours, const float *expected, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!(fabsf(ours[i] - expected[i]) <= 2e-5f * (1 + fabsf(expected[i]))))
            fail_msg("%s[%zu] is %.9g, not %.9g (seed %u)", what, i, ours[i], expected[i],
                     test_seed);
    }
}

static void assert_same_layers(const layer *ours, const layer *expected) {
    const size_t n = (size_t)ours->batch * ours->outputs;
    assert_close("output", ours->output, expected->output, n);
    assert_close("delta", ours->delta, expected->delta, n);
    assert_close("cost", ours->cost, expected->cost, 1);
}

/* The same bits from 2, 3 and 4 threads as from one. */
static void assert_threads_do_not_matter(layer_function *forward, const layer *l, network net) {
    const size_t bytes = (size_t)l->batch * l->outputs * sizeof(float);
    const int before = omp_get_max_threads();
    layer one = twin_of(l);
    omp_set_num_threads(1);
    forward(one, net);
    for (int threads = 2; threads <= 4; threads++) {
        layer many = twin_of(l);
        omp_set_num_threads(threads);
        forward(many, net);
        assert_memory_equal(one.output, many.output, bytes);
        assert_memory_equal(one.delta, many.delta, bytes);
        assert_memory_equal(one.cost, many.cost, sizeof *one.cost);
        free_twin(&many);
    }
    omp_set_num_threads(before);
    free_twin(&one);
}

#endif
