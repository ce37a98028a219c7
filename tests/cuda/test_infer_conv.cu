/*
 * The GPU's convolutions against the portable one, to the bit: random shapes from a printed seed,
 * extreme values, and guards around all that is written.
 */
#include "device_watch.h"
#include "guarded_array.h"
#include "random_codes.h"

#include "infer/cuda/conv.h"

using std::vector;

static gdrq_error err;

static int random_sign() {
    return 2 * random_int(0, 1) - 1;
}

/* Of GDRQ_INT_OTHER. In the place of a function that queues a kernel. */
static void halve(float *x, size_t n, int which) {
    vector<float> values(n);
    ASSERT_OK(gdrq_device_pull(values.data(), x, n * sizeof *x, &err));
    for (float &v : values)
        v = v / 2 + (float)which;
    ASSERT_OK(gdrq_device_push(x, values.data(), n * sizeof *x, &err));
}

static gdrq_int_activation random_activation() {
    const int kind = random_int(0, GDRQ_INT_OTHER);
    return {(gdrq_int_activation_kind)kind, halve, 3};
}

struct problem {
    gdrq_int_conv conv;
    gdrq_conv_limits limits;
    gdrq_grid grid;
    vector<uint8_t> in;
    vector<int8_t> weights;
    vector<int32_t> sums;
    vector<float> scale, bias, other;
    gdrq_int_shortcut shortcut;
    gdrq_epilogue epilogue;
};

/* Values up to the limits; now and then nothing but them. */
static void fill(problem &p) {
    const gdrq_int_conv &c = p.conv;
    const size_t size = (size_t)(c.size * c.size) * (c.in.c / c.groups);
    const int extreme = random_int(0, 3), top = p.limits.weight;
    p.in.resize(gdrq_tensor_size(c.in));
    for (uint8_t &code : p.in)
        code = (uint8_t)(extreme == 0   ? p.limits.code
                         : extreme == 1 ? p.limits.code * random_int(0, 1)
                                        : random_int(0, p.limits.code));
    p.weights.resize(c.out.c * size);
    p.sums.assign((size_t)c.out.c, 0);
    for (size_t i = 0; i < p.weights.size(); ++i) {
        p.weights[i] = (int8_t)(extreme == 0   ? (i / size % 2 ? top : -top)
                                : extreme == 1 ? top * random_sign()
                                               : random_int(-top, top));
        p.sums[i / size] += p.weights[i];
    }
}

/* A map that a shortcut may add to one of this shape, by every second or third pixel. */
static gdrq_tensor_shape larger(gdrq_tensor_shape s) {
    const int factor = random_int(1, 3);
    return {s.w * factor + random_int(0, s.w - 1), s.h * factor, random_int(1, 2 * s.c)};
}

static void make(problem &p, gdrq_int_conv conv) {
    conv.out.w = (conv.in.w + 2 * conv.pad - conv.size) / conv.stride + 1;
    conv.out.h = (conv.in.h + 2 * conv.pad - conv.size) / conv.stride + 1;
    p.conv = conv;
    p.limits = {(1 << random_int(2, 8)) - 1, (1 << random_int(1, 7)) - 1};
    p.grid = random_grid();
    p.conv.zero = random_int(0, 2) ? random_int(0, p.limits.code) : 0;
    fill(p);
    p.conv.weights = p.weights.data();
    p.conv.sum = p.sums.data();
    const double size = (double)conv.size * conv.size * conv.in.c / conv.groups;
    const float top = p.grid.step * (float)p.grid.max;
    p.scale = random_floats((size_t)conv.out.c,
                            top / (float)(p.limits.code * p.limits.weight * sqrt(size)));
    p.bias = random_floats((size_t)conv.out.c, .3f * top);
    const gdrq_tensor_shape from = random_int(0, 2) ? conv.out : larger(conv.out);
    p.other = random_floats(gdrq_tensor_size(from), .5f * top);
    p.shortcut = {p.other.data(),
                  from,
                  conv.out,
                  random_int(0, 1) ? 1 : 1.3f,
                  random_int(0, 1) ? 1 : -.7f,
                  random_activation()};
    p.epilogue = {p.scale.data(), p.bias.data(), random_activation(),
                  random_int(0, 1) ? &p.shortcut : nullptr, &p.grid};
}

static void check_equal(const problem &p, const gdrq_cuda_conv_kernel *kernel, const char *form,
                        const void *got, const void *expected, size_t n) {
    if (!memcmp(got, expected, n))
        return;
    const gdrq_int_conv &c = p.conv;
    fail_msg("%s: %s differ: %dx%dx%d to %dx%dx%d, size %d, stride %d, pad %d, groups %d, zero %d, "
             "codes to %d, weights to %d",
             kernel->name, form, c.in.w, c.in.h, c.in.c, c.out.w, c.out.h, c.out.c, c.size,
             c.stride, c.pad, c.groups, c.zero, p.limits.code, p.limits.weight);
}

