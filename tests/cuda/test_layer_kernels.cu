/* The kernels of train/cuda against the double-precision truth, and learned thresholds against the
   portable rule. */
#include <math.h>
#include <string.h>

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <curand.h>

#include "guarded_array.h"
#include "train/cuda/layer_kernels.h"

extern "C" {
#include "train/learn_threshold.h"
}
#include "random_values.h"

static gdrq_error err;

static void assert_near(double got, double expected, double tolerance, const char *what) {
    assert_near(got, expected, tolerance, 1, what);
}

static void columns_hold_what_windows_read(void **) {
    static const gdrq_cuda_columns_shape SHAPES[] = {{3, 5, 7, 3, 1, 1, 5, 7},
                                                     {2, 9, 6, 3, 2, 1, 5, 3},
                                                     {4, 4, 4, 1, 2, 0, 2, 2},
                                                     {2, 7, 5, 5, 1, 2, 7, 5},
                                                     {40, 24, 24, 3, 1, 1, 24, 24}};
    for (const gdrq_cuda_columns_shape &s : SHAPES) {
        const std::vector<float> image = random_values((size_t)s.channels * s.h * s.w, 1);
        const size_t outputs = (size_t)s.out_h * s.out_w;
        device_array<float> image_on_gpu(image),
            columns(s.channels * (size_t)(s.size * s.size) * outputs);
        ASSERT_OK(gdrq_cuda_make_columns(image_on_gpu, &s, columns, &err));
        const std::vector<float> got = columns.pull();
        size_t i = 0;
        for (int c = 0; c < s.channels; ++c)
            for (int ky = 0; ky < s.size; ++ky)
                for (int kx = 0; kx < s.size; ++kx)
                    for (int oy = 0; oy < s.out_h; ++oy)
                        for (int ox = 0; ox < s.out_w; ++ox, ++i) {
                            const int y = oy * s.stride + ky - s.pad,
                                      x = ox * s.stride + kx - s.pad;
                            const bool inside = y >= 0 && x >= 0 && y < s.h && x < s.w;
                            assert_true(got[i] ==
                                        (inside ? image[((size_t)c * s.h + y) * s.w + x] : 0));
                        }
    }
}

struct statistics {
    double mean, variance;
};

/* Of one filter's values; the variance is over N - 1. */
static statistics statistics_of(const gdrq_cuda_normalisation &n, const std::vector<float> &sums,
                                double factor, int f) {
    statistics s = {0, 0};
    const int count = n.batch * n.spatial;
    for (int pass = 0; pass < 2; ++pass) {
        double total = 0;
        for (int b = 0; b < n.batch; ++b)
            for (int i = 0; i < n.spatial; ++i) {
                const double v = factor * sums[((size_t)b * n.filters + f) * n.spatial + i];
                total += pass ? pow(v - s.mean, 2) : v;
            }
        (pass ? s.variance : s.mean) = total / (pass ? count - 1 : count);
    }
    return s;
}

/* Sums as 8-bit codes have them, and one filter that is nearly constant. */
static std::vector<float> whole_sums(size_t n, int spatial, int filters) {
    std::vector<float> sums(n);
    for (size_t i = 0; i < n; ++i)
        sums[i] = i / spatial % filters == 1 ? 4000000.f + (float)random_int(0, 3)
                                             : (float)random_int(-200000, 300000);
    return sums;
}

