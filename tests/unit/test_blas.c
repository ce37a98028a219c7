/* The vector loops against the host's own: any distances, overlaps, lengths and threads. */
#include "cmocka_all.h"

#include <dlfcn.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "primitives/blas.h"
#include "random_data.h"

static void *host_function(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        fail_msg("libdarknet has no %s", name);
    return function;
}

enum { LONGEST = 70001, FARTHEST = 3, ROOM = LONGEST * FARTHEST };

static float *values; /* 3 * ROOM, random */

/* Two vectors in one array, twice. */
typedef struct vectors {
    float *host, *ours;
} vectors;

static float *copy_of(const float *from) {
    float *x = malloc(2 * ROOM * sizeof *x);
    assert_non_null(x);
    return memcpy(x, from, 2 * ROOM * sizeof *x);
}

static vectors make_vectors(void) {
    const float *from = values + random_int(0, ROOM);
    return (vectors){copy_of(from), copy_of(from)};
}

static void assert_same_and_free(vectors *v) {
    assert_int_equal(memcmp(v->ours, v->host, 2 * ROOM * sizeof *v->ours), 0);
    free(v->ours);
    free(v->host);
}

/* Mostly neighbours, as the host's callers have it. */
static int random_distance(void) {
    return random_int(0, 2) ? 1 : random_int(0, FARTHEST);
}

static int random_length(void) {
    static const int lengths[] = {-1, 0, 1, 7, 16383, 16384, 2048 * 9 + 1, LONGEST};
    return lengths[random_int(0, 7)];
}

/* Where y begins: elsewhere, at x, or within it. */
static int random_start(void) {
    const int starts[] = {ROOM, ROOM, ROOM, 0, 1, 5000};
    return starts[random_int(0, 5)];
}

static void one_vector(void **state) {
    (void)state;
    void (*fill)(int, float, float *, int) = host_function("fill_cpu");
    void (*scal)(int, float, float *, int) = host_function("scal_cpu");
    for (int i = 0; i < 60; i++) {
        vectors v = make_vectors();
        const int n = random_length(), distance = random_distance();
        omp_set_num_threads(1 << i % 3);
        if (i % 2) {
            fill(n, 2.5f, v.host, distance);
            gdrq_fill_cpu(n, 2.5f, v.ours, distance);
        } else {
            /* To the same place again and again, a factor below 1 would only leave a 0. */
            const float a = distance ? 1.1f : -1;
            scal(n, a, v.host, distance);
            gdrq_scal_cpu(n, a, v.ours, distance);
        }
        assert_same_and_free(&v);
    }
}

static void two_vectors(void **state) {
    (void)state;
    void (*copy)(int, float *, int, float *, int) = host_function("copy_cpu");
    void (*axpy)(int, float, float *, int, float *, int) = host_function("axpy_cpu");
    for (int i = 0; i < 200; i++) {
        vectors v = make_vectors();
        const int n = random_length(), x = random_distance(), y = random_distance();
        const int start = random_start();
        omp_set_num_threads(1 << i % 3);
        if (i % 2) {
            copy(n, v.host, x, v.host + start, y);
            gdrq_copy_cpu(n, v.ours, x, v.ours + start, y);
        } else {
            /* Small: where elements follow from each other, they must not grow to infinity. */
            axpy(n, 1e-5f, v.host, x, v.host + start, y);
            gdrq_axpy_cpu(n, 1e-5f, v.ours, x, v.ours + start, y);
        }
        assert_same_and_free(&v);
    }
}

/* What programs and libdarknet's files find under the names is ours. */
static void hooks_are_exported(void **state) {
    (void)state;
    const char *const names[] = {"fill_cpu", "copy_cpu",       "axpy_cpu",
                                 "scal_cpu", "activate_array", "gradient_array",
                                 "gemm",     "gemm_cpu",       "network_predict"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *const found = dlsym(RTLD_DEFAULT, names[i]);
        assert_non_null(found);
        assert_ptr_not_equal(found, host_function(names[i]));
    }
}

int main(void) {
    seed_random(33);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_vector),
        cmocka_unit_test(two_vectors),
        cmocka_unit_test(hooks_are_exported),
    };
    values = random_array(3 * ROOM, 1);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(values);
    return failed;
}
