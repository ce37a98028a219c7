/* The kernels of quant/cuda against the portable functions: codes are equal to the bit, given the
   same thresholds; sums to what adding floats in another order costs. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "guarded_array.h"
#include "quant/cuda/gradient.h"

extern "C" {
#include "quant/gradient.h"
#include "quant/quantise.h"
}
#include "random_values.h"

static gdrq_error err;

static void assert_near(double got, double expected, double tolerance, const char *what) {
    assert_near(got, expected, tolerance, 1e-9, what);
}

static void assert_same(const std::vector<float> &got, const std::vector<float> &expected,
                        const char *what) {
    for (size_t i = 0; i < got.size(); ++i)
        if (memcmp(&got[i], &expected[i], sizeof(float)) != 0)
            fail_msg("%s[%zu]: %.9g instead of %.9g", what, i, (double)got[i], (double)expected[i]);
}

/* ---- weights ---- */

static const struct {
    int groups;
    size_t group_size;
} WEIGHTS[] = {{1, 1}, {3, 5}, {7, 27}, {16, 256}, {2, 1000}, {1, 16385}, {2, 40000}};

struct weights_on_gpu {
    std::vector<float> values;
    device_array<float> weights, codes, steps, used;
    device_array<double> sums;
    device_array<char> search_room;
    gdrq_cuda_groups groups;
    gdrq_cuda_weight_codes to;

    weights_on_gpu(int n, size_t size)
        : values(random_values((size_t)n * size, .3f)), weights(values), codes(values.size()),
          steps((size_t)n), used(values.size()), sums(gdrq_cuda_group_sums(n, size)),
          search_room(gdrq_cuda_search_room(n, size)), groups{n, size, sums}, to{codes, steps,
                                                                                 used} {
    }
    gdrq_status search(const gdrq_cuda_search &how, float *found) {
        gdrq_cuda_search with_room = how;
        with_room.room = search_room;
        return gdrq_cuda_search_weights(&groups, weights, &with_room, found, &err);
    }
};

/* Whether the codes are those of a T with this step: of all T within 2 units of its last place, as
   the inverse of the step comes from T itself. */
static bool are_codes_of(const float *x, const float *codes, size_t n, int bits, float step,
                         bool round) {
    std::vector<float> expected(n);
    float threshold = step * (float)gdrq_weight_grid(bits, 1).max;
    threshold = nextafterf(nextafterf(threshold, 0), 0);
    for (int k = 0; k < 5; ++k, threshold = nextafterf(threshold, INFINITY)) {
        const gdrq_grid grid = gdrq_weight_grid(bits, threshold);
        gdrq_quantise(x, n, &grid, round, expected.data());
        if (grid.step == step && !memcmp(expected.data(), codes, n * sizeof(float)))
            return true;
    }
    return false;
}

/* T's own sums may differ in their last bits; the codes that follow from the T at hand may not. */
static void weights_are_quantised_by_their_mean(void **) {
    for (const auto &c : WEIGHTS)
        for (int bits = 2; bits <= 8; bits += 2)
            for (int round = 0; round < 2; ++round) {
                weights_on_gpu w(c.groups, c.group_size);
                ASSERT_OK(gdrq_cuda_quantise_weights(&w.groups, w.weights, bits, 2.5f, nullptr,
                                                     round, &w.to, &err));
                const std::vector<float> steps = w.steps.pull(), codes = w.codes.pull();
                for (int g = 0; g < c.groups; ++g) {
                    const float *x = &w.values[g * c.group_size];
                    double sum = 0;
                    for (size_t i = 0; i < c.group_size; ++i)
                        sum += fabs((double)x[i]);
                    const double mean = sum / (double)c.group_size;
                    assert_near(steps[g], gdrq_weight_grid(bits, (float)(2.5 * mean)).step, 1e-6,
                                "step");
                    assert_true(are_codes_of(x, &codes[g * c.group_size], c.group_size, bits,
                                             steps[g], round));
                }
            }
}

