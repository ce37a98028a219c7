/* Thresholds that lose least: the loss against double precision, the search against all T. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "cmocka_all.h"
#include "quant/histogram.h"
#include "quant/search.h"
#include "random_data.h"

static const gdrq_range RANGES[] = {GDRQ_RANGE_UNSIGNED, GDRQ_RANGE_SIGNED, GDRQ_RANGE_OFFSET};

/* Sum of |x - Q(x)|^p in the values' own units. */
static double true_loss(const float *x, const double *counts, int n, const gdrq_grid_family *f,
                        double threshold, int norm) {
    const gdrq_grid g = gdrq_activation_grid(f->bits, f->range, f->slope, (float)threshold);
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        const double code = fmin(fmax(rint((double)x[i] / g.step), g.min), g.max);
        sum += (counts ? counts[i] : 1) * pow(fabs(x[i] - g.step * code), norm);
    }
    return sum;
}

static gdrq_grid_family random_family(void) {
    return (gdrq_grid_family){random_int(2, 8), RANGES[random_int(0, 2)], .1f};
}

/* Bell-shaped, or half of them zeros as behind relu, or with a small negative tail. */
static float *random_values(int n, gdrq_range range) {
    float *x = random_array((size_t)n, .3f);
    for (int i = 0; i < n; ++i)
        if (range != GDRQ_RANGE_SIGNED && x[i] < 0)
            x[i] *= range == GDRQ_RANGE_OFFSET ? .1f : 0.f;
    return x;
}

static void loss_equals_double_precision(void **state) {
    (void)state;
    seed_random(2);
    for (int trial = 0; trial < 200; ++trial) {
        const gdrq_grid_family f = random_family();
        const int n = random_int(1, 5000), norm = random_int(1, GDRQ_MAX_NORM);
        const float threshold = (float)(.05 + random_unit());
        float *x = random_values(n, f.range);
        const gdrq_grid g = gdrq_activation_grid(f.bits, f.range, f.slope, threshold);
        const double expected = true_loss(x, NULL, n, &f, threshold, norm);
        const double got = gdrq_quantised_loss(x, (size_t)n, &g, norm) * pow(g.step, norm);
        /* A value halfway between two codes may fall to either; its error is the same. */
        assert_true(fabs(got - expected) <= 1e-4 * expected + 1e-12);
        free(x);
    }
}

/* No T on a fine scale, from 1/256 of the largest value on, loses less by more than 4 %. */
static void search_finds_the_least_loss(void **state) {
    (void)state;
    seed_random(3);
    for (int trial = 0; trial < 60; ++trial) {
        const gdrq_grid_family f = random_family();
        const int n = random_int(200, 3000), norm = random_int(1, GDRQ_MAX_NORM);
        float *x = random_values(n, f.range);
        const float threshold = gdrq_search_threshold(x, (size_t)n, &f, norm);
        assert_true(threshold > 0);
        double least = INFINITY;
        for (double t = 4; t > 4. / 256; t *= .995)
            least = fmin(least, true_loss(x, NULL, n, &f, t, norm));
        const double found = true_loss(x, NULL, n, &f, threshold, norm);
        if (pow(found, 1. / norm) > 1.04 * pow(least, 1. / norm))
            fail_msg("%d bits, range %d, norm %d: loss %g at T = %g, the least is %g", f.bits,
                     (int)f.range, norm, found, (double)threshold, least);
        free(x);
    }
}

/* Values on a grid: T is that grid's (or a finer one's that contains it), nothing is lost. */
static void what_is_on_a_grid_loses_nothing(void **state) {
    (void)state;
    float x[15];
    for (int i = 0; i < 15; ++i)
        x[i] = .25f * (float)(i - 7);
    const gdrq_grid_family f = {4, GDRQ_RANGE_SIGNED, 0};
    assert_true(gdrq_search_threshold(x, 15, &f, 2) == 1.75f);
}

/* One value 1000 or 10,000 times as large as all others costs less when it is clipped. */
static void outliers_do_not_hide_the_rest(void **state) {
    (void)state;
    seed_random(9);
    const int n = 50000;
    const gdrq_grid_family f = {4, GDRQ_RANGE_SIGNED, 0};
    for (float outlier = 1e3f; outlier < 2e4f; outlier *= 10) {
        float *x = random_array((size_t)n, 1);
        x[n / 2] = outlier;
        const float threshold = gdrq_search_threshold(x, (size_t)n, &f, 1);
        assert_true(true_loss(x, NULL, n, &f, threshold, 1) <
                    1.04 * true_loss(x, NULL, n, &f, 2.7, 1));
        free(x);
    }
}

/* Where a step would not be a normal number there is no grid to lose nothing on. */
static void tiny_values_are_no_zeros(void **state) {
    (void)state;
    float x[20];
    for (int i = 0; i < 20; ++i)
        x[i] = (float)i * 3.2e-37f;
    const gdrq_grid_family f = {4, GDRQ_RANGE_UNSIGNED, 0};
    const float threshold = gdrq_search_threshold(x, 20, &f, 2);
    assert_true(gdrq_activation_grid(4, GDRQ_RANGE_UNSIGNED, 0, threshold).step > 0);
}

