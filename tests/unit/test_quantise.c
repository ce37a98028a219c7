/* Quantiser maths against double precision, and its corner cases. */
#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "cmocka_all.h"
#include "quant/gradient.h"
#include "quant/quantise.h"
#include "random_data.h"

/* T = 2 * mean|w| */
#define scaled(b) ((gdrq_weight_rule){.bits = (b), .threshold = GDRQ_THRESHOLD_SCALE, .k = 2})

static const gdrq_range RANGES[] = {GDRQ_RANGE_UNSIGNED, GDRQ_RANGE_SIGNED, GDRQ_RANGE_OFFSET};

/* Levels as design says: 2^b - 1 symmetric ones, 2^b in the other ranges; offset spans T and tail.
 */
static void grids_have_the_stated_codes(void **state) {
    (void)state;
    for (int bits = 2; bits <= 8; ++bits) {
        const int full = (1 << bits) - 1, half = (1 << (bits - 1)) - 1;
        const gdrq_grid w = gdrq_weight_grid(bits, 3.f);
        assert_int_equal(w.min, -half);
        assert_int_equal(w.max, half);
        const gdrq_grid u = gdrq_activation_grid(bits, GDRQ_RANGE_UNSIGNED, .1f, 3.f);
        assert_int_equal(u.min, 0);
        assert_int_equal(u.max, full);
        assert_int_equal(u.zero, 0);
        const gdrq_grid o = gdrq_activation_grid(bits, GDRQ_RANGE_OFFSET, .1f, 3.f);
        assert_int_equal(o.zero, (int)rint(.1f * full / 1.1));
        assert_int_equal(o.min, -o.zero);
        assert_int_equal(o.max, full - o.zero);
        for (int r = 0; r < 3; ++r) {
            const gdrq_grid g = gdrq_activation_grid(bits, RANGES[r], .1f, 3.f);
            assert_float_equal(g.step * (float)g.max, 3.f, 1e-6);
            assert_float_equal((double)g.step * g.inv_step, 1., 1e-6);
        }
    }
}

/* Half to even, computed in double: |x * inv_step| is exactly representable there. */
static double reference_code(float x, const gdrq_grid *g, bool round) {
    const float scaled = x * g->inv_step;
    double v = scaled;
    v = v < g->min ? g->min : v;
    v = v > g->max ? g->max : v;
    return round ? rint(v) : v;
}

static void codes_equal_double_precision(void **state) {
    (void)state;
    seed_random(1);
    for (int trial = 0; trial < 300; ++trial) {
        const int bits = random_int(2, 8), n = random_int(0, 5000);
        const gdrq_range range = RANGES[random_int(0, 2)];
        const gdrq_grid g = gdrq_activation_grid(bits, range, .1f, (float)(.01 + random_unit()));
        float *x = random_array((size_t)n, .7f), *codes = malloc(sizeof(float) * (size_t)(n + 1));
        codes[n] = 77;
        double sum = 0;
        for (int i = 0; i < n; ++i) {
            /* A third of the values lie exactly between two codes or on one. */
            if (i % 3 == 0)
                x[i] = g.step * .5f * (float)random_int(2 * g.min - 2, 2 * g.max + 2);
            sum += fabs((double)x[i]);
        }
        for (int round = 0; round < 2; ++round) {
            const double got = gdrq_quantise(x, (size_t)n, &g, round, codes);
            assert_true(fabs(got - sum) <= 1e-6 * sum);
            for (int i = 0; i < n; ++i)
                assert_true(codes[i] == reference_code(x[i], &g, round));
        }
        assert_true(codes[n] == 77);
        free(x);
        free(codes);
    }
}