static void batches_are_normalised(void **) {
    static const int SIZES[][3] = {{1, 1, 2},   {2, 3, 50},  {3, 5, 400}, {64, 2, 1},
                                   {33, 70, 1}, {5, 40, 31}, {5, 3, 32}};
    for (const auto &size : SIZES)
        for (int train = 0; train < 2; ++train) {
            const int filters = size[1];
            const size_t count = (size_t)size[0] * filters * size[2];
            const std::vector<float> sums = whole_sums(count, size[2], filters);
            std::vector<float> factor(filters),
                scales = random_values(filters, 1), biases = random_values(filters, 1),
                rolling_mean = random_values(filters, 1), rolling_variance(filters);
            for (int f = 0; f < filters; ++f) {
                factor[f] = f == 1 ? .4f : 1e-5f * (float)(1 + f);
                rolling_variance[f] = .5f + (float)random_unit();
            }
            device_array<float> on_gpu(sums), f_(factor), s_(scales), b_(biases), mean(filters),
                variance(filters), rm(rolling_mean), rv(rolling_variance), normalised(count);
            device_array<double> room(gdrq_cuda_statistics_sums(filters));
            const gdrq_cuda_normalisation n = {size[0], filters,  size[2], f_, s_,         b_,
                                               mean,    variance, rm,      rv, normalised, room};
            ASSERT_OK(gdrq_cuda_normalise(&n, train, on_gpu, &err));
            const std::vector<float> got = on_gpu.pull();
            for (int f = 0; f < filters; ++f) {
                statistics of = {rolling_mean[f], rolling_variance[f]};
                if (train) {
                    of = statistics_of(n, sums, factor[f], f);
                    assert_near(mean.pull()[f], of.mean, 1e-6, "mean");
                    assert_near(variance.pull()[f], of.variance, 1e-5, "variance");
                    assert_near(rm.pull()[f], .99 * rolling_mean[f] + .01 * of.mean, 1e-6,
                                "rolling mean");
                    assert_near(rv.pull()[f], .99 * rolling_variance[f] + .01 * of.variance, 1e-6,
                                "rolling variance");
                }
                for (size_t i = 0; i < count; ++i) {
                    if ((int)(i / size[2] % filters) != f)
                        continue;
                    const double value = (double)factor[f] * sums[i];
                    const double of_unit = (value - of.mean) / sqrt(of.variance + 1e-5);
                    /* A value is off by 2^-24 of itself, a large mean apart. */
                    const double noise = 1e-6 + 1e-7 * fabs(value) / sqrt(of.variance + 1e-5) *
                                                    (1 + fabs((double)scales[f]));
                    assert_near(got[i], scales[f] * of_unit + biases[f], 4 * noise, "output");
                    if (train)
                        assert_near(normalised.pull()[i], of_unit, 4 * noise, "normalised");
                }
            }
        }
}

/* With a mean of 100,000 times the deviation; the first value, which the kernels subtract from all
   others, is one of these, or far away from them: then the deviation is a small difference, too. */
static std::vector<float> values_off_zero(size_t n, int spatial, int filters) {
    std::vector<float> values = random_values(n, .01f);
    for (float &v : values)
        v += 1000;
    for (int f = 0; f < filters; f += 2)
        values[(size_t)f * spatial] = 5;
    return values;
}

static void statistics_are_precise(void **) {
    static const int SIZES[][3] = {{1, 2, 40000}, {25, 2, 1600}, {5000, 34, 1}, {400, 2, 25}};
    for (const auto &size : SIZES) {
        const int filters = size[1];
        const size_t count = (size_t)size[0] * filters * size[2];
        const std::vector<float> sums = values_off_zero(count, size[2], filters),
                                 of_filters(filters, 1.f);
        device_array<float> ones(of_filters), mean(filters), variance(filters), rm(of_filters),
            rv(of_filters), normalised(count);
        device_array<double> room(gdrq_cuda_statistics_sums(filters));
        const gdrq_cuda_normalisation n = {size[0], filters,  size[2], ones, ones,       ones,
                                           mean,    variance, rm,      rv,   normalised, room};
        std::vector<float> first;
        for (int i = 0; i < 3; ++i, next_order()) {
            device_array<float> on_gpu(sums);
            ASSERT_OK(gdrq_cuda_normalise(&n, true, on_gpu, &err));
            const std::vector<float> means = mean.pull(), variances = variance.pull();
            if (i == 0)
                first = variances;
            for (int f = 0; f < filters; ++f) {
                const statistics of = statistics_of(n, sums, 1, f);
                assert_true(variances[f] == first[f]);
                ::assert_near(means[f], of.mean, 1e-7, 0, "mean");
                ::assert_near(variances[f], of.variance, 1e-6, 0, "variance");
            }
        }
    }
}