static void weights_are_quantised_by_given_thresholds(void **) {
    for (const auto &c : WEIGHTS)
        for (int bits = 2; bits <= 8; ++bits) {
            weights_on_gpu w(c.groups, c.group_size);
            std::vector<float> thresholds(c.groups), codes(w.values.size()), steps(c.groups);
            for (float &t : thresholds)
                t = random_int(0, 5) ? .1f + (float)random_unit() : 2e-38f;
            thresholds[0] = .4f;
            device_array<float> on_gpu(thresholds);
            const gdrq_weight_rule rule = {bits, GDRQ_THRESHOLD_LEARNED, 2,
                                           2,    thresholds.data(),      nullptr};
            gdrq_quantise_weights(w.values.data(), c.groups, c.group_size, &rule, true,
                                  codes.data(), steps.data());
            ASSERT_OK(gdrq_cuda_quantise_weights(&w.groups, w.weights, bits, 2, on_gpu, true, &w.to,
                                                 &err));
            assert_same(w.steps.pull(), steps, "step");
            assert_same(w.codes.pull(), codes, "code");
            for (size_t i = 0; i < codes.size(); ++i)
                codes[i] *= steps[i / c.group_size];
            assert_same(w.used.pull(), codes, "value");
        }
}

static void nan_stays_nan(void **) {
    weights_on_gpu w(1, 40);
    w.values[3] = NAN;
    w.weights.push(w.values);
    const std::vector<float> threshold = {.5f};
    device_array<float> on_gpu(threshold);
    ASSERT_OK(gdrq_cuda_quantise_weights(&w.groups, w.weights, 4, 2, on_gpu, true, &w.to, &err));
    const std::vector<float> codes = w.codes.pull();
    for (size_t i = 0; i < codes.size(); ++i)
        assert_int_equal(isnan(codes[i]), i == 3);
}

static void weights_are_projected(void **) {
    for (const auto &c : WEIGHTS) {
        weights_on_gpu w(c.groups, c.group_size);
        std::vector<float> expected = w.values;
        gdrq_project_weights(expected.data(), c.groups, c.group_size, 1.5f);
        ASSERT_OK(gdrq_cuda_project_weights(&w.groups, w.weights, 1.5f, &err));
        const std::vector<float> got = w.weights.pull();
        for (size_t i = 0; i < got.size(); ++i)
            assert_near(got[i], expected[i], 1e-6, "projected weight");
    }
}

/* Where two T lose nearly the same, either may be found: what counts is the loss. */
static void check_found(const float *x, size_t n, int norm, float found) {
    const gdrq_grid_family family = {4, GDRQ_RANGE_SIGNED, 0};
    const float best = gdrq_search_threshold(x, n, &family, norm);
    const gdrq_grid of_found = gdrq_weight_grid(4, found), of_best = gdrq_weight_grid(4, best);
    assert_near(gdrq_quantised_loss(x, n, &of_found, norm) * pow(of_found.step, norm),
                gdrq_quantised_loss(x, n, &of_best, norm) * pow(of_best.step, norm), 1e-3, "loss");
}

static void weights_are_searched(void **) {
    for (int norm = 1; norm <= GDRQ_MAX_NORM; ++norm)
        for (const auto &c : WEIGHTS) {
            weights_on_gpu w(c.groups, c.group_size);
            std::fill(w.values.begin(), w.values.begin() + (c.groups > 1 ? c.group_size : 0), 0.f);
            w.weights.push(w.values);
            device_array<float> thresholds(c.groups);
            device_array<uint64_t> prints(c.groups);
            for (int some_known = 0; some_known < 2; ++some_known) {
                std::vector<float> known(c.groups, 0.f);
                known[c.groups - 1] = some_known ? .123f : 0;
                thresholds.push(known);
                ASSERT_OK(w.search(
                    {4, norm, some_known ? (float *)thresholds : nullptr, false, prints, nullptr},
                    thresholds));
                const std::vector<float> found = thresholds.pull();
                for (int g = 0; g < c.groups; ++g)
                    if (known[g] > 0)
                        assert_true(found[g] == known[g]);
                    else if (g == 0 && c.groups > 1)
                        assert_true(found[g] == 0); /* all are 0 */
                    else
                        check_found(&w.values[g * c.group_size], c.group_size, norm, found[g]);
            }
        }
}

