/* The update rule of an activation tensor's threshold T. */
#include <math.h>
#include <stdlib.h>

#include "cmocka_all.h"
#include "quant/running_threshold.h"

static gdrq_running_threshold fresh(void) {
    return (gdrq_running_threshold){
        .bits = 4, .range = GDRQ_RANGE_UNSIGNED, .k = 4, .momentum = .1f, .slope = .1f};
}

/* A plain mean until 1/(t+1) falls below the momentum, an exponential one from then on. */
static void moves_by_the_larger_of_two_rates(void **state) {
    (void)state;
    gdrq_running_threshold t = fresh();
    double expected = 0;
    for (int i = 0; i < 40; ++i) {
        const double mean = 1 + .3 * i;
        gdrq_threshold_observe(&t, 4 * mean, 50);
        gdrq_threshold_commit(&t);
        const double rate = fmax(.1f, 1. / (i + 1));
        expected += rate * (4 * mean - expected);
        assert_float_equal(t.threshold, expected, 1e-4);
        assert_int_equal(t.moves, i + 1);
    }
}

/* All reads of one forward count together, weighted by their sizes, as one move. */
static void reads_of_one_forward_are_pooled(void **state) {
    (void)state;
    gdrq_running_threshold t = fresh();
    gdrq_threshold_observe(&t, 4 * 3, 10);
    gdrq_threshold_observe(&t, 4 * (1. / 3), 30);
    gdrq_threshold_commit(&t);
    assert_float_equal(t.threshold, 4 * 40. / 40, 1e-6);
    assert_int_equal(t.moves, 1);
    gdrq_threshold_commit(&t);
    assert_int_equal(t.moves, 1);
}

/* Takes effect at the commit, not at the observation; the first forward uses its first read. */
static void takes_effect_from_the_next_forward(void **state) {
    (void)state;
    gdrq_running_threshold t = fresh();
    assert_false(gdrq_threshold_is_set(&t));
    gdrq_threshold_start(&t, 8);
    assert_float_equal(t.threshold, 8, 1e-6);
    gdrq_threshold_observe(&t, 8, 10);
    gdrq_threshold_observe(&t, 16, 10);
    assert_float_equal(t.threshold, 8, 1e-6);
    gdrq_threshold_commit(&t);
    assert_true(gdrq_threshold_is_set(&t));
    assert_float_equal(t.threshold, 12, 1e-6);
    gdrq_threshold_start(&t, 400);
    assert_float_equal(t.threshold, 12, 1e-6);
}

/* Searched on a part of the tensor that reaches to its end, whatever its size is. */
static void search_sees_all_of_a_tensor(void **state) {
    (void)state;
    gdrq_running_threshold t = fresh();
    t.how = GDRQ_THRESHOLD_SEARCH;
    t.norm = 2;
    static const size_t sizes[] = {100, 8192, 8193, 12000, 16383, 16384, 30000, 32767, 100000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const size_t n = sizes[k];
        float *x = malloc(n * sizeof *x);
        /* Flat up to 1, and in the last quarter up to 10. */
        for (size_t i = 0; i < n; i++)
            x[i] = (float)((double)(i * 7919 % 1000) / 1000) * (4 * i >= 3 * n ? 10.f : 1.f);
        const float whole =
            gdrq_search_threshold(x, n, &(gdrq_grid_family){t.bits, t.range, t.slope}, t.norm);
        assert_true(whole > 5);
        assert_float_equal(gdrq_threshold_value(&t, x, n, 1), whole, .05 * whole);
        free(x);
    }
}

/* A learned T of 0, from a tensor of zeros, has no gradient: it is found anew. */
static void a_learned_zero_is_found_anew(void **state) {
    (void)state;
    gdrq_running_threshold t = fresh();
    t.how = GDRQ_THRESHOLD_LEARNED;
    assert_true(gdrq_threshold_follows(&t));
    gdrq_threshold_observe(&t, 0, 10);
    gdrq_threshold_commit(&t);
    assert_true(gdrq_threshold_is_set(&t) && gdrq_threshold_follows(&t));
    gdrq_threshold_observe(&t, 3, 10);
    gdrq_threshold_commit(&t);
    assert_float_equal(t.threshold, 3, 0);
    assert_false(gdrq_threshold_follows(&t));
}

static void not_finite_sums_are_left_out(void **state) {
    (void)state;
    gdrq_running_threshold t = fresh();
    gdrq_threshold_observe(&t, 4, 10);
    gdrq_threshold_observe(&t, NAN, 10);
    gdrq_threshold_observe(&t, INFINITY, 10);
    gdrq_threshold_commit(&t);
    assert_float_equal(t.threshold, 4, 1e-6);
}

static void pixels_never_move(void **state) {
    (void)state;
    gdrq_running_threshold t = fresh();
    t.bits = 8;
    t.fixed = true;
    t.threshold = 1;
    assert_true(gdrq_threshold_is_set(&t));
    gdrq_threshold_observe(&t, 4, 10);
    gdrq_threshold_commit(&t);
    assert_true(t.threshold == 1);
    const gdrq_grid g = gdrq_threshold_grid(&t);
    for (int code = 0; code < 256; ++code)
        assert_true(rintf((float)code / 255.f * g.inv_step) == (float)code);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_by_the_larger_of_two_rates),
        cmocka_unit_test(reads_of_one_forward_are_pooled),
        cmocka_unit_test(takes_effect_from_the_next_forward),
        cmocka_unit_test(search_sees_all_of_a_tensor),
        cmocka_unit_test(a_learned_zero_is_found_anew),
        cmocka_unit_test(not_finite_sums_are_left_out),
        cmocka_unit_test(pixels_never_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