/* sum(gradient * y) of one filter's y = scale * normalised + bias. */
static double loss_of(const std::vector<double> &z, const std::vector<double> &gradient,
                      double scale, double bias) {
    double mean = 0, variance = 0, loss = 0;
    for (double v : z)
        mean += v / (double)z.size();
    for (double v : z)
        variance += pow(v - mean, 2) / (z.size() > 1 ? (double)z.size() - 1 : 1);
    for (size_t i = 0; i < z.size(); ++i)
        loss += gradient[i] * (scale * (z[i] - mean) / sqrt(variance + 1e-5) + bias);
    return loss;
}

/* Against what the loss does when a value, the scale or the bias moves. */
static void check_gradients(int batch, int filters, int spatial) {
    const size_t count = (size_t)batch * filters * spatial, of_filter = (size_t)batch * spatial;
    const std::vector<float> sums = random_values(count, 2), gradient = random_values(count, 1),
                             scales = random_values(filters, 1), biases = random_values(filters, 1),
                             updates = random_values(filters, 1);
    device_array<float> on_gpu(sums), delta(gradient), s(scales), b(biases), mean(filters),
        variance(filters), rm(filters), rv(filters), normalised(count), scale_updates(updates),
        bias_updates(updates), mean_delta(filters), variance_delta(filters);
    device_array<double> room(gdrq_cuda_statistics_sums(filters));
    const gdrq_cuda_normalisation n = {batch, filters,  spatial, nullptr, s,          b,
                                       mean,  variance, rm,      rv,      normalised, room};
    const gdrq_cuda_normalised back = {batch,      filters,        spatial,       s,
                                       variance,   normalised,     scale_updates, bias_updates,
                                       mean_delta, variance_delta, room};
    ASSERT_OK(gdrq_cuda_normalise(&n, true, on_gpu, &err));
    next_order();
    ASSERT_OK(gdrq_cuda_normalise_backward(&back, delta, &err));
    const std::vector<float> got = delta.pull(), of_scale = scale_updates.pull(),
                             of_bias = bias_updates.pull();
    const double step = 1e-4;
    for (int f = 0; f < filters; ++f) {
        std::vector<double> z, g;
        std::vector<size_t> at;
        for (size_t i = 0; i < of_filter; ++i) {
            at.push_back((i / spatial * filters + f) * spatial + i % spatial);
            z.push_back(sums[at[i]]);
            g.push_back(gradient[at[i]]);
        }
        const double scale = scales[f], bias = biases[f];
        assert_near(of_scale[f] - updates[f],
                    (loss_of(z, g, scale + step, bias) - loss_of(z, g, scale - step, bias)) /
                        (2 * step),
                    1e-4, "scale update");
        assert_near(of_bias[f] - updates[f],
                    (loss_of(z, g, scale, bias + step) - loss_of(z, g, scale, bias - step)) /
                        (2 * step),
                    1e-4, "bias update");
        for (size_t i = 0; i < of_filter && i < 40; ++i) {
            std::vector<double> more = z, less = z;
            more[i] += step;
            less[i] -= step;
            assert_near(got[at[i]],
                        (loss_of(more, g, scale, bias) - loss_of(less, g, scale, bias)) /
                            (2 * step),
                        1e-4, "gradient");
        }
    }
}

static void gradients_pass_through_batch_norm(void **) {
    check_gradients(1, 3, 1); /* one value: none */
    check_gradients(2, 2, 1);
    check_gradients(3, 40, 1);
    check_gradients(4, 3, 9);
    check_gradients(2, 2, 70);
    check_gradients(5, 3, 400);
}