/* Each form of output, alone or with others. */
static void check_kernel(const problem &p, const gdrq_cuda_conv_kernel *kernel,
                         const vector<uint8_t> &codes, const vector<float> &values,
                         const vector<float> &interleaved) {
    const size_t n = codes.size();
    vector<uint8_t> host_packed(kernel->packed_size(&p.conv, &p.limits));
    kernel->pack(&p.conv, &p.limits, host_packed.data());
    device_array<uint8_t> packed(host_packed), in(p.in);
    device_array<float> scale(p.scale), bias(p.bias), other(p.other);
    guarded_array<uint8_t> gpu_codes(n), scratch(gdrq_cuda_conv_scratch(&p.conv, &p.epilogue));
    guarded_array<float> gpu_values(n), gpu_interleaved(n);
    gdrq_int_shortcut shortcut = p.shortcut;
    gdrq_epilogue epilogue = p.epilogue;
    shortcut.other = other;
    epilogue.scale = scale;
    epilogue.bias = bias;
    epilogue.shortcut = epilogue.shortcut ? &shortcut : nullptr;
    const int wanted = random_int(1, 7);
    const gdrq_int_output out = {wanted & 1 ? (uint8_t *)gpu_codes : nullptr,
                                 wanted & 2 ? (float *)gpu_values : nullptr,
                                 wanted & 4 ? (float *)gpu_interleaved : nullptr, nullptr, 0};
    const gdrq_cuda_conv_run run = {&p.conv, &p.limits, packed, &epilogue, in, &out};
    next_order();
    ASSERT_OK(gdrq_cuda_convolve(kernel, &run, scratch, &err));
    scratch.pull(kernel->name);
    if (wanted & 1)
        check_equal(p, kernel, "codes", gpu_codes.pull(kernel->name).data(), codes.data(), n);
    if (wanted & 2)
        check_equal(p, kernel, "values", gpu_values.pull(kernel->name).data(), values.data(),
                    4 * n);
    if (wanted & 4)
        check_equal(p, kernel, "interleaved", gpu_interleaved.pull(kernel->name).data(),
                    interleaved.data(), 4 * n);
}

/* The largest codes of 2x2 outputs. */
static vector<uint8_t> pooled(const gdrq_int_conv &conv, const vector<uint8_t> &codes) {
    const int w = (conv.out.w + 1) / 2, h = (conv.out.h + 1) / 2, c = conv.out.c;
    vector<uint8_t> most((size_t)w * h * c);
    for (size_t i = 0; i < codes.size(); ++i) {
        const int channel = (int)(i % c), x = (int)(i / c) % conv.out.w,
                  y = (int)(i / c) / conv.out.w;
        uint8_t &of = most[((size_t)(y / 2) * w + x / 2) * c + channel];
        of = codes[i] > of ? codes[i] : of;
    }
    return most;
}

static void check_pooled(const problem &p, const gdrq_cuda_conv_kernel *kernel,
                         const vector<uint8_t> &codes) {
    const vector<uint8_t> expected = pooled(p.conv, codes);
    vector<uint8_t> host_packed(kernel->packed_size(&p.conv, &p.limits));
    kernel->pack(&p.conv, &p.limits, host_packed.data());
    device_array<uint8_t> packed(host_packed), in(p.in);
    device_array<float> scale(p.scale), bias(p.bias);
    guarded_array<uint8_t> got(expected.size());
    gdrq_epilogue epilogue = p.epilogue;
    epilogue.scale = scale;
    epilogue.bias = bias;
    const gdrq_int_output out = {nullptr, nullptr, nullptr, got, 0};
    const gdrq_cuda_conv_run run = {&p.conv, &p.limits, packed, &epilogue, in, &out};
    ASSERT_OK(gdrq_cuda_convolve(kernel, &run, nullptr, &err));
    check_equal(p, kernel, "pooled codes", got.pull(kernel->name).data(), expected.data(),
                expected.size());
}

/* Whether the device has the instructions. */
static bool is_here(const gdrq_cuda_conv_kernel *kernel) {
    return kernel->capability <= code_capability();
}

