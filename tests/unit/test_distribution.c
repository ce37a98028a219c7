/* What quantising does to numbers, against a plain statement of it in double precision. */
#include <string.h>

#include "cmocka_all.h"
#include "quant/distribution.h"
#include "quant/quantise.h"
#include "random_data.h"

static const gdrq_range ranges[] = {GDRQ_RANGE_UNSIGNED, GDRQ_RANGE_SIGNED, GDRQ_RANGE_OFFSET};

/* Quantises n numbers and adds them. */
static bool add(gdrq_distribution *d, const float *x, size_t n, const gdrq_grid *grid) {
    float *codes = malloc((n ? n : 1) * sizeof *codes);
    gdrq_quantise(x, n, grid, true, codes);
    const bool good = gdrq_distribution_add(d, x, codes, n, grid);
    free(codes);
    return good;
}

/* The nearest level of the grid is what a number becomes, wherever it lies. */
static int nearest_code(double x, const gdrq_grid *grid) {
    int best = grid->min;
    for (int c = grid->min; c <= grid->max; ++c)
        if (fabs(x - c * (double)grid->step) < fabs(x - best * (double)grid->step))
            best = c;
    return best;
}

typedef struct truth {
    double squares, lost, n;
    size_t outside, codes[GDRQ_MOST_CODES];
} truth;

static void add_truth(truth *t, const float *x, size_t n, const gdrq_grid *grid) {
    for (size_t i = 0; i < n; ++i) {
        const int c = nearest_code(x[i], grid);
        const double error = x[i] - c * (double)grid->step;
        t->squares += (double)x[i] * x[i];
        t->lost += error * error;
        t->outside +=
            x[i] < grid->min * (double)grid->step || x[i] > grid->max * (double)grid->step;
        ++t->codes[c - grid->min];
    }
    t->n += (double)n;
}

static void check_against(const gdrq_distribution *d, const truth *t) {
    const int levels = d->max - d->min + 1;
    int used = 0;
    double distance = 0;
    for (int c = 0; c < levels; ++c) {
        used += t->codes[c] > 0;
        distance += .5 * fabs((double)t->codes[c] / t->n - 1. / levels);
        assert_int_equal(d->codes[c], t->codes[c]);
    }
    assert_true(fabs(gdrq_distribution_loss(d) - sqrt(t->lost / t->squares)) < 1e-9);
    assert_true(fabs(gdrq_distribution_clipped(d) - (double)t->outside / t->n) < 1e-12);
    assert_true(fabs(gdrq_distribution_distance(d) - distance) < 1e-12);
    assert_int_equal(gdrq_distribution_codes_used(d), used);
}

/* Groups with steps of their own, in all ranges and bits. */
static void numbers_are_those_of_double_precision(void **state) {
    (void)state;
    seed_random(401);
    for (int trial = 0; trial < random_cases(200); ++trial) {
        const int bits = random_int(2, 8), groups = random_int(1, 4);
        const gdrq_range range = ranges[random_int(0, 2)];
        gdrq_distribution d;
        truth t = {0};
        for (int g = 0; g < groups; ++g) {
            const size_t n = (size_t)random_int(1, 700);
            const gdrq_grid grid =
                gdrq_activation_grid(bits, range, .1f, (float)(.1 + 2 * random_unit()));
            float *x = random_array(n, (float)random_unit());
            if (g == 0)
                gdrq_distribution_start(&d, grid.min, grid.max);
            assert_true(add(&d, x, n, &grid));
            add_truth(&t, x, n, &grid);
            free(x);
        }
        check_against(&d, &t);
    }
}

static size_t sum_bins(const gdrq_distribution *d, double from, double to) {
    size_t sum = 0;
    for (int i = 0; i < d->n_bins; ++i)
        if (gdrq_distribution_bin(d, i) >= from && gdrq_distribution_bin(d, i + 1) <= to)
            sum += d->bins[i];
    return sum;
}