/* What each product of a depthwise convolution adds, to whatever add(sum, value, weight) is for. */
template <class ADD>
static void each_product(const gdrq_cuda_columns_shape &s, int batch, const ADD &add) {
    for (int plane = 0; plane < batch * s.channels; ++plane)
        for (int o = 0; o < s.out_h * s.out_w; ++o)
            for (int k = 0; k < s.size * s.size; ++k) {
                const int x = o % s.out_w * s.stride + k % s.size - s.pad;
                const int y = o / s.out_w * s.stride + k / s.size - s.pad;
                if (x >= 0 && y >= 0 && x < s.w && y < s.h)
                    add((size_t)plane * s.out_h * s.out_w + o, ((size_t)plane * s.h + y) * s.w + x,
                        (size_t)(plane % s.channels) * s.size * s.size + k);
            }
}

static void check_all(const std::vector<float> &got, const std::vector<double> &expected,
                      const char *what) {
    for (size_t i = 0; i < expected.size(); ++i)
        assert_near(got[i], expected[i], 1e-5, what);
}

static void check_depthwise(const gdrq_cuda_columns_shape &s, int batch) {
    const size_t inputs = (size_t)batch * s.channels * s.h * s.w,
                 outputs = (size_t)batch * s.channels * s.out_h * s.out_w,
                 weights = (size_t)s.channels * s.size * s.size;
    const std::vector<float> in = random_values(inputs, 1), w = random_values(weights, 1),
                             delta = random_values(outputs, 1), factor = {.5f};
    std::vector<double> sums(outputs), dx(in.begin(), in.end()), dw(w.begin(), w.end()),
        only_dx(inputs), only_dw(weights);
    each_product(s, batch, [&](size_t o, size_t i, size_t k) {
        sums[o] += (double)in[i] * w[k];
        dx[i] += (double)delta[o] * w[k];
        only_dx[i] += (double)delta[o] * w[k];
        dw[k] += .5 * delta[o] * in[i];
        only_dw[k] += (double)delta[o] * in[i];
    });
    device_array<float> in_(in), w_(w), delta_(delta), factor_(factor), sums_(outputs), dx_(in),
        dw_(w), only_dx_(inputs), only_dw_(weights);
    ASSERT_OK(gdrq_cuda_convolve_depthwise(&s, batch, in_, w_, sums_, &err));
    ASSERT_OK(gdrq_cuda_depthwise_input_gradient(&s, batch, delta_, w_, true, dx_, &err));
    ASSERT_OK(gdrq_cuda_depthwise_input_gradient(&s, batch, delta_, w_, false, only_dx_, &err));
    ASSERT_OK(
        gdrq_cuda_depthwise_weight_gradient(&s, batch, delta_, in_, factor_, true, dw_, &err));
    next_order();
    ASSERT_OK(gdrq_cuda_depthwise_weight_gradient(&s, batch, delta_, in_, nullptr, false, only_dw_,
                                                  &err));
    check_all(sums_.pull(), sums, "sums");
    check_all(dx_.pull(), dx, "added input gradient");
    check_all(only_dx_.pull(), only_dx, "input gradient");
    check_all(dw_.pull(), dw, "added weight gradient");
    check_all(only_dw_.pull(), only_dw, "weight gradient");
}

static void depthwise_convolutions(void **) {
    for (int size : {1, 2, 4, 6, 9})
        assert_false(gdrq_cuda_has_depthwise(size));
    for (int size : {3, 5, 7}) {
        assert_true(gdrq_cuda_has_depthwise(size));
        for (int stride : {1, 2, 3})
            for (int pad : {0, size / 2}) {
                gdrq_cuda_columns_shape s = {random_int(2, 5),
                                             random_int(size, 24),
                                             random_int(size, 30),
                                             size,
                                             stride,
                                             pad,
                                             0,
                                             0};
                s.out_h = (s.h + 2 * pad - size) / stride + 1;
                s.out_w = (s.w + 2 * pad - size) / stride + 1;
                check_depthwise(s, random_int(1, 4));
            }
    }
    /* More values of a channel than a thread adds up in one part. */
    check_depthwise({2, 190, 200, 3, 1, 1, 190, 200}, 2);
}

