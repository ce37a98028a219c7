/*
 * Gradients of learned thresholds: against the formula in double precision, and against finite
 * differences of the function that straight-through rounding stands for.
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "cmocka_all.h"
#include "quant/gradient.h"
#include "random_data.h"

static const gdrq_range RANGES[] = {GDRQ_RANGE_UNSIGNED, GDRQ_RANGE_SIGNED, GDRQ_RANGE_OFFSET};

static gdrq_grid random_grid(void) {
    return gdrq_activation_grid(random_int(2, 8), RANGES[random_int(0, 2)], .1f,
                                (float)(.3 + random_unit()));
}

/* Q(x) for another step, the rounding's shift kept as it is at `grid`: straight through. */
static double quantised(double x, const gdrq_grid *grid, double step, bool round) {
    const double r = x / grid->step;
    if (r < grid->min || r > grid->max)
        return step * (r < grid->min ? grid->min : grid->max);
    return round ? x + step * (rint(r) - r) : x;
}

static void equals_finite_differences(void **state) {
    (void)state;
    seed_random(7);
    for (int trial = 0; trial < 300; ++trial) {
        const gdrq_grid g = random_grid();
        const int n = random_int(1, 6000);
        const bool round = trial % 2;
        float *x = random_array((size_t)n, .7f), *gradient = random_array((size_t)n, 1);
        const double eps = 1e-3 * g.step;
        double expected = 0, magnitude = 0;
        for (int i = 0; i < n; ++i) {
            const double slope = (quantised(x[i], &g, g.step + eps, round) -
                                  quantised(x[i], &g, g.step - eps, round)) /
                                 (2 * eps);
            expected += gradient[i] * slope;
            magnitude += fabs(gradient[i] * slope);
        }
        const double got = gdrq_step_gradient(x, (size_t)n, &g, round, gradient);
        assert_true(fabs(got - expected) <= 2e-5 * magnitude + 1e-6);
        free(x);
        free(gradient);
    }
}

static void threads_do_not_matter(void **state) {
    (void)state;
    seed_random(8);
    const size_t n = 70001;
    const gdrq_grid g = gdrq_weight_grid(4, 1);
    float *x = random_array(n, 1), *gradient = random_array(n, 1);
    omp_set_num_threads(1);
    const double one = gdrq_step_gradient(x, n, &g, true, gradient);
    omp_set_num_threads(2);
    assert_true(gdrq_step_gradient(x, n, &g, true, gradient) == one);
    free(x);
    free(gradient);
}

/* LSQ's scale of the step's gradient, 1/sqrt(n*Q), times Q for T's moves being Q times a step's. */
static void scale_is_that_of_lsq(void **state) {
    (void)state;
    assert_float_equal(gdrq_threshold_gradient_scale(7, 144), 7 / sqrt(7. * 144), 1e-6);
}

static void mask_keeps_what_is_in_range(void **state) {
    (void)state;
    const gdrq_grid g = gdrq_weight_grid(4, 1);
    const float x[] = {-1.01f, -1, 0, .5f, 1, 1.01f, NAN};
    float gradient[] = {1, 2, 3, 4, 5, 6, 7};
    const float expected[] = {0, 2, 3, 4, 5, 0, 0};
    gdrq_mask_gradient(x, 7, &g, gradient);
    for (int i = 0; i < 7; ++i)
        assert_true(gradient[i] == expected[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_finite_differences),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(scale_is_that_of_lsq),
        cmocka_unit_test(mask_keeps_what_is_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