/* However many codes: every number is in a bin, on its side of 0 and of the grid's ends. */
static void bins_hold_all_numbers_where_they_are(void **state) {
    (void)state;
    seed_random(402);
    for (int bits = 2; bits <= 8; ++bits)
        for (int r = 0; r < 3; ++r) {
            const gdrq_grid grid = gdrq_activation_grid(bits, ranges[r], .1f, 1.f);
            gdrq_distribution d;
            gdrq_distribution_start(&d, grid.min, grid.max);
            float *x = random_array(1000, 1.5f);
            assert_true(add(&d, x, 1000, &grid));
            size_t positive = 0;
            for (int i = 0; i < 1000; ++i)
                positive += x[i] > 0;
            assert_int_equal(sum_bins(&d, -1e9, 1e9), 1000);
            assert_int_equal(sum_bins(&d, 0, 1e9), positive);
            assert_int_equal(sum_bins(&d, -1e9, grid.min), d.below);
            assert_int_equal(sum_bins(&d, grid.max, 1e9), d.above);
            assert_true(gdrq_distribution_bin(&d, 0) <= -GDRQ_BIN_THRESHOLDS * grid.max);
            assert_true(gdrq_distribution_bin(&d, d.n_bins) >= GDRQ_BIN_THRESHOLDS * grid.max);
            free(x);
        }
}

/* White is 1 = T, and 255 times the step, rounded, may lie above it. */
static void pixels_lose_nothing(void **state) {
    (void)state;
    const gdrq_grid grid = gdrq_activation_grid(8, GDRQ_RANGE_UNSIGNED, 0, 1.f);
    gdrq_distribution d;
    float x[256];
    for (int i = 0; i < 256; ++i)
        x[i] = (float)i / 255.f;
    gdrq_distribution_start(&d, grid.min, grid.max);
    assert_true(add(&d, x, 256, &grid));
    assert_true(gdrq_distribution_loss(&d) < 1e-6);
    assert_true(gdrq_distribution_clipped(&d) == 0);
    assert_int_equal(gdrq_distribution_codes_used(&d), 256);
    assert_true(gdrq_distribution_distance(&d) < 1e-12);
    assert_int_equal(sum_bins(&d, 0, 255), 256);
}

static void the_distance_goes_from_uniform_to_one_code(void **state) {
    (void)state;
    const gdrq_grid grid = gdrq_weight_grid(3, 3.f);
    const float uniform[] = {-3, -2, -1, 0, 1, 2, 3}, half[] = {-3, -2, -1, -3, -2, -1, 0};
    gdrq_distribution d;
    gdrq_distribution_start(&d, grid.min, grid.max);
    assert_true(add(&d, uniform, 7, &grid));
    assert_true(fabs(gdrq_distribution_distance(&d)) < 1e-12);
    gdrq_distribution_start(&d, grid.min, grid.max);
    assert_true(add(&d, half, 7, &grid));
    assert_true(fabs(gdrq_distribution_distance(&d) - 3. / 7) < 1e-12);
    gdrq_distribution_start(&d, grid.min, grid.max);
    assert_true(add(&d, half, 1, &grid));
    assert_true(fabs(gdrq_distribution_distance(&d) - 6. / 7) < 1e-12);
}

static void nothing_and_zeros_have_no_loss(void **state) {
    (void)state;
    const gdrq_grid grid = gdrq_weight_grid(4, 0.f);
    const float zeros[5] = {0};
    gdrq_distribution d = {0};
    assert_true(gdrq_distribution_loss(&d) == 0);
    gdrq_distribution_start(&d, grid.min, grid.max);
    assert_true(gdrq_distribution_loss(&d) == 0 && gdrq_distribution_clipped(&d) == 0);
    assert_true(gdrq_distribution_distance(&d) == 0 && gdrq_distribution_codes_used(&d) == 0);
    assert_true(add(&d, zeros, 5, &grid));
    assert_true(gdrq_distribution_loss(&d) == 0 && gdrq_distribution_clipped(&d) == 0);
    assert_int_equal(gdrq_distribution_codes_used(&d), 1);
}

static void what_is_not_finite_is_refused(void **state) {
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY}, codes[] = {1, NAN};
    for (int i = 0; i < 3; ++i) {
        gdrq_grid grid = gdrq_weight_grid(4, 1.f);
        const float x[] = {.5f, bad[i]};
        gdrq_distribution d;
        gdrq_distribution_start(&d, grid.min, grid.max);
        assert_false(gdrq_distribution_add(&d, x, codes, 2, &grid));
        grid.step = bad[i];
        assert_false(gdrq_distribution_add(&d, x, codes, 1, &grid));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_double_precision),
        cmocka_unit_test(bins_hold_all_numbers_where_they_are),
        cmocka_unit_test(pixels_lose_nothing),
        cmocka_unit_test(the_distance_goes_from_uniform_to_one_code),
        cmocka_unit_test(nothing_and_zeros_have_no_loss),
        cmocka_unit_test(what_is_not_finite_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
