/* What moves, pools and quantises codes and values on the GPU against the portable functions, to
   the bit. */
#include <float.h>

#include "guarded_array.h"
#include "random_codes.h"

#include "infer/cuda/moves.h"
#include "infer/cuda/shortcut.h"
#include "primitives/cuda/value_layers.h"
#include "primitives/exponential.h"
#include "primitives/lanes.h"

using std::vector;

static gdrq_error err;

enum { CASES = 30 };

template <class T>
static void check_equal(const char *what, gdrq_tensor_shape in, gdrq_tensor_shape out,
                        const vector<T> &got, const vector<T> &expected) {
    assert_int_equal(got.size(), expected.size());
    if (memcmp(got.data(), expected.data(), got.size() * sizeof(T)))
        fail_msg("%s of %dx%dx%d to %dx%dx%d differs", what, in.w, in.h, in.c, out.w, out.h, out.c);
}

static gdrq_tensor_shape random_shape(int most) {
    return {random_int(1, most), random_int(1, most), one_of({1, 2, 3, 4, 8, 12, 33})};
}

static vector<uint8_t> codes_of(gdrq_tensor_shape shape) {
    return random_codes(gdrq_tensor_size(shape));
}

/* Now and then a NaN or an infinity. */
static vector<float> values_of(gdrq_tensor_shape shape) {
    vector<float> values = random_floats(gdrq_tensor_size(shape), 3);
    const float odd[] = {NAN, INFINITY, -INFINITY, -0.f, FLT_MAX};
    for (int i = 0; i < 3; ++i)
        values[(size_t)random_int(0, (int)values.size() - 1)] = odd[random_int(0, 4)];
    return values;
}

/*
 * portable(in, out) and queue(in, out, &err) with arrays of their own.
 */
template <class From, class To, class Portable, class Queue>
static void check(const char *what, gdrq_tensor_shape in, gdrq_tensor_shape out,
                  const vector<From> &from, Portable portable, Queue queue) {
    const size_t n = gdrq_tensor_size(out);
    vector<To> expected(n);
    portable(from.data(), expected.data());
    device_array<From> gpu_from(from);
    guarded_array<To> result(n);
    next_order();
    ASSERT_OK(queue((const From *)(From *)gpu_from, (To *)result));
    check_equal(what, in, out, result.pull(what), expected);
}

template <class Portable, class Queue>
static void check_codes(const char *what, gdrq_tensor_shape in, gdrq_tensor_shape out,
                        Portable portable, Queue queue) {
    check<uint8_t, uint8_t>(what, in, out, codes_of(in), portable, queue);
}

/* Windows at the ends that lie wholly outside are not for the kernels. */
static bool make_pool(gdrq_int_pool *p) {
    *p = {};
    p->in = random_shape(9);
    p->size = random_int(1, 4);
    p->stride = random_int(1, 3);
    p->pad = random_int(0, 1) ? p->size - 1 : random_int(0, 3);
    p->out = {(p->in.w + p->pad - p->size) / p->stride + 1,
              (p->in.h + p->pad - p->size) / p->stride + 1, p->in.c};
    const int first = -(p->pad / 2);
    return p->in.w + p->pad >= p->size && p->in.h + p->pad >= p->size && first + p->size > 0 &&
           first + (p->out.w - 1) * p->stride < p->in.w &&
           first + (p->out.h - 1) * p->stride < p->in.h;
}

static void maxpool(void **) {
    for (int i = 0; i < random_cases(2 * CASES); ++i) {
        gdrq_int_pool p;
        while (!make_pool(&p))
            ;
        check_codes(
            "maxpool", p.in, p.out,
            [&](const uint8_t *in, uint8_t *out) {
                gdrq_int_maxpool(&p, in, (size_t)p.in.c, out, (size_t)p.out.c);
            },
            [&](const uint8_t *in, uint8_t *out) { return gdrq_cuda_maxpool(&p, in, out, &err); });
        check<float, float>(
            "maxpool", p.in, p.out, values_of(p.in),
            [&](const float *in, float *out) { gdrq_int_maxpool_values(&p, in, out); },
            [&](const float *in, float *out) {
                return gdrq_cuda_maxpool_values(&p, in, out, &err);
            });
    }
}