static void ties_go_to_even(void **state) {
    (void)state;
    const gdrq_grid g = gdrq_weight_grid(4, 7.f);
    const float x[] = {.5f, 1.5f, 2.5f, -.5f, -1.5f, -2.5f, 6.5f, -6.5f, 7.5f, -100.f, 1e30f};
    const float expected[] = {0, 2, 2, 0, -2, -2, 6, -6, 7, -7, 7};
    float codes[11];
    gdrq_quantise(x, 11, &g, true, codes);
    for (int i = 0; i < 11; ++i)
        assert_true(codes[i] == expected[i]);
}

static void not_finite_values_show(void **state) {
    (void)state;
    const gdrq_grid g = gdrq_activation_grid(4, GDRQ_RANGE_OFFSET, .1f, 2.f);
    const float x[] = {NAN, INFINITY, -INFINITY, 1.f};
    float codes[4];
    const double sum = gdrq_quantise(x, 4, &g, true, codes);
    assert_true(isnan(sum));
    assert_true(isnan(codes[0]));
    assert_true(codes[1] == (float)g.max);
    assert_true(codes[2] == (float)g.min);
}

static void zeros_stay_zeros(void **state) {
    (void)state;
    float w[12] = {0}, codes[12], steps[3];
    gdrq_quantise_weights(w, 3, 4, &scaled(4), true, codes, steps);
    for (int i = 0; i < 12; ++i)
        assert_true(codes[i] == 0);
    for (int g = 0; g < 3; ++g)
        assert_true(steps[g] == 0);
}

/* All equal: T = k*|w| > |w|, and the code is that of 1/k of the range. One element likewise. */
static void equal_weights_and_single_ones(void **state) {
    (void)state;
    for (int n = 1; n <= 9; n += 4) {
        float w[9], codes[9], step;
        for (int i = 0; i < n; ++i)
            w[i] = -.37f;
        gdrq_quantise_weights(w, 1, (size_t)n, &scaled(8), true, codes, &step);
        assert_float_equal(step, 2 * .37f / 127, 1e-7);
        for (int i = 0; i < n; ++i)
            assert_true(codes[i] == -64 || codes[i] == -63);
    }
}

static void weight_groups_have_their_own_steps(void **state) {
    (void)state;
    seed_random(2);
    for (int trial = 0; trial < 100; ++trial) {
        const int groups = random_int(1, 9), size = random_int(1, 700), bits = random_int(2, 8);
        const size_t n = (size_t)groups * (size_t)size;
        float *w = random_array(n, .1f), *codes = malloc(n * sizeof(float)), steps[9];
        gdrq_quantise_weights(w, groups, (size_t)size, &scaled(bits), true, codes, steps);
        for (int g = 0; g < groups; ++g) {
            double sum = 0;
            for (int i = 0; i < size; ++i)
                sum += fabs((double)w[g * size + i]);
            const double t = 2 * sum / size, top = (1 << (bits - 1)) - 1;
            assert_true(fabs(steps[g] - t / top) <= 1e-6 * t);
            const gdrq_grid grid = gdrq_weight_grid(bits, steps[g] * (float)top);
            for (int i = 0; i < size; ++i) {
                const double exact = w[g * size + i] / (t / top);
                const double clipped = fmin(fmax(exact, grid.min), grid.max);
                assert_true(fabs(codes[g * size + i] - clipped) <= .5 + 1e-4);
                assert_true(codes[g * size + i] == rintf(codes[g * size + i]));
            }
        }
        free(w);
        free(codes);
    }
}

static void projection_clips_to_the_threshold(void **state) {
    (void)state;
    float w[] = {1, -1, 1, -9, .5f, .5f, .5f, .5f};
    gdrq_project_weights(w, 2, 4, 2.f);
    const float expected[] = {1, -1, 1, -6, .5f, .5f, .5f, .5f};
    for (int i = 0; i < 8; ++i)
        assert_float_equal(w[i], expected[i], 1e-6);
}

