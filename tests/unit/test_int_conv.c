/*
 * The portable integer convolution against sums in 64 bits, and its epilogue against the functions
 * that the training graph runs at inference.
 */
#include "int_ops_test.h"

#include "primitives/batchnorm.h"
#include "primitives/kernels.h"

enum { CONVOLUTIONS = 150 };

static int8_t *random_weights(size_t n) {
    const bool extreme = random_int(0, 4) == 0;
    const int top = (1 << random_int(1, 7)) - 1;
    int8_t *const weights = malloc(n);
    assert_non_null(weights);
    for (size_t i = 0; i < n; i++)
        weights[i] = (int8_t)(extreme ? top * (2 * random_int(0, 1) - 1) : random_int(-top, top));
    return weights;
}

/* A convolution, its numbers, and what should come out. */
typedef struct problem {
    gdrq_int_conv conv;
    gdrq_grid input, output;
    uint8_t *in;
    int8_t *weights;
    int32_t *weight_sums;
    float *scale, *bias;
    int32_t *sums; /* NHWC */
    float *acc;    /* the same in NCHW */
} problem;

static int out_side(int in, const gdrq_int_conv *c) {
    return (in + 2 * c->pad - c->size) / c->stride + 1;
}

/* Product by product, as the definition says; what lies outside is the value 0. */
static int64_t reference_sum(const gdrq_int_conv *c, const uint8_t *in, int f, int y, int x) {
    const int per_group = c->in.c / c->groups, first = f / (c->out.c / c->groups) * per_group;
    int64_t sum = 0;
    for (int v = 0; v < c->size; v++)
        for (int u = 0; u < c->size; u++)
            for (int k = 0; k < per_group; k++) {
                const int row = y * c->stride - c->pad + v, column = x * c->stride - c->pad + u;
                if (row < 0 || column < 0 || row >= c->in.h || column >= c->in.w)
                    continue;
                const int64_t code = in[(row * c->in.w + column) * c->in.c + first + k];
                sum += (code - c->zero) *
                       c->weights[((f * c->size + v) * c->size + u) * per_group + k];
            }
    return sum;
}

static void expect_sums(problem *p) {
    const gdrq_int_conv *const c = &p->conv;
    const int plane = c->out.w * c->out.h;
    p->sums = malloc(count(c->out) * sizeof *p->sums);
    p->acc = malloc(count(c->out) * sizeof *p->acc);
    assert_non_null(p->sums);
    assert_non_null(p->acc);
    for (int f = 0; f < c->out.c; f++)
        for (int i = 0; i < plane; i++) {
            const int64_t sum = reference_sum(c, p->in, f, i / c->out.w, i % c->out.w);
            assert_true(sum >= INT32_MIN && sum <= INT32_MAX);
            p->sums[i * c->out.c + f] = (int32_t)sum;
            p->acc[f * plane + i] = (float)sum;
        }
}

/* Geometry with in, out.c, size, stride, pad and groups given. The caller frees. */
static problem make_problem(gdrq_int_conv conv) {
    conv.out.w = out_side(conv.in.w, &conv);
    conv.out.h = out_side(conv.in.h, &conv);
    problem p = {.conv = conv, .input = random_grid()};
    const size_t size = (size_t)(conv.size * conv.size) * (size_t)(conv.in.c / conv.groups);
    const size_t filters = (size_t)conv.out.c;
    p.in = random_codes(count(conv.in), &p.input);
    p.weights = random_weights(filters * size);
    p.weight_sums = calloc(filters, sizeof *p.weight_sums);
    assert_non_null(p.weight_sums);
    for (size_t i = 0; i < filters * size; i++)
        p.weight_sums[i / size] += p.weights[i];
    p.conv.zero = -p.input.min;
    p.conv.weights = p.weights;
    p.conv.sum = p.weight_sums;
    expect_sums(&p);
    return p;
}

static void free_problem(problem *p) {
    free(p->in);
    free(p->weights);
    free(p->weight_sums);
    free(p->scale);
    free(p->bias);
    free(p->sums);
    free(p->acc);
}

/* Scales, negative ones too, that spread the results over the whole output grid and beyond it. */
static void add_scales(problem *p) {
    const size_t filters = (size_t)p->conv.out.c;
    double squares = 0;
    for (size_t i = 0; i < count(p->conv.out); i++)
        squares += (double)p->acc[i] * p->acc[i];
    const double deviation = sqrt(squares / (double)count(p->conv.out)) + 1;
    p->output = random_grid();
    const float top = p->output.step * (float)p->output.max;
    p->scale = random_array(filters, (float)(top / deviation));
    p->bias = random_array(filters, .3f * top);
}