static void zeros_and_nothing_have_no_threshold(void **state) {
    (void)state;
    const gdrq_grid_family f = {4, GDRQ_RANGE_UNSIGNED, 0};
    const float zeros[3] = {0}, negative[2] = {-1, -2};
    assert_true(gdrq_search_threshold(zeros, 3, &f, 2) == 0);
    assert_true(gdrq_search_threshold(zeros, 0, &f, 2) == 0);
    /* Unsigned codes hold nothing of these, whatever T is. */
    assert_true(gdrq_search_threshold(negative, 2, &f, 2) == 0);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    seed_random(4);
    const int n = 100000;
    float *x = random_array((size_t)n, 1);
    const gdrq_grid_family f = {4, GDRQ_RANGE_SIGNED, 0};
    const gdrq_grid g = gdrq_weight_grid(4, 1);
    double loss[2];
    float threshold[2];
    for (int i = 0; i < 2; ++i) {
        omp_set_num_threads(i + 1);
        loss[i] = gdrq_quantised_loss(x, (size_t)n, &g, 2);
        threshold[i] = gdrq_search_threshold(x, (size_t)n, &f, 2);
    }
    assert_true(loss[0] == loss[1]);
    assert_true(threshold[0] == threshold[1]);
    free(x);
}

static gdrq_histogram *histogram_of(const float *x, int n) {
    gdrq_histogram *h = calloc(1, sizeof *h);
    /* In parts of any size. */
    for (int i = 0; i < n;) {
        const int part = random_int(1, n - i);
        gdrq_histogram_add(h, x + i, (size_t)part, 1);
        i += part;
    }
    return h;
}

/* As if all values were there, but for the bins' width of 1/128. */
static void histograms_find_what_the_values_give(void **state) {
    (void)state;
    seed_random(5);
    for (int trial = 0; trial < 30; ++trial) {
        const gdrq_grid_family f = random_family();
        const int n = random_int(500, 4000), norm = random_int(1, GDRQ_MAX_NORM);
        float *x = random_values(n, f.range);
        gdrq_histogram *h = histogram_of(x, n);
        assert_int_equal(h->total, n);
        const double by_values =
            true_loss(x, NULL, n, &f, gdrq_search_threshold(x, (size_t)n, &f, norm), norm);
        const double by_counts =
            true_loss(x, NULL, n, &f, gdrq_histogram_search(h, &f, norm), norm);
        assert_true(pow(by_counts, 1. / norm) < 1.04 * pow(by_values, 1. / norm));
        free(h);
        free(x);
    }
}