/* The T of weights that are the same is not searched again: it stays whatever it is. */
static void check_that_searched_thresholds_stay(size_t group_size) {
    const int groups = 3;
    weights_on_gpu w(groups, group_size);
    device_array<float> found(groups);
    device_array<uint64_t> prints(groups);
    gdrq_cuda_search how = {4, 2, nullptr, false, prints, nullptr};
    ASSERT_OK(w.search(how, found));
    const std::vector<float> first = found.pull(), marks = {7, 8, 9};
    found.push(marks);
    how.reuses = true;
    ASSERT_OK(w.search(how, found));
    assert_same(found.pull(), marks, "T that stays");
    std::swap(w.values[group_size + 10],
              w.values[group_size + 11]); /* the T that loses least is the same, but who knows */
    w.weights.push(w.values);
    ASSERT_OK(w.search(how, found));
    std::vector<float> now = found.pull();
    assert_true(now[0] == 7 && now[2] == 9);
    assert_near(now[1], first[1], 1e-3, "T of the group that changed");
    how.bits = 3;
    ASSERT_OK(w.search(how, found));
    now = found.pull();
    assert_true(now[0] != 7 && now[1] != first[1] && now[2] != 9);
    found.push(marks);
    how.reuses = false;
    ASSERT_OK(w.search(how, found));
    assert_same(found.pull(), now, "T that is searched anew");
}

static void searched_thresholds_stay_while_weights_do(void **) {
    check_that_searched_thresholds_stay(300);
    check_that_searched_thresholds_stay(20000);
}

/* ---- activations ---- */

struct input_on_gpu {
    device_array<gdrq_running_threshold> threshold;
    device_array<gdrq_grid> grid;
    device_array<double> sums;
    gdrq_cuda_input in;

    explicit input_on_gpu(const gdrq_running_threshold &t)
        : threshold(std::vector<gdrq_running_threshold>{t}), grid(1),
          sums(GDRQ_CUDA_SUMS), in{threshold, grid, sums} {
    }
    gdrq_running_threshold pull_threshold() {
        return threshold.pull()[0];
    }
};

static gdrq_running_threshold new_threshold(gdrq_threshold how, gdrq_range range) {
    gdrq_running_threshold t;
    memset(&t, 0, sizeof t);
    t.bits = 4;
    t.range = range;
    t.slope = .1f;
    t.how = how;
    t.k = 3;
    t.momentum = .1f;
    t.norm = 2;
    return t;
}

static const size_t SIZES[] = {1, 31, 257, 5000, 70001};

/* One forward of the portable functions, as quantised_layer.c has it. */
static void forward(gdrq_running_threshold *t, const std::vector<float> &x, bool train, bool round,
                    float *codes, gdrq_grid *grid) {
    gdrq_threshold_commit(t);
    const bool observe = train && gdrq_threshold_follows(t);
    if (observe && !gdrq_threshold_is_set(t))
        gdrq_threshold_start(
            t, gdrq_threshold_value(t, x.data(), x.size(), gdrq_sum_abs(x.data(), x.size())));
    *grid = gdrq_threshold_grid(t);
    const double sum = gdrq_quantise(x.data(), x.size(), grid, round, codes);
    if (observe)
        gdrq_threshold_observe(t, gdrq_threshold_value(t, x.data(), x.size(), sum), x.size());
}

/*
 * T as the portable functions move it, over some forwards; the codes equal to the bit with the grid
 * that the kernels have at hand.
 */
static void check_forwards(gdrq_threshold how, gdrq_range range, size_t n) {
    gdrq_running_threshold t = new_threshold(how, range);
    input_on_gpu on_gpu(t);
    device_array<float> codes(n);
    for (int step = 0; step < 4; ++step) {
        const std::vector<float> x = random_values(n, 1.f + (float)step);
        const bool train = step != 2, round = step != 1;
        device_array<float> x_on_gpu(x);
        std::vector<float> expected(n);
        gdrq_grid grid;
        forward(&t, x, train, round, expected.data(), &grid);
        const gdrq_cuda_observing observing = {true, train, false};
        ASSERT_OK(gdrq_cuda_quantise_input(&on_gpu.in, x_on_gpu, n, observing, round, codes, &err));
        const gdrq_grid got = on_gpu.grid.pull()[0];
        const double tolerance = how == GDRQ_THRESHOLD_SCALE ? 2e-6 : 2e-2;
        assert_near(got.step, grid.step, tolerance, "step");
        assert_int_equal(got.min, grid.min);
        assert_int_equal(got.max, grid.max);
        gdrq_quantise(x.data(), n, &got, round, expected.data());
        assert_same(codes.pull(), expected, "code");
        const gdrq_running_threshold moved = on_gpu.pull_threshold();
        assert_int_equal(moved.moves, t.moves);
        assert_near(moved.threshold, t.threshold, tolerance, "T");
        assert_near(moved.pending_sum, t.pending_sum, tolerance, "what was observed");
        assert_true(moved.pending_count == t.pending_count);
    }
}