static void print_shape(const gdrq_int_conv *c) {
    print_error(
        "convolution %dx%dx%d to %dx%dx%d, size %d, stride %d, pad %d, groups %d, zero %d\n",
        c->in.w, c->in.h, c->in.c, c->out.w, c->out.h, c->out.c, c->size, c->stride, c->pad,
        c->groups, c->zero);
}

static void assert_bytes(const problem *p, const char *what, const void *got, const void *expected,
                         size_t n) {
    check_guards(what, got, n);
    if (memcmp(got, expected, n) == 0)
        return;
    print_shape(&p->conv);
    assert_memory_equal(got, expected, n);
}

static void check_sums(const problem *p) {
    const size_t bytes = count(p->conv.out) * sizeof *p->sums;
    int32_t *const sums = guarded(bytes);
    gdrq_int_conv_sums(&p->conv, p->in, sums);
    assert_bytes(p, "sums", sums, p->sums, bytes);
    free_guarded(sums);
}

static void activate(float *x, size_t n, int which) {
    gdrq_activate_block(x, n, (ACTIVATION)which);
}

static const struct {
    gdrq_int_activation_kind ours;
    ACTIVATION host;
} activations[] = {{GDRQ_INT_LINEAR, LINEAR},  {GDRQ_INT_RELU, RELU},     {GDRQ_INT_LEAKY, LEAKY},
                   {GDRQ_INT_OTHER, LOGISTIC}, {GDRQ_INT_OTHER, HARDTAN}, {GDRQ_INT_OTHER, RELU}};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

/* Codes, values, or both are wanted. */
static void check_run(const problem *p, const gdrq_epilogue *epilogue, const float *values,
                      const uint8_t *codes) {
    const size_t n = count(p->conv.out);
    void *const scratch = guarded(gdrq_int_conv_scratch(&p->conv));
    for (int wanted = 1; wanted <= 3; wanted++) {
        const gdrq_int_output out = {.codes = wanted & 1 ? guarded(n) : NULL,
                                     .values = wanted & 2 ? guarded(n * sizeof(float)) : NULL};
        gdrq_int_conv_run(&p->conv, epilogue, p->in, scratch, &out);
        if (out.codes)
            assert_bytes(p, "codes", out.codes, codes, n);
        if (out.values)
            assert_bytes(p, "values", out.values, values, n * sizeof(float));
        free_guarded(out.codes);
        free_guarded(out.values);
    }
    check_guards("scratch", scratch, gdrq_int_conv_scratch(&p->conv));
    free_guarded(scratch);
}

/* The training graph's own functions say what values and codes become of the sums. */
static void check_epilogue(const problem *p, int activation) {
    const gdrq_tensor_shape shape = p->conv.out;
    const gdrq_bn_shape bn = {.batch = 1, .channels = shape.c, .spatial = shape.w * shape.h};
    const gdrq_epilogue epilogue = {.scale = p->scale,
                                    .bias = p->bias,
                                    .activation = {.kind = activations[activation].ours,
                                                   .function = activate,
                                                   .which = (int)activations[activation].host},
                                    .grid = &p->output};
    float *const values = zeros(count(shape));
    gdrq_scale_bias_activate(&bn, p->acc, p->scale, p->bias, activations[activation].host, values);
    uint8_t *const codes = expected_codes(shape, &p->output, values);
    check_run(p, &epilogue, values, codes);
    free(values);
    free(codes);
}

static void check_convolution(gdrq_int_conv conv) {
    const int before = omp_get_max_threads();
    problem p = make_problem(conv);
    add_scales(&p);
    const int activation = random_int(0, ACTIVATIONS - 1);
    for (int i = 0; i < THREAD_COUNTS; i++) {
        omp_set_num_threads(thread_counts[i]);
        check_sums(&p);
        check_epilogue(&p, activation);
    }
    omp_set_num_threads(before);
    free_problem(&p);
}

/* in.w and in.h such that there is at least one output. */
static gdrq_int_conv random_geometry(int largest_size, int largest_side) {
    gdrq_int_conv c = {.size = random_int(1, largest_size), .stride = random_int(1, 4)};
    c.pad = random_int(0, 3) ? random_int(0, c.size) : random_int(c.size, c.size + 3);
    const int least = c.size > 2 * c.pad ? c.size - 2 * c.pad : 1;
    c.in.w = random_int(least, least + largest_side);
    c.in.h = random_int(least, least + largest_side);
    return c;
}

static void convolutions(void **state) {
    (void)state;
    seed_random(11);
    for (int i = 0; i < CONVOLUTIONS; i++) {
        gdrq_int_conv c = random_geometry(5, 14);
        c.groups = i % 3 ? 1 : random_int(2, 4);
        c.in.c = c.groups * random_int(1, i % 7 ? 24 : 90);
        c.out.c = c.groups * random_int(1, i % 5 ? 20 : 80);
        check_convolution(c);
    }
}