static int by_value(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* The one of n sorted values that `share` of them are not above. */
static double sorted_percentile(float *x, int n, double share) {
    if (!n)
        return 0;
    qsort(x, (size_t)n, sizeof *x, by_value);
    const int at = (int)ceil(share * n - 1e-9) - 1;
    return x[at < 0 ? 0 : at];
}

/* By all values of which the range has codes and, in an offset one, by those below 0. */
static double true_percentile(const float *x, int n, const gdrq_grid_family *f, double share) {
    const gdrq_grid g = gdrq_activation_grid(f->bits, f->range, f->slope, 1);
    float *all = random_array((size_t)n, 1), *below = random_array((size_t)n, 1);
    int n_all = 0, n_below = 0;
    for (int i = 0; i < n; ++i) {
        if (x[i] > 0 || g.min < 0)
            all[n_all++] = fabsf(x[i]);
        if (x[i] < 0 && f->range == GDRQ_RANGE_OFFSET)
            below[n_below++] = -x[i];
    }
    const double clipped = fmin((1 - share) / (f->slope * f->slope), .1);
    const double of_all = sorted_percentile(all, n_all, share);
    const double of_below = sorted_percentile(below, n_below, 1 - clipped);
    free(all);
    free(below);
    return g.min < 0 ? fmax(of_all, of_below * g.max / -g.min) : of_all;
}

static void percentiles_equal_the_sorted_values(void **state) {
    (void)state;
    seed_random(6);
    for (int trial = 0; trial < 150; ++trial) {
        const gdrq_grid_family f = {random_int(2, 8), RANGES[trial % 3], .1f};
        const int n = random_int(1, 3000);
        float *x = random_values(n, f.range);
        gdrq_histogram *h = histogram_of(x, n);
        const double shares[] = {.5, .9, .9991, 1};
        for (int i = 0; i < 4; ++i) {
            const double expected = true_percentile(x, n, &f, shares[i]);
            assert_float_equal(gdrq_histogram_percentile(h, &f, shares[i]), expected,
                               expected / 128);
        }
        free(h);
        free(x);
    }
}

/* Behind a leaky layer most values are negative, and the grid reaches a tenth as far down as up. */
static void percentiles_clip_little_below_zero(void **state) {
    (void)state;
    seed_random(11);
    enum { N = 20000 };
    const gdrq_grid_family f = {8, GDRQ_RANGE_OFFSET, .1f};
    float *x = random_array(N, 1);
    for (int i = 0; i < N; ++i)
        x[i] = x[i] - 1.5f < 0 ? .1f * (x[i] - 1.5f) : x[i] - 1.5f;
    gdrq_histogram *h = histogram_of(x, N);
    const gdrq_grid g =
        gdrq_activation_grid(f.bits, f.range, f.slope, gdrq_histogram_percentile(h, &f, .9999));
    int below = 0, clipped = 0;
    for (int i = 0; i < N; ++i) {
        below += x[i] < 0;
        clipped += x[i] * g.inv_step < (float)g.min;
        assert_true(x[i] * g.inv_step <= (float)g.max);
    }
    assert_float_equal(clipped / (double)below, .01, .003);
    free(h);
    free(x);
}

/* As behind relu, where no value is below 0. */
static const gdrq_grid_family UNSIGNED = {8, GDRQ_RANGE_UNSIGNED, 0};

/* Behind relu most values are 0, and none of them is ever clipped. */
static void percentiles_are_those_of_what_is_not_zero(void **state) {
    (void)state;
    float x[1000] = {0};
    for (int i = 0; i < 100; ++i)
        x[i] = (float)(i + 1);
    gdrq_histogram *h = histogram_of(x, 1000);
    assert_float_equal(gdrq_histogram_percentile(h, &UNSIGNED, .5), 50, .4);
    assert_float_equal(gdrq_histogram_percentile(h, &UNSIGNED, 1), 100, .8);
    free(h);
}

/* Sums of fractions, which are rounded. */
static void the_highest_percentile_is_the_highest_value(void **state) {
    (void)state;
    seed_random(10);
    for (int trial = 0; trial < 50; trial++) {
        gdrq_histogram *h = calloc(1, sizeof *h);
        assert_non_null(h);
        float highest = 0;
        for (int i = random_int(1, 40); i > 0; i--) {
            const float x = (float)random_unit() + .01f;
            highest = x > highest ? x : highest;
            gdrq_histogram_add(h, &x, 1, random_unit() / 3);
        }
        assert_true(fabs(gdrq_histogram_percentile(h, &UNSIGNED, 1) / highest - 1) < 1. / 128);
        free(h);
    }
}

/* However much zeros count: those of a channel that a convolution makes much of and relu none. */
static void zeros_drown_nothing(void **state) {
    (void)state;
    gdrq_histogram *h = calloc(1, sizeof *h);
    assert_non_null(h);
    const float zero[100] = {0}, x[] = {1, 2, 3, 4};
    gdrq_histogram_add(h, zero, 100, 1e18);
    gdrq_histogram_add(h, x, 4, .01);
    assert_float_equal(gdrq_histogram_percentile(h, &UNSIGNED, .5), 2, 2. / 128);
    assert_float_equal(gdrq_histogram_percentile(h, &UNSIGNED, 1), 4, 4. / 128);
    free(h);
}

static void histograms_leave_out_what_is_not_finite(void **state) {
    (void)state;
    const float x[] = {NAN, INFINITY, -INFINITY, 1, 0, -0.f};
    gdrq_histogram *h = calloc(1, sizeof *h);
    assert_true(gdrq_histogram_percentile(h, &UNSIGNED, .5) == 0);
    gdrq_histogram_add(h, x, 6, 1);
    assert_int_equal(h->total, 3);
    assert_float_equal(gdrq_histogram_percentile(h, &UNSIGNED, .5), 1, 1. / 128);
    assert_float_equal(gdrq_histogram_percentile(h, &UNSIGNED, 1), 1, 1. / 128);
    free(h);
}

/* Of zeros and negative ones, too, and of all alike, however much they weigh. */
static void the_mean_is_of_all_magnitudes(void **state) {
    (void)state;
    gdrq_histogram *h = calloc(1, sizeof *h);
    const float light[] = {0, -0.f, 1, -2}, heavy[] = {1e-42f, -5, NAN, INFINITY};
    assert_true(gdrq_histogram_mean(h) == 0);
    gdrq_histogram_add(h, light, 4, .01);
    gdrq_histogram_add(h, heavy, 4, 1000);
    assert_float_equal(gdrq_histogram_mean(h), 8. / 6, 1e-9);
    free(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_equals_double_precision),
        cmocka_unit_test(search_finds_the_least_loss),
        cmocka_unit_test(what_is_on_a_grid_loses_nothing),
        cmocka_unit_test(outliers_do_not_hide_the_rest),
        cmocka_unit_test(tiny_values_are_no_zeros),
        cmocka_unit_test(zeros_and_nothing_have_no_threshold),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(histograms_find_what_the_values_give),
        cmocka_unit_test(percentiles_equal_the_sorted_values),
        cmocka_unit_test(percentiles_clip_little_below_zero),
        cmocka_unit_test(percentiles_are_those_of_what_is_not_zero),
        cmocka_unit_test(the_highest_percentile_is_the_highest_value),
        cmocka_unit_test(zeros_drown_nothing),
        cmocka_unit_test(histograms_leave_out_what_is_not_finite),
        cmocka_unit_test(the_mean_is_of_all_magnitudes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