static void upsample(void **) {
    for (int i = 0; i < random_cases(CASES); ++i) {
        const int stride = random_int(1, 3);
        const gdrq_tensor_shape in = random_shape(7), out = {in.w * stride, in.h * stride, in.c};
        check_codes(
            "upsample", in, out,
            [&](const uint8_t *from, uint8_t *to) {
                gdrq_int_upsample(in, stride, from, (size_t)in.c, to, (size_t)in.c);
            },
            [&](const uint8_t *from, uint8_t *to) {
                return gdrq_cuda_upsample(in, stride, from, to, &err);
            });
    }
}

static void crop(void **) {
    for (int i = 0; i < random_cases(CASES); ++i) {
        const gdrq_tensor_shape in = random_shape(9);
        const gdrq_tensor_shape out = {random_int(1, in.w), random_int(1, in.h), in.c};
        check_codes(
            "crop", in, out,
            [&](const uint8_t *from, uint8_t *to) {
                gdrq_int_crop(in, out, from, (size_t)in.c, to, (size_t)out.c);
            },
            [&](const uint8_t *from, uint8_t *to) {
                return gdrq_cuda_crop(in, out, from, to, &err);
            });
    }
}

static void reorg(void **) {
    for (int i = 0; i < random_cases(CASES); ++i) {
        const int s = random_int(1, 3);
        const bool reverse = random_int(0, 1);
        const int w = random_int(1, 5), h = random_int(1, 5), c = s * s * random_int(1, 5);
        const gdrq_tensor_shape in = {w * (reverse ? 1 : s), h * (reverse ? 1 : s), c};
        const gdrq_tensor_shape out = reverse ? gdrq_tensor_shape{w * s, h * s, c / (s * s)}
                                              : gdrq_tensor_shape{w, h, c * s * s};
        check_codes(
            "reorg", in, out,
            [&](const uint8_t *from, uint8_t *to) {
                gdrq_int_reorg(in, out, s, reverse, from, (size_t)in.c, to, (size_t)out.c);
            },
            [&](const uint8_t *from, uint8_t *to) {
                return gdrq_cuda_reorg(in, out, s, reverse, from, to, &err);
            });
    }
}

static void route(void **) {
    for (int i = 0; i < random_cases(CASES); ++i) {
        const gdrq_tensor_shape a = random_shape(6);
        const gdrq_tensor_shape b = {a.w, a.h, one_of({1, 4, 5, 8})}, out = {a.w, a.h, a.c + b.c};
        const vector<uint8_t> of_a = codes_of(a), of_b = codes_of(b);
        device_array<uint8_t> gpu_a(of_a), gpu_b(of_b);
        guarded_array<uint8_t> result(gdrq_tensor_size(out));
        vector<uint8_t> expected(gdrq_tensor_size(out));
        const gdrq_int_part parts[] = {{of_a.data(), a.c, (size_t)a.c},
                                       {of_b.data(), b.c, (size_t)b.c}};
        const gdrq_int_part gpu_parts[] = {{gpu_a, a.c, (size_t)a.c}, {gpu_b, b.c, (size_t)b.c}};
        gdrq_int_route(a.w, a.h, parts, 2, expected.data(), (size_t)out.c);
        next_order();
        ASSERT_OK(gdrq_cuda_route(a.w, a.h, gpu_parts, 2, result, &err));
        check_equal("route", a, out, result.pull("route"), expected);
    }
}

static void values_to_other_forms(void **) {
    for (int i = 0; i < random_cases(CASES); ++i) {
        const gdrq_tensor_shape shape = {random_int(1, 9), random_int(1, 9), random_int(1, 70)};
        const gdrq_grid grid = random_grid();
        const vector<float> values = values_of(shape);
        check<float, uint8_t>(
            "quantise", shape, shape, values,
            [&](const float *from, uint8_t *to) {
                gdrq_int_quantise(shape, &grid, from, to, (size_t)shape.c);
            },
            [&](const float *from, uint8_t *to) {
                return gdrq_cuda_quantise(shape, &grid, from, to, &err);
            });
        check<float, float>(
            "interleave", shape, shape, values,
            [&](const float *from, float *to) { gdrq_int_interleave(shape, from, to); },
            [&](const float *from, float *to) {
                return gdrq_cuda_interleave(shape, from, to, &err);
            });
    }
}

/* More than 65535 blocks of 32 channels, which is as many as CUDA's grids have but in x. */
static void values_of_many_channels(void **) {
    if (random_cases(2) < 2)
        skip(); /* 16 million threads */
    const gdrq_tensor_shape shape = {1, 1, 65535 * 32 + 1};
    vector<float> values(gdrq_tensor_size(shape));
    for (size_t i = 0; i < values.size(); ++i)
        values[i] = (float)i;
    check<float, float>(
        "interleave", shape, shape, values,
        [&](const float *from, float *to) { gdrq_int_interleave(shape, from, to); },
        [&](const float *from, float *to) { return gdrq_cuda_interleave(shape, from, to, &err); });
}