static void thresholds_of_inputs_move(void **) {
    for (size_t n : SIZES) {
        check_forwards(GDRQ_THRESHOLD_SCALE, GDRQ_RANGE_UNSIGNED, n);
        check_forwards(GDRQ_THRESHOLD_SCALE, GDRQ_RANGE_SIGNED, n);
        check_forwards(GDRQ_THRESHOLD_SCALE, GDRQ_RANGE_OFFSET, n);
    }
}

static void thresholds_of_inputs_are_searched(void **) {
    check_forwards(GDRQ_THRESHOLD_SEARCH, GDRQ_RANGE_SIGNED, 5000);
    check_forwards(GDRQ_THRESHOLD_SEARCH, GDRQ_RANGE_OFFSET, 20001);
    check_forwards(GDRQ_THRESHOLD_LEARNED, GDRQ_RANGE_UNSIGNED, 3000);
}

static void fixed_thresholds_stay(void **) {
    gdrq_running_threshold t = new_threshold(GDRQ_THRESHOLD_SCALE, GDRQ_RANGE_UNSIGNED);
    t.fixed = true;
    t.threshold = 1;
    input_on_gpu on_gpu(t);
    const std::vector<float> x = random_values(300, 1);
    device_array<float> x_on_gpu(x), codes(x.size());
    for (int step = 0; step < 2; ++step)
        ASSERT_OK(gdrq_cuda_quantise_input(&on_gpu.in, x_on_gpu, x.size(), {true, true, true}, true,
                                           codes, &err));
    const gdrq_running_threshold after = on_gpu.pull_threshold();
    assert_true(after.threshold == 1 && after.moves == 0 && after.pending_count == 0);
}

/* A second layer that reads the tensor adds to what moves T, and uses the T of this forward. */
static void readers_of_a_tensor_share_its_threshold(void **) {
    gdrq_running_threshold t = new_threshold(GDRQ_THRESHOLD_SCALE, GDRQ_RANGE_SIGNED);
    input_on_gpu on_gpu(t);
    device_array<gdrq_grid> other_grid(1);
    const gdrq_cuda_input other = {on_gpu.threshold, other_grid, on_gpu.sums};
    const std::vector<float> x = random_values(100, 1), y = random_values(400, 2);
    device_array<float> x_on_gpu(x), y_on_gpu(y), codes(400);
    ASSERT_OK(gdrq_cuda_quantise_input(&on_gpu.in, x_on_gpu, 100, {true, true, false}, true, codes,
                                       &err));
    ASSERT_OK(
        gdrq_cuda_quantise_input(&other, y_on_gpu, 400, {false, true, false}, true, codes, &err));
    assert_true(on_gpu.grid.pull()[0].step == other_grid.pull()[0].step);
    gdrq_running_threshold moved = on_gpu.pull_threshold();
    assert_int_equal(moved.moves, 0);
    const double of_x = 3 * gdrq_sum_abs(x.data(), 100) / 100,
                 of_y = 3 * gdrq_sum_abs(y.data(), 400) / 400;
    gdrq_threshold_commit(&moved);
    assert_near(moved.threshold, (100 * of_x + 400 * of_y) / 500, 2e-6, "T");
}

/* A batch of NaNs must not become T for ever. */
static void nan_inputs_do_not_move_thresholds(void **) {
    input_on_gpu on_gpu(new_threshold(GDRQ_THRESHOLD_SCALE, GDRQ_RANGE_SIGNED));
    std::vector<float> x = random_values(100, 1);
    device_array<float> x_on_gpu(std::vector<float>(100, NAN)), codes(100);
    const gdrq_cuda_observing training = {true, true, false};
    ASSERT_OK(gdrq_cuda_quantise_input(&on_gpu.in, x_on_gpu, 100, training, true, codes, &err));
    x_on_gpu.push(x);
    ASSERT_OK(gdrq_cuda_quantise_input(&on_gpu.in, x_on_gpu, 100, training, true, codes, &err));
    assert_near(on_gpu.grid.pull()[0].step, 3 * gdrq_sum_abs(x.data(), 100) / 100 / 7, 2e-6,
                "step");
}

/* ---- gradients ---- */