static void check(gdrq_int_conv conv) {
    problem p;
    make(p, conv);
    const size_t n = gdrq_tensor_size(p.conv.out);
    vector<uint8_t> codes(n);
    vector<float> values(n), interleaved(n);
    const gdrq_int_output out = {codes.data(), values.data(), interleaved.data(), nullptr, 0};
    gdrq_int_conv_run(&p.conv, &p.epilogue, p.in.data(), nullptr, &out);
    for (int k = 0; gdrq_cuda_conv_kernels[k]; ++k) {
        const gdrq_cuda_conv_kernel *kernel = gdrq_cuda_conv_kernels[k];
        if (!is_here(kernel) || !kernel->fits(&p.conv, &p.limits))
            continue;
        check_kernel(p, kernel, codes, values, interleaved);
        if (kernel->pools && !p.epilogue.shortcut && p.epilogue.activation.kind != GDRQ_INT_OTHER)
            check_pooled(p, kernel, codes);
    }
}

static gdrq_int_conv shape(int w, int h, int c, int filters, int size, int stride, int pad,
                           int groups) {
    return {{w, h, c}, {0, 0, filters}, size, stride, pad, groups, 0, nullptr, nullptr, 0};
}

static gdrq_int_conv random_shape() {
    const int size = one_of({1, 1, 2, 3, 3, 5}), channels = one_of({1, 3, 4, 6, 8, 16, 17, 32, 40});
    const int groups = channels % 2 || random_int(0, 2) ? 1 : 2;
    return shape(random_int(size, 9), random_int(size, 9), channels,
                 groups * one_of({1, 3, 4, 8, 9, 18, 33}), size, random_int(1, 2),
                 random_int(0, size), groups);
}

static void random_shapes(void **) {
    for (int i = 0; i < random_cases(150); ++i)
        check(random_shape());
}

/* More pixels, filters and products than a block or a chunk has, and just as many. */
static void whole_and_broken_tiles(void **) {
    check(shape(8, 8, 64, 64, 1, 1, 0, 1));
    check(shape(13, 5, 48, 66, 1, 1, 0, 1));
    check(shape(9, 9, 16, 100, 3, 2, 1, 1));
    check(shape(6, 4, 96, 105, 3, 1, 1, 3));
    check(shape(7, 6, 64, 33, 3, 1, 1, 1));
}

static void connected_layers(void **) {
    for (int channels : {1, 2, 31, 32, 100, 1000, 1024})
        check(shape(1, 1, channels, one_of({1, 7, 8, 10, 21}), 1, 1, 0, 1));
}

/* A kernel that was chosen for one size is right for others, too. */
static void a_network_may_grow(void **) {
    const gdrq_int_conv grown = shape(5, 3, 34, 10, 1, 1, 0, 1);
    problem p;
    make(p, grown);
    p.epilogue.shortcut = nullptr;
    p.epilogue.activation.kind = GDRQ_INT_LEAKY;
    const size_t n = gdrq_tensor_size(p.conv.out);
    vector<uint8_t> codes(n);
    vector<float> values(n), interleaved(n);
    const gdrq_int_output out = {codes.data(), values.data(), interleaved.data(), nullptr, 0};
    gdrq_int_conv_run(&p.conv, &p.epilogue, p.in.data(), nullptr, &out);
    check_kernel(p, &gdrq_cuda_connected, codes, values, interleaved);
    check_pooled(p, &gdrq_cuda_connected, codes);
}

static void depthwise(void **) {
    for (int i = 0; i < random_cases(40); ++i) {
        const int channels = one_of({2, 3, 4, 12, 17, 32}), size = one_of({1, 3, 5});
        check(shape(random_int(size, 11), random_int(size, 7), channels, channels, size,
                    random_int(1, 2), random_int(0, size), channels));
    }
}

static void first_layers(void **) {
    check(shape(17, 11, 3, 16, 3, 1, 1, 1));
    check(shape(19, 13, 3, 33, 7, 2, 3, 1));
    check(shape(8, 8, 1, 5, 11, 1, 5, 1));
    check(shape(9, 9, 4, 12, 2, 2, 0, 1));
}

/* The sum goes to the limit of 32 bits, and beyond it if weights of 4 bits were made 16 times as
   large. */
static void long_sums(void **) {
    const int channels = 75264;
    problem p;
    make(p, shape(1, 1, channels, 2, 1, 1, 0, 1));
    p.limits = {255, 7};
    p.in.assign((size_t)channels, 255);
    p.weights.assign(2 * (size_t)channels, 7);
    p.sums.assign(2, 7 * channels);
    p.conv.zero = 0;
    p.epilogue.shortcut = nullptr;
    const size_t narrow = gdrq_cuda_connected.packed_size(&p.conv, &p.limits);
    vector<float> values(2), interleaved(2);
    vector<uint8_t> codes(2);
    const gdrq_int_output out = {codes.data(), values.data(), interleaved.data(), nullptr, 0};
    gdrq_int_conv_run(&p.conv, &p.epilogue, p.in.data(), nullptr, &out);
    check_kernel(p, &gdrq_cuda_connected, codes, values, interleaved);
    p.limits.code = 254;
    assert_true(gdrq_cuda_connected.packed_size(&p.conv, &p.limits) < narrow);
}