static void shortcut(void **) {
    for (int i = 0; i < random_cases(CASES); ++i) {
        const gdrq_tensor_shape to = random_shape(6);
        const int factor = random_int(1, 2);
        const gdrq_tensor_shape from = {to.w * factor, to.h * factor,
                                        random_int(0, 1) ? to.c : random_int(1, 40)};
        const gdrq_grid grid = random_grid();
        const vector<float> in = random_floats(gdrq_tensor_size(to), 2);
        const vector<float> other = random_floats(gdrq_tensor_size(from), 2);
        gdrq_int_shortcut s = {
            other.data(), from, to, 1.5f, -.5f, {(gdrq_int_activation_kind)random_int(0, 2), 0, 0}};
        vector<uint8_t> codes(in.size());
        vector<float> values(in.size()), interleaved(in.size());
        const gdrq_int_output out = {codes.data(), values.data(), interleaved.data(), nullptr, 0};
        gdrq_int_shortcut_run(&s, in.data(), &grid, &out);
        guarded_array<uint8_t> gpu_codes(in.size());
        guarded_array<float> gpu_values(in.size()), gpu_interleaved(in);
        device_array<float> gpu_other(other);
        s.other = gpu_other;
        const gdrq_int_output gpu_out = {gpu_codes, gpu_values, gpu_interleaved, nullptr, 0};
        next_order();
        ASSERT_OK(gdrq_cuda_shortcut(&s, to, gpu_interleaved, nullptr, &grid, &gpu_out, &err));
        check_equal("shortcut's codes", from, to, gpu_codes.pull("shortcut"), codes);
        check_equal("shortcut's values", from, to, gpu_values.pull("shortcut"), values);
        check_equal("shortcut in place", from, to, gpu_interleaved.pull("shortcut"), interleaved);
    }
}

static void avgpool(void **) {
    for (int i = 0; i < random_cases(CASES); ++i) {
        const gdrq_tensor_shape in = random_shape(13), out = {1, 1, in.c};
        const int n = in.w * in.h;
        check<float, float>(
            "avgpool", in, out, random_floats(gdrq_tensor_size(in), 2),
            [&](const float *from, float *to) {
                for (int c = 0; c < in.c; ++c)
                    to[c] = (float)(gdrq_sum_in_lanes(from + c * n, (size_t)n) / (double)n);
            },
            [&](const float *from, float *to) {
                return gdrq_cuda_avgpool(in.c, n, from, to, &err);
            });
    }
}

static void expected_softmax(const float *x, int n, float temperature, float *y) {
    float largest = -FLT_MAX;
    for (int i = 0; i < n; ++i)
        largest = x[i] > largest ? x[i] : largest;
    for (int i = 0; i < n; ++i)
        y[i] = gdrq_exp_of_negative(x[i] / temperature - largest / temperature);
    const float sum = (float)gdrq_sum_in_lanes(y, (size_t)n);
    for (int i = 0; i < n; ++i)
        y[i] /= sum;
}

static void softmax(void **) {
    for (int n : {1, 2, 10, 255, 257, 1000}) {
        const int groups = random_int(1, 3);
        const float temperature = random_int(0, 1) ? 1 : 2.5f;
        const gdrq_tensor_shape shape = {1, 1, groups * n};
        check<float, float>(
            "softmax", shape, shape, random_floats((size_t)(groups * n), 30),
            [&](const float *from, float *to) {
                for (int g = 0; g < groups; ++g)
                    expected_softmax(from + g * n, n, temperature, to + g * n);
            },
            [&](const float *from, float *to) {
                const gdrq_cuda_softmax_shape s = {1, groups, groups * n, nullptr, temperature};
                return gdrq_cuda_softmax(&s, from, to, nullptr, &err);
            });
    }
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maxpool),
        cmocka_unit_test(upsample),
        cmocka_unit_test(crop),
        cmocka_unit_test(reorg),
        cmocka_unit_test(route),
        cmocka_unit_test(values_to_other_forms),
        cmocka_unit_test(values_of_many_channels),
        cmocka_unit_test(shortcut),
        cmocka_unit_test(avgpool),
        cmocka_unit_test(softmax),
    };
    seed_random(10);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