static void gradients_pass_straight_through(void **) {
    for (size_t n : SIZES)
        for (int learns = 0; learns < 2; ++learns)
            for (int round = 0; round < 2; ++round) {
                gdrq_running_threshold t = new_threshold(GDRQ_THRESHOLD_LEARNED, GDRQ_RANGE_OFFSET);
                t.threshold = 1;
                const gdrq_grid grid = gdrq_threshold_grid(&t);
                input_on_gpu on_gpu(t);
                on_gpu.grid.push({grid});
                std::vector<float> x = random_values(n, 1), dx = random_values(n, 1),
                                   delta = random_values(n, 1);
                x[0] = grid.step * (float)grid.max; /* the range has its ends */
                device_array<float> x_on_gpu(x), dx_on_gpu(dx), delta_on_gpu(delta);
                gdrq_cuda_gradient g = {x_on_gpu,    dx_on_gpu,    n,    nullptr,
                                        (bool)round, (bool)learns, true, delta_on_gpu};
                ASSERT_OK(gdrq_cuda_pass_gradient(&on_gpu.in, &g, &err));
                const double of_step =
                    gdrq_pass_and_step_gradient(x.data(), n, &grid, round, dx.data(), delta.data());
                assert_same(delta_on_gpu.pull(), delta, "delta");
                if (!learns)
                    continue;
                /* A second image, without a delta to add to. */
                g.first = false;
                g.delta = nullptr;
                ASSERT_OK(gdrq_cuda_pass_gradient(&on_gpu.in, &g, &err));
                ASSERT_OK(gdrq_cuda_add_threshold_gradient(&on_gpu.in, n, .5f, &err));
                const double got = on_gpu.pull_threshold().optimiser.update;
                double size = 0;
                for (size_t i = 0; i < n; ++i)
                    size += fabs((double)dx[i]);
                assert_true(fabs(got - of_step) <= 1e-5 * size);
            }
}

/* What columns give is the sum over the products that a pixel is in. */
static void gradients_come_from_columns(void **) {
    static const gdrq_cuda_columns_shape SHAPES[] = {{3, 5, 7, 3, 1, 1, 5, 7},
                                                     {2, 9, 6, 3, 2, 1, 5, 3},
                                                     {4, 4, 4, 1, 2, 0, 2, 2},
                                                     {1, 6, 6, 2, 2, 0, 3, 3},
                                                     {2, 7, 5, 5, 1, 2, 7, 5}};
    for (const gdrq_cuda_columns_shape &s : SHAPES) {
        const size_t n = (size_t)s.channels * s.h * s.w, taps = (size_t)s.size * s.size;
        const size_t outputs = (size_t)s.out_h * s.out_w;
        gdrq_running_threshold t = new_threshold(GDRQ_THRESHOLD_SCALE, GDRQ_RANGE_SIGNED);
        t.threshold = 1;
        const gdrq_grid grid = gdrq_threshold_grid(&t);
        input_on_gpu on_gpu(t);
        on_gpu.grid.push({grid});
        const std::vector<float> x = random_values(n, 1),
                                 columns = random_values(s.channels * taps * outputs, 1);
        std::vector<float> delta(n, 1.f), dx(n, 0.f);
        for (int c = 0; c < s.channels; ++c)
            for (int ky = 0; ky < s.size; ++ky)
                for (int kx = 0; kx < s.size; ++kx)
                    for (int oy = 0; oy < s.out_h; ++oy)
                        for (int ox = 0; ox < s.out_w; ++ox) {
                            const int iy = oy * s.stride + ky - s.pad,
                                      ix = ox * s.stride + kx - s.pad;
                            if (iy >= 0 && ix >= 0 && iy < s.h && ix < s.w)
                                dx[((size_t)c * s.h + iy) * s.w + ix] +=
                                    columns[((c * s.size + ky) * s.size + kx) * outputs +
                                            (size_t)oy * s.out_w + ox];
                        }
        device_array<float> x_on_gpu(x), columns_on_gpu(columns), delta_on_gpu(delta);
        const gdrq_cuda_gradient g = {x_on_gpu, columns_on_gpu, n,    &s,
                                      true,     false,          true, delta_on_gpu};
        ASSERT_OK(gdrq_cuda_pass_gradient(&on_gpu.in, &g, &err));
        const std::vector<float> got = delta_on_gpu.pull();
        for (size_t i = 0; i < n; ++i)
            assert_near(got[i], fabsf(x[i]) <= grid.step * grid.max ? 1 + dx[i] : 1, 1e-5, "delta");
    }
}