/* A shortcut's result in the place of what it adds. */
static void shortcuts_add_in_place(void **) {
    problem p;
    make(p, shape(5, 7, 12, 10, 3, 1, 1, 1));
    p.epilogue.shortcut = &p.shortcut;
    p.other = random_floats(gdrq_tensor_size(p.conv.out), 1);
    p.shortcut.other = p.other.data();
    p.shortcut.from = p.conv.out;
    vector<float> expected(p.other);
    gdrq_int_output out = {nullptr, nullptr, expected.data(), nullptr, 0};
    p.shortcut.other = expected.data();
    gdrq_int_conv_run(&p.conv, &p.epilogue, p.in.data(), nullptr, &out);
    for (const auto *kernel : {&gdrq_cuda_mma, &gdrq_cuda_dp4a}) {
        if (!is_here(kernel))
            continue;
        vector<uint8_t> host_packed(kernel->packed_size(&p.conv, &p.limits));
        kernel->pack(&p.conv, &p.limits, host_packed.data());
        device_array<uint8_t> packed(host_packed), in(p.in);
        device_array<float> scale(p.scale), bias(p.bias);
        guarded_array<float> other(p.other);
        guarded_array<uint8_t> scratch(gdrq_cuda_conv_scratch(&p.conv, &p.epilogue));
        gdrq_int_shortcut shortcut = p.shortcut;
        shortcut.other = out.interleaved = other;
        const gdrq_epilogue epilogue = {scale, bias, p.epilogue.activation, &shortcut, &p.grid};
        const gdrq_cuda_conv_run run = {&p.conv, &p.limits, packed, &epilogue, in, &out};
        ASSERT_OK(gdrq_cuda_convolve(kernel, &run, scratch, &err));
        check_equal(p, kernel, "interleaved", other.pull(kernel->name).data(), expected.data(),
                    4 * expected.size());
    }
}

static void the_best_kernel_is_chosen(void **) {
    const gdrq_conv_limits limits = {15, 7};
    const struct {
        gdrq_int_conv conv;
        int capability;
        const gdrq_cuda_conv_kernel *kernel;
    } cases[] = {
        {shape(416, 416, 3, 16, 3, 1, 1, 1), 87, &gdrq_cuda_pixels},
        {shape(13, 13, 512, 1024, 3, 1, 1, 1), 75, &gdrq_cuda_mma},
        {shape(13, 13, 512, 1024, 3, 1, 1, 1), 61, &gdrq_cuda_dp4a},
        {shape(52, 52, 96, 96, 3, 1, 1, 96), 53, &gdrq_cuda_depthwise},
        {shape(1, 1, 4096, 1000, 1, 1, 0, 1), 61, &gdrq_cuda_connected},
    };
    for (const auto &c : cases)
        assert_ptr_equal(gdrq_cuda_conv_kernel_for(&c.conv, &limits, c.capability), c.kernel);
}

/* On a GPU of 28 multiprocessors. */
static void few_pixels_are_split(void **) {
    const struct {
        gdrq_int_conv conv;
        bool splits;
    } cases[] = {
        {shape(13, 13, 512, 1024, 3, 1, 1, 1), true}, /* 3 x 16 tiles */
        {shape(26, 26, 256, 512, 3, 1, 1, 1), false}, /* 11 x 8 */
        {shape(13, 13, 1024, 255, 1, 1, 0, 1), true}, /* 3 x 4 */
        {shape(13, 13, 256, 255, 1, 1, 0, 1), false}, /* sums of 256 products */
        {shape(13, 13, 512, 1024, 3, 1, 1, 8), true}, /* 3 x 16, of 576 */
        {shape(7, 7, 128, 256, 3, 1, 1, 32), false},  /* 32, of 36 */
    };
    for (auto c : cases) {
        c.conv.out.w = c.conv.in.w, c.conv.out.h = c.conv.in.h;
        assert_int_equal(gdrq_cuda_mma_splits(&c.conv, 28), c.splits);
    }
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_pixels_are_split),   cmocka_unit_test(random_shapes),
        cmocka_unit_test(whole_and_broken_tiles), cmocka_unit_test(connected_layers),
        cmocka_unit_test(a_network_may_grow),     cmocka_unit_test(depthwise),
        cmocka_unit_test(first_layers),           cmocka_unit_test(long_sums),
        cmocka_unit_test(shortcuts_add_in_place), cmocka_unit_test(the_best_kernel_is_chosen),
    };
    seed_random(9);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