static void sums_without_batch_norm_are_scaled(void **) {
    const std::vector<float> sums = whole_sums(2 * 3 * 10, 10, 3), factor = {.5f, 1e-4f, 2.f},
                             biases = {1, -2, .25f};
    device_array<float> on_gpu(sums), factor_on_gpu(factor), biases_on_gpu(biases);
    gdrq_cuda_normalisation n;
    memset(&n, 0, sizeof n);
    n.batch = 2, n.filters = 3, n.spatial = 10;
    n.factor = factor_on_gpu, n.biases = biases_on_gpu;
    ASSERT_OK(gdrq_cuda_normalise(&n, true, on_gpu, &err));
    const std::vector<float> got = on_gpu.pull();
    for (size_t i = 0; i < sums.size(); ++i) {
        const int f = (int)(i / 10 % 3);
        assert_true(got[i] == factor[f] * sums[i] + biases[f]);
    }
}

static update_args args_of(bool adam, int t) {
    update_args a;
    memset(&a, 0, sizeof a);
    a.batch = 4, a.learning_rate = .02f, a.momentum = .9f, a.decay = .1f;
    a.adam = adam, a.B1 = .9f, a.B2 = .999f, a.eps = 1e-7f, a.t = t;
    return a;
}

static gdrq_cuda_update on_gpu_of(const update_args &a, const gdrq_learning_rule &rule) {
    gdrq_cuda_update u;
    u.adam = a.adam;
    u.rate = a.learning_rate * rule.rate / (a.adam ? 1 : (float)a.batch);
    u.shrink = -rule.decay * (float)a.batch;
    u.momentum = a.momentum, u.beta1 = a.B1, u.beta2 = a.B2, u.eps = a.eps;
    u.correction1 = (float)(1 - pow(a.B1, a.t));
    u.correction2 = (float)(1 - pow(a.B2, a.t));
    return u;
}

/* As many as one block has not threads for, with gradients that would move some by far too much. */
static void thresholds_learn(void **) {
    const gdrq_learning_rule rule = {.5f, .001f};
    const int groups = 300;
    for (int adam = 0; adam < 2; ++adam) {
        std::vector<float> thresholds(groups);
        std::vector<gdrq_threshold_optimiser> optimisers(groups);
        for (int g = 0; g < groups; ++g) {
            thresholds[g] = .1f + (float)random_unit();
            optimisers[g] = {(g % 7 ? 1.f : 1000.f) * random_normal(), 0, 0};
        }
        device_array<float> on_gpu(thresholds);
        device_array<gdrq_threshold_optimiser> optimisers_on_gpu(optimisers);
        for (int t = 1; t <= 3; ++t) {
            const update_args a = args_of(adam, t);
            const gdrq_cuda_update u = on_gpu_of(a, rule);
            for (int g = 0; g < groups; ++g) {
                optimisers[g].update += .5f;
                gdrq_learn_threshold(&rule, &a, &thresholds[g], &optimisers[g]);
            }
            std::vector<gdrq_threshold_optimiser> moved = optimisers_on_gpu.pull();
            for (gdrq_threshold_optimiser &o : moved)
                o.update += .5f;
            optimisers_on_gpu.push(moved);
            ASSERT_OK(gdrq_cuda_learn_thresholds(&u, groups, on_gpu, optimisers_on_gpu, &err));
        }
        const std::vector<float> got = on_gpu.pull();
        const std::vector<gdrq_threshold_optimiser> moved = optimisers_on_gpu.pull();
        for (int g = 0; g < groups; ++g) {
            assert_near(got[g], thresholds[g], 1e-6, "T");
            assert_near(moved[g].update, optimisers[g].update, 1e-6, "update");
            assert_near(moved[g].m, optimisers[g].m, 1e-6, "m");
            assert_near(moved[g].v, optimisers[g].v, 1e-6, "v");
        }
    }
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_hold_what_windows_read),
        cmocka_unit_test(batches_are_normalised),
        cmocka_unit_test(statistics_are_precise),
        cmocka_unit_test(gradients_pass_through_batch_norm),
        cmocka_unit_test(depthwise_convolutions),
        cmocka_unit_test(sums_without_batch_norm_are_scaled),
        cmocka_unit_test(thresholds_learn),
    };
    seed_random(20183);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