/* The sums of a group that is divided are added up in their order, not in that of its blocks. */
static void threshold_gradients_do_not_depend_on_timing(void **) {
    weights_on_gpu w(2, 40000);
    const std::vector<float> thresholds = {.37f, .2f};
    device_array<float> gradient(random_values(w.values.size(), 1)), updates(w.values.size()),
        on_gpu(thresholds);
    device_array<gdrq_grid> input(std::vector<gdrq_grid>{gdrq_weight_grid(4, 2.f)});
    std::vector<std::vector<gdrq_threshold_optimiser>> results;
    for (int i = 0; i < 3; ++i, next_order()) {
        device_array<gdrq_threshold_optimiser> optimisers(
            std::vector<gdrq_threshold_optimiser>(2, {0, 0, 0}));
        const gdrq_cuda_weight_gradient g = {w.weights, gradient, w.steps,    on_gpu, 4,
                                             true,      false,    optimisers, updates};
        updates.push(std::vector<float>(w.values.size(), 0.f));
        ASSERT_OK(gdrq_cuda_add_weight_gradient(&w.groups, input, &g, &err));
        results.push_back(optimisers.pull());
        for (int k = 0; k < 2; ++k)
            assert_true(results[i][k].update == results[0][k].update);
    }
}

static void gradients_of_weights_are_added(void **) {
    for (const auto &c : WEIGHTS)
        for (int kind = 0; kind < 4; ++kind) {
            const bool learns = kind & 1, mask = kind & 2;
            const size_t n = (size_t)c.groups * c.group_size;
            weights_on_gpu w(c.groups, c.group_size);
            std::vector<float> gradient = random_values(n, 1), updates = random_values(n, 1),
                               thresholds(c.groups, .37f);
            std::vector<gdrq_threshold_optimiser> optimisers(c.groups, {.25f, 0, 0});
            device_array<float> gradient_on_gpu(gradient), updates_on_gpu(updates),
                on_gpu(thresholds);
            device_array<gdrq_threshold_optimiser> optimisers_on_gpu(optimisers);
            const gdrq_grid input = gdrq_weight_grid(4, 2.f), grid = gdrq_weight_grid(4, .37f);
            device_array<gdrq_grid> input_on_gpu(std::vector<gdrq_grid>{input});
            ASSERT_OK(
                gdrq_cuda_quantise_weights(&w.groups, w.weights, 4, 2, on_gpu, true, &w.to, &err));
            const gdrq_cuda_weight_gradient g = {
                w.weights,
                gradient_on_gpu,
                w.steps,
                learns ? (float *)on_gpu : nullptr,
                4,
                true,
                mask,
                learns ? (gdrq_threshold_optimiser *)optimisers_on_gpu : nullptr,
                updates_on_gpu};
            ASSERT_OK(gdrq_cuda_add_weight_gradient(&w.groups, input_on_gpu, &g, &err));
            const std::vector<gdrq_threshold_optimiser> got = optimisers_on_gpu.pull();
            for (int k = 0; k < c.groups; ++k) {
                const size_t begin = k * c.group_size;
                const double expected = gdrq_threshold_gradient_scale(7, c.group_size) *
                                        input.step *
                                        gdrq_step_gradient(&w.values[begin], c.group_size, &grid,
                                                           true, &gradient[begin]);
                assert_true(fabs(got[k].update - .25 - (learns ? expected : 0)) <=
                            1e-4 * (1 + fabs(expected)));
                if (mask)
                    gdrq_mask_gradient(&w.values[begin], c.group_size, &grid, &gradient[begin]);
            }
            for (size_t i = 0; i < n; ++i)
                updates[i] += input.step * gradient[i];
            assert_same(updates_on_gpu.pull(), updates, "update");
        }
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_quantised_by_their_mean),
        cmocka_unit_test(weights_are_quantised_by_given_thresholds),
        cmocka_unit_test(nan_stays_nan),
        cmocka_unit_test(weights_are_projected),
        cmocka_unit_test(weights_are_searched),
        cmocka_unit_test(searched_thresholds_stay_while_weights_do),
        cmocka_unit_test(thresholds_of_inputs_move),
        cmocka_unit_test(thresholds_of_inputs_are_searched),
        cmocka_unit_test(fixed_thresholds_stay),
        cmocka_unit_test(readers_of_a_tensor_share_its_threshold),
        cmocka_unit_test(nan_inputs_do_not_move_thresholds),
        cmocka_unit_test(gradients_pass_straight_through),
        cmocka_unit_test(gradients_come_from_columns),
        cmocka_unit_test(gradients_of_weights_are_added),
        cmocka_unit_test(threshold_gradients_do_not_depend_on_timing),
    };
    omp_set_num_threads(1); /* for arrays as small as these */
    seed_random(20181);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