/* One channel per filter; then several filters per channel, and a group per channel of one. */
static void depthwise_convolutions(void **state) {
    (void)state;
    seed_random(12);
    for (int i = 0; i < CONVOLUTIONS / 2; i++) {
        gdrq_int_conv c = random_geometry(7, 14);
        c.groups = c.in.c = random_int(1, i % 4 ? 40 : 150);
        c.out.c = c.groups * (i % 3 ? 1 : random_int(2, 3));
        check_convolution(c);
    }
}

/* 1 x 1 on one pixel, and filters as large as the image. */
static void connected_layers(void **state) {
    (void)state;
    seed_random(13);
    for (int i = 0; i < 30; i++) {
        const int side = random_int(1, 9);
        check_convolution((gdrq_int_conv){.in = {1, 1, random_int(1, 3000)},
                                          .out.c = random_int(1, 150),
                                          .size = 1,
                                          .stride = 1,
                                          .groups = 1});
        check_convolution((gdrq_int_conv){.in = {side, side, random_int(1, 40)},
                                          .out.c = random_int(1, 20),
                                          .size = side,
                                          .stride = random_int(1, 2),
                                          .groups = 1});
    }
}

/* Around the number of products that are taken at a time, of tiles' pixels and of their filters. */
static void sizes_around_the_blocks(void **state) {
    (void)state;
    seed_random(14);
    static const int channels[] = {31, 32, 33, 511, 512, 513, 1024, 1055};
    static const int widths[] = {1, 2, 15, 16, 17, 33};
    static const int filters[] = {1, 3, 4, 5, 63, 64, 65, 129};
    for (int i = 0; i < 40; i++)
        check_convolution((gdrq_int_conv){.in = {widths[i % 6], 1, channels[i % 8]},
                                          .out.c = filters[random_int(0, 7)],
                                          .size = 1,
                                          .stride = 1,
                                          .groups = 1});
}

/* The largest filter with the largest products of both signs, and the zero code at either end. */
static void largest_sums(void **state) {
    (void)state;
    const int n = INT32_MAX / (255 * 127);
    const int32_t largest = n * 255 * 127;
    uint8_t *const in = malloc((size_t)n);
    int8_t *const weights = malloc(2 * (size_t)n);
    assert_non_null(in);
    assert_non_null(weights);
    memset(weights, 127, (size_t)n);
    memset(weights + n, -127, (size_t)n);
    gdrq_int_conv conv = {
        .in = {1, 1, n}, .out = {1, 1, 2}, .size = 1, .stride = 1, .groups = 1, .weights = weights};
    for (int zero = 0; zero <= 255; zero += 255) {
        int32_t sums[2];
        conv.zero = zero;
        memset(in, 255 - zero, (size_t)n);
        gdrq_int_conv_sums(&conv, in, sums);
        assert_int_equal(sums[0], zero ? -largest : largest);
        assert_int_equal(sums[1], zero ? largest : -largest);
    }
    free(in);
    free(weights);
}

/* Exactly between two codes: to the even one. Beyond the grid, infinite, NaN: to its ends. */
static void epilogue_rounds_and_clips(void **state) {
    (void)state;
    const gdrq_grid grid = gdrq_weight_grid(4, 7.f);
    const float scale[] = {.5f, .5f, .5f, .5f, -.5f, -.5f, 1e30f, -1e30f, 0, 1};
    const float bias[] = {0, 0, 0, 0, 0, 0, INFINITY, -INFINITY, NAN, -1};
    const int32_t sums[GDRQ_TILE_FILTERS] = {1, 3, 5, 13, 1, 3, 1, 1, 1, 1 << 24};
    const uint8_t expected[] = {0 + 7, 2 + 7, 2 + 7, 6 + 7, 0 + 7, -2 + 7, 14, 0, 0, 14};
    const gdrq_epilogue epilogue = {.scale = scale, .bias = bias, .grid = &grid};
    uint8_t codes[10];
    gdrq_int_finish(&epilogue, (gdrq_tensor_shape){1, 1, 10},
                    &(gdrq_int_tile){.pixels = 1, .filters = 10}, sums,
                    &(gdrq_int_output){.codes = codes});
    assert_memory_equal(codes, expected, sizeof expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),     cmocka_unit_test(depthwise_convolutions),
        cmocka_unit_test(connected_layers), cmocka_unit_test(sizes_around_the_blocks),
        cmocka_unit_test(largest_sums),     cmocka_unit_test(epilogue_rounds_and_clips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