static void gradient_passes_inside_the_range_only(void **state) {
    (void)state;
    const gdrq_grid g = gdrq_activation_grid(4, GDRQ_RANGE_OFFSET, .1f, 14.f);
    const float x[] = {-1.5f, -1.f, 0, 14.f, 14.5f, NAN};
    const float dx[] = {1, 2, 3, 4, 5, 6};
    float delta[] = {10, 10, 10, 10, 10, 10};
    gdrq_add_straight_through(x, 6, &g, dx, delta);
    const float expected[] = {10, 12, 13, 14, 10, 10};
    for (int i = 0; i < 6; ++i)
        assert_true(delta[i] == expected[i]);
}

/* Sums and codes are the same bits for 1, 2 and 4 threads. */
static void threads_change_nothing(void **state) {
    (void)state;
    seed_random(3);
    const size_t n = 300001;
    float *x = random_array(n, 1.f), *codes = malloc(n * sizeof *codes),
          *again = malloc(n * sizeof *again);
    const gdrq_grid g = gdrq_activation_grid(4, GDRQ_RANGE_SIGNED, 0, 2.f);
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
    const double sum = gdrq_quantise(x, n, &g, true, codes), plain = gdrq_sum_abs(x, n);
    for (int threads = 2; threads <= 4; threads *= 2) {
        omp_set_num_threads(threads);
        assert_true(gdrq_quantise(x, n, &g, true, again) == sum);
        assert_true(gdrq_sum_abs(x, n) == plain);
        assert_memory_equal(codes, again, n * sizeof *codes);
    }
    omp_set_num_threads(before);
    assert_true(plain == sum);
    free(x);
    free(codes);
    free(again);
}

/* T and codes of weights as well, however the groups are divided among the threads. */
static void threads_change_no_weights(void **state) {
    (void)state;
    seed_random(4);
    static const struct {
        int groups;
        size_t size;
    } shapes[] = {{1, 200003}, {1, 700}, {3, 40001}, {70, 16500}, {512, 288}};
    const int before = omp_get_max_threads();
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; ++k) {
        const int groups = shapes[k].groups;
        const size_t size = shapes[k].size, n = (size_t)groups * size;
        float *w = random_array(n, .1f), *codes = malloc(n * sizeof *codes),
              *first = malloc(n * sizeof *first), *projected = malloc(n * sizeof *projected),
              steps[512], first_steps[512];
        for (int threads = 1; threads <= 4; threads *= 2) {
            omp_set_num_threads(threads);
            gdrq_quantise_weights(w, groups, size, &scaled(4), true, codes, steps);
            if (threads == 1) {
                memcpy(first, codes, n * sizeof *codes);
                memcpy(first_steps, steps, (size_t)groups * sizeof *steps);
            }
            assert_memory_equal(first, codes, n * sizeof *codes);
            assert_memory_equal(first_steps, steps, (size_t)groups * sizeof *steps);
            /* Clipped at what the largest codes stand for: the same T. */
            memcpy(projected, w, n * sizeof *w);
            gdrq_project_weights(projected, groups, size, 2.f);
            for (size_t i = 0; i < n; ++i) {
                const float limit = 7 * steps[i / size];
                if (fabsf(w[i]) < .999f * limit)
                    assert_true(projected[i] == w[i]);
                else
                    assert_true(fabsf(fabsf(projected[i]) - limit) <= 2e-3f * limit);
            }
        }
        free(w);
        free(codes);
        free(first);
        free(projected);
    }
    omp_set_num_threads(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grids_have_the_stated_codes),
        cmocka_unit_test(codes_equal_double_precision),
        cmocka_unit_test(ties_go_to_even),
        cmocka_unit_test(not_finite_values_show),
        cmocka_unit_test(zeros_stay_zeros),
        cmocka_unit_test(equal_weights_and_single_ones),
        cmocka_unit_test(weight_groups_have_their_own_steps),
        cmocka_unit_test(projection_clips_to_the_threshold),
        cmocka_unit_test(gradient_passes_inside_the_range_only),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(threads_change_no_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
