/*
 * Every kernel of integer convolutions that this machine can run against the portable one, to the
 * bit: random shapes from a printed seed, extreme values, and guards around all that is written.
 * `--bench` times them instead (conv_bench.h).
 */
#include <unistd.h>

#include "int_ops_test.h"

#include "infer/conv_kernel.h"
#include "primitives/kernels.h"

typedef struct problem {
    gdrq_int_conv conv;
    gdrq_conv_limits limits;
    gdrq_grid output;
    uint8_t *in;
    int8_t *weights;
    int32_t *sums;
    float *scale, *bias, *other;
    gdrq_int_shortcut shortcut;
    gdrq_epilogue epilogue;
} problem;

static void activate(float *x, size_t n, int which) {
    gdrq_activate_block(x, n, (ACTIVATION)which);
}

static int random_sign(void) {
    return 2 * random_int(0, 1) - 1;
}

/* Values up to the limits; now and then (below 2 is returned) nothing but them, which narrow sums
 * must hold. */
static int fill(problem *p) {
    const gdrq_int_conv *c = &p->conv;
    const size_t size = (size_t)(c->size * c->size) * (size_t)(c->in.c / c->groups);
    const size_t filters = (size_t)c->out.c, inputs = count(c->in);
    const int extreme = random_int(0, 3);
    p->in = malloc(inputs);
    p->weights = malloc(filters * size);
    p->sums = calloc(filters, sizeof *p->sums);
    for (size_t i = 0; i < inputs; i++)
        p->in[i] = (uint8_t)(extreme == 0   ? p->limits.code
                             : extreme == 1 ? p->limits.code * random_int(0, 1)
                                            : random_int(0, p->limits.code));
    for (size_t i = 0; i < filters * size; i++) {
        const int top = p->limits.weight;
        p->weights[i] = (int8_t)(extreme == 0   ? (i / size % 2 ? top : -top)
                                 : extreme == 1 ? top * random_sign()
                                                : random_int(-top, top));
        p->sums[i / size] += p->weights[i];
    }
    p->conv.weights = p->weights;
    p->conv.sum = p->sums;
    return extreme;
}

static bool few_bits; /* codes and weights that Winograd's transform leaves in bytes */

static gdrq_int_activation any_activation(void) {
    return (gdrq_int_activation){.kind = (gdrq_int_activation_kind)random_int(0, GDRQ_INT_OTHER),
                                 .function = activate,
                                 .which = LOGISTIC};
}

/* A map that a shortcut may add to one of this shape, by every second or third pixel. */
static gdrq_tensor_shape larger(gdrq_tensor_shape s) {
    const int factor = random_int(1, 3);
    return (gdrq_tensor_shape){s.w * factor + random_int(0, s.w - 1), s.h * factor,
                               random_int(1, 2 * s.c)};
}

static problem make_problem(gdrq_int_conv conv) {
    conv.out.w = (conv.in.w + 2 * conv.pad - conv.size) / conv.stride + 1;
    conv.out.h = (conv.in.h + 2 * conv.pad - conv.size) / conv.stride + 1;
    problem p = {.conv = conv,
                 .limits = {.code = (1 << random_int(2, few_bits ? 4 : 8)) - 1,
                            .weight = (1 << random_int(1, few_bits ? 3 : 7)) - 1},
                 .output = random_grid()};
    p.conv.zero = random_int(0, 2) ? 0 : random_int(0, p.limits.code);
    fill(&p);
    const double size = (double)(conv.size * conv.size) * conv.in.c / conv.groups;
    const float top = p.output.step * (float)p.output.max;
    p.scale = random_array((size_t)conv.out.c,
                           top / (float)(p.limits.code * p.limits.weight * sqrt(size)));
    p.bias = random_array((size_t)conv.out.c, .3f * top);
    p.epilogue = (gdrq_epilogue){.scale = p.scale, .bias = p.bias, .activation = any_activation()};
    const gdrq_tensor_shape from = random_int(0, 2) ? conv.out : larger(conv.out);
    p.other = random_array(count(from), .5f * top);
    p.shortcut = (gdrq_int_shortcut){.other = p.other,
                                     .from = from,
                                     .to = conv.out,
                                     .a = random_int(0, 1) ? 1 : 1.3f,
                                     .b = random_int(0, 1) ? 1 : -.7f,
                                     .activation = any_activation()};
    return p;
}

static void free_problem(problem *p) {
    free(p->in);
    free(p->weights);
    free(p->sums);
    free(p->scale);
    free(p->bias);
    free(p->other);
}

/* n bytes at an address that is a multiple of 64, between guards, which guarded() leaves so. */
static void *aligned_guarded(size_t n, void **all) {
    uint8_t *const bytes = *all = aligned_alloc(64, (n + 2 * GUARD + 127) / 64 * 64);
    assert_non_null(bytes);
    memset(bytes, GUARD_BYTE, n + 2 * GUARD);
    return bytes + GUARD;
}

static void check_equal(const problem *p, const gdrq_conv_kernel *kernel, const char *what,
                        const void *got, const void *expected, size_t n) {
    check_guards(kernel->name, got, n);
    if (memcmp(got, expected, n) == 0)
        return;
    const gdrq_int_conv *c = &p->conv;
    fail_msg("%s: %s differ: %dx%dx%d to %dx%dx%d, size %d, stride %d, pad %d, groups %d, zero %d, "
             "codes to %d, weights to %d",
             kernel->name, what, c->in.w, c->in.h, c->in.c, c->out.w, c->out.h, c->out.c, c->size,
             c->stride, c->pad, c->groups, c->zero, p->limits.code, p->limits.weight);
}

/* An output in all its forms. */
typedef struct forms {
    uint8_t *codes;
    float *values, *interleaved;
} forms;

static forms make_forms(size_t n) {
    return (forms){malloc(n), malloc(n * sizeof(float)), malloc(n * sizeof(float))};
}

static void free_forms(forms *r) {
    free(r->codes);
    free(r->values);
    free(r->interleaved);
}

/* So many codes from pixel to pixel, or a few more. */
static size_t wider(int channels) {
    return (size_t)channels + (size_t)(random_int(0, 1) * random_int(1, 40));
}

static size_t spread_size(gdrq_tensor_shape s, size_t pixel) {
    return (size_t)(s.w * s.h - 1) * pixel + (size_t)s.c;
}

/* On an input that may be a part of a wider one; scratch memory is for either. */
static void run_between(const problem *p, const gdrq_conv_kernel *kernel, const void *packed,
                        const gdrq_epilogue *epilogue, void *scratch, const gdrq_int_output *out) {
    const gdrq_tensor_shape in = p->conv.in;
    gdrq_int_conv conv = p->conv;
    conv.in_pixel = wider(in.c);
    uint8_t *const codes = spread_codes(p->in, (size_t)(in.w * in.h), (size_t)in.c, conv.in_pixel);
    kernel->run(&conv, &p->limits, packed, epilogue, codes, scratch, out);
    free(codes);
}

static void check_codes(const problem *p, const gdrq_conv_kernel *kernel, const char *what,
                        gdrq_tensor_shape shape, const gdrq_int_output *out, const uint8_t *codes,
                        const uint8_t *expected) {
    uint8_t *const gathered = guarded(count(shape));
    check_guards(kernel->name, codes, spread_size(shape, out->pixel));
    gather_codes(kernel->name, codes, (size_t)(shape.w * shape.h), (size_t)shape.c, out->pixel,
                 gathered);
    check_equal(p, kernel, what, gathered, expected, count(shape));
    free_guarded(gathered);
}

/* In the forms that `wanted` has bits for; interleaved values now and then in the place of what a
 * shortcut adds, as an engine may have them. */
static void check_run(const problem *p, const gdrq_conv_kernel *kernel, int wanted,
                      const void *packed, void *scratch, const forms *expected) {
    const size_t n = count(p->conv.out), bytes = n * sizeof(float);
    const size_t pixel = wider(p->conv.out.c), spread = spread_size(p->conv.out, pixel);
    const gdrq_int_output out = {.codes = wanted & 1 ? guarded(spread) : NULL,
                                 .pixel = pixel,
                                 .values = wanted & 2 ? guarded(bytes) : NULL,
                                 .interleaved = wanted & 4 ? guarded(bytes) : NULL};
    gdrq_epilogue epilogue = p->epilogue;
    gdrq_int_shortcut in_place = p->shortcut;
    if (epilogue.shortcut && out.interleaved && random_int(0, 1) &&
        gdrq_same_shape(p->shortcut.from, p->conv.out)) {
        memcpy(out.interleaved, p->other, bytes);
        in_place.other = out.interleaved;
        epilogue.shortcut = &in_place;
    }
    run_between(p, kernel, packed, &epilogue, scratch, &out);
    if (out.codes)
        check_codes(p, kernel, "codes", p->conv.out, &out, out.codes, expected->codes);
    if (out.values)
        check_equal(p, kernel, "values", out.values, expected->values, bytes);
    if (out.interleaved)
        check_equal(p, kernel, "interleaved values", out.interleaved, expected->interleaved, bytes);
    free_guarded(out.codes);
    free_guarded(out.values);
    free_guarded(out.interleaved);
}

/* The largest codes of 2x2 outputs, without the shortcut. */
static void check_pooled(const problem *p, const gdrq_conv_kernel *kernel, const void *packed,
                         void *scratch) {
    const gdrq_int_pool pool = {
        .in = p->conv.out,
        .out = {(p->conv.out.w + 1) / 2, (p->conv.out.h + 1) / 2, p->conv.out.c},
        .size = 2,
        .stride = 2,
        .pad = 1};
    const size_t n = count(pool.out);
    uint8_t *const codes = malloc(count(pool.in)), *const expected = malloc(n);
    gdrq_epilogue epilogue = p->epilogue;
    epilogue.shortcut = NULL;
    gdrq_int_conv_run(&p->conv, &epilogue, p->in, NULL, &(gdrq_int_output){.codes = codes});
    gdrq_int_maxpool(&pool, codes, (size_t)pool.in.c, expected, (size_t)pool.out.c);
    const size_t pixel = wider(pool.out.c);
    const gdrq_int_output out = {.pooled = guarded(spread_size(pool.out, pixel)), .pixel = pixel};
    run_between(p, kernel, packed, &epilogue, scratch, &out);
    check_codes(p, kernel, "pooled codes", pool.out, &out, out.pooled, expected);
    free_guarded(out.pooled);
    free(codes);
    free(expected);
}

static void check_kernel(const problem *p, const gdrq_conv_kernel *kernel, const forms *expected) {
    gdrq_int_conv wide = p->conv;
    wide.in_pixel = (size_t)wide.in.c + 1;
    const size_t packed_size = kernel->packed_size(&p->conv), scratch_size = kernel->scratch(&wide);
    void *all_packed, *all_scratch;
    void *const packed = aligned_guarded(packed_size, &all_packed);
    void *const scratch = aligned_guarded(scratch_size, &all_scratch);
    kernel->pack(&p->conv, &p->limits, packed);
    check_guards("packing", packed, packed_size);
    for (int wanted = 1; wanted < 8; wanted++)
        check_run(p, kernel, wanted, packed, scratch, expected);
    if (kernel->pools && p->epilogue.activation.kind != GDRQ_INT_OTHER)
        check_pooled(p, kernel, packed, scratch);
    check_guards("scratch", scratch, scratch_size);
    free(all_packed);
    free(all_scratch);
}

#if defined(__x86_64__)
/* What the Makefile builds of the kernels of AVX-512 for any machine. */
extern const gdrq_conv_kernel gdrq_conv_emulated_winograd, gdrq_conv_emulated_direct;
static const gdrq_conv_kernel *const emulated[] = {&gdrq_conv_emulated_winograd,
                                                   &gdrq_conv_emulated_direct, NULL};
#else
static const gdrq_conv_kernel *const emulated[] = {NULL};
#endif

static int checked[2][16]; /* by the kernel's place in its table; [1]: emulated */

static void check_kernels(const problem *p, bool emulates, const forms *expected) {
    const gdrq_conv_kernel *const *kernel = emulates ? emulated : gdrq_conv_kernels;
    for (int i = 0; kernel[i]; i++) {
        if ((!emulates && kernel[i]->cpu > gdrq_cpu_detect()) ||
            !kernel[i]->fits(&p->conv, &p->limits))
            continue;
        check_kernel(p, kernel[i], expected);
        checked[emulates][i]++;
    }
}

static void check_convolution(gdrq_int_conv conv) {
    problem p = make_problem(conv);
    p.epilogue.grid = &p.output;
    p.epilogue.shortcut = random_int(0, 2) ? NULL : &p.shortcut;
    forms expected = make_forms(count(p.conv.out));
    gdrq_int_conv_run(&p.conv, &p.epilogue, p.in, NULL,
                      &(gdrq_int_output){.codes = expected.codes,
                                         .values = expected.values,
                                         .interleaved = expected.interleaved});
    const int before = omp_get_max_threads();
    omp_set_num_threads(random_int(1, 4));
    gdrq_cpu_set_cache((size_t)(random_int(0, 2) * random_int(1, 64) * 1024));
    check_kernels(&p, false, &expected);
    check_kernels(&p, true, &expected);
    gdrq_cpu_set_cache(0);
    omp_set_num_threads(before);
    free_forms(&expected);
    free_problem(&p);
}

static gdrq_int_conv random_geometry(void) {
    gdrq_int_conv c = {.size = random_int(1, 5), .stride = random_int(1, 3)};
    c.pad = random_int(0, 3) ? c.size / 2 : random_int(0, c.size + 2);
    const int least = c.size > 2 * c.pad ? c.size - 2 * c.pad : 1;
    c.in.w = random_int(least, least + 20);
    c.in.h = random_int(least, least + 12);
    c.groups = random_int(0, 5) ? 1 : random_int(2, 4);
    return c;
}

static void random_shapes(void **state) {
    (void)state;
    seed_random(701);
    for (int i = 0; i < random_cases(400); i++) {
        gdrq_int_conv c = random_geometry();
        c.in.c = c.groups * random_int(1, i % 5 ? 20 : 90);
        c.out.c = c.groups * random_int(1, i % 4 ? 20 : 70);
        check_convolution(c);
    }
}

/* Shapes by their names: around whole tiles of pixels and filters, and around what sums hold. */
static void shapes_around_the_tiles(void **state) {
    (void)state;
    seed_random(702);
    static const int widths[] = {1, 5, 6, 7, 11, 12, 13, 191, 192, 193};
    static const int filters[] = {1, 7, 8, 9, 15, 16, 17, 31, 32, 33};
    static const int channels[] = {1, 2, 3, 4, 5, 7, 8, 64, 311, 312, 313, 1000};
    for (int i = 0; i < random_cases(150); i++)
        check_convolution(
            (gdrq_int_conv){.in = {widths[i % 10], random_int(1, 3), channels[i % 12]},
                            .out.c = filters[random_int(0, 9)],
                            .size = 1,
                            .stride = 1,
                            .groups = 1});
    for (int i = 0; i < random_cases(60); i++)
        check_convolution((gdrq_int_conv){.in = {widths[i % 7], random_int(1, 5), channels[i % 9]},
                                          .out.c = filters[random_int(0, 9)],
                                          .size = 3,
                                          .stride = 1,
                                          .pad = 1,
                                          .groups = 1});
}

/* What only few shapes and bits allow: Winograd's, with odd sides, several blocks and any border.
 */
static void three_by_three(void **state) {
    (void)state;
    seed_random(703);
    static const int channels[] = {32, 48, 64, 80, 160};
    for (int i = 0; i < random_cases(80); i++) {
        few_bits = true;
        check_convolution((gdrq_int_conv){
            .in = {random_int(3, i % 9 ? 20 : 90), random_int(3, i % 9 ? 20 : 40), channels[i % 5]},
            .out.c = random_int(32, 90),
            .size = 3,
            .stride = 1,
            .pad = random_int(0, 3) ? 1 : random_int(0, 3),
            .groups = 1});
    }
    few_bits = false;
}

/* A channel per filter, around whole vectors of them. */
static void depthwise(void **state) {
    (void)state;
    seed_random(704);
    for (int i = 0; i < random_cases(160); i++) {
        few_bits = i % 2;
        gdrq_int_conv c = random_geometry();
        c.groups = c.in.c = c.out.c = i % 3 ? random_int(2, 70) : 16 * random_int(1, 6);
        check_convolution(c);
    }
    few_bits = false;
}

/* So many tiles that their number times that of blocks is more than 32 bits hold. */
static void large_map(void **state) {
    (void)state;
    seed_random(706);
    few_bits = true;
    problem p = make_problem((gdrq_int_conv){
        .in = {1024, 1024, 16}, .out.c = 4, .size = 3, .stride = 1, .pad = 1, .groups = 1});
    few_bits = false;
    p.epilogue.grid = &p.output;
    forms expected = make_forms(count(p.conv.out));
    const gdrq_int_output codes = {.codes = expected.codes};
    gdrq_int_conv_run(&p.conv, &p.epilogue, p.in, NULL, &codes);
    for (int i = 0; gdrq_conv_kernels[i]; i++) {
        const gdrq_conv_kernel *kernel = gdrq_conv_kernels[i];
        if (kernel->cpu > gdrq_cpu_detect() || !kernel->fits(&p.conv, &p.limits))
            continue;
        void *packed, *scratch;
        uint8_t *const to = aligned_guarded(kernel->packed_size(&p.conv), &packed);
        uint8_t *const memory = aligned_guarded(kernel->scratch(&p.conv), &scratch);
        kernel->pack(&p.conv, &p.limits, to);
        check_run(&p, kernel, 1, to, memory, &expected);
        free(packed);
        free(scratch);
    }
    free_forms(&expected);
    free_problem(&p);
}

static void every_kernel_was_checked(void **state) {
    (void)state;
    for (int i = 0; gdrq_conv_kernels[i]; i++) {
        const bool runs = gdrq_conv_kernels[i]->cpu <= gdrq_cpu_detect();
        printf("%s: %d convolutions%s\n", gdrq_conv_kernels[i]->name, checked[0][i],
               runs ? "" : ", which this machine can't run");
        assert_true(checked[0][i] > 0 || !runs);
    }
    for (int i = 0; emulated[i]; i++) {
        printf("%s, emulated: %d convolutions\n", emulated[i]->name, checked[1][i]);
        assert_true(checked[1][i] > 0);
    }
}

/* What blocks are cut for: no less than any processor of these levels has, no more than any. */
static void cache_of_a_core(void **state) {
    (void)state;
    const size_t bytes = gdrq_cpu_cache();
    assert_in_range(bytes, 64 * 1024, 64 * 1024 * 1024);
    const long system = sysconf(_SC_LEVEL2_CACHE_SIZE);
    assert_true(system <= 0 || bytes == (size_t)system);
}

static void levels_limit_the_choice(void **state) {
    (void)state;
    gdrq_error err = {""};
    const gdrq_int_conv conv = {
        .in = {4, 4, 8}, .out = {4, 4, 16}, .size = 3, .stride = 1, .pad = 1, .groups = 1};
    const gdrq_conv_limits four_bits = {15, 7}, eight_bits = {255, 127};
    assert_int_equal(gdrq_set_cpu("c", &err), GDRQ_OK);
    assert_int_equal(gdrq_cpu_level(), GDRQ_CPU_C);
    assert_ptr_equal(gdrq_conv_kernel_for(&conv, &four_bits), &gdrq_conv_c);
    assert_int_equal(gdrq_set_cpu("avx512vnni", &err), GDRQ_OK);
    assert_int_equal(gdrq_cpu_level(), gdrq_cpu_detect());
    if (gdrq_cpu_detect() >= GDRQ_CPU_AVX2) {
        assert_int_equal(gdrq_set_cpu("avx2", &err), GDRQ_OK);
        const gdrq_int_conv wide = {
            .in = {4, 4, 64}, .out = {4, 4, 64}, .size = 3, .stride = 1, .pad = 1, .groups = 1};
        assert_string_equal(gdrq_conv_kernel_for(&conv, &four_bits)->name, "avx2 narrow");
        assert_string_equal(gdrq_conv_kernel_for(&wide, &four_bits)->name, "avx2 winograd");
        assert_string_equal(gdrq_conv_kernel_for(&conv, &eight_bits)->name, "avx2 wide");
    }
    assert_int_equal(gdrq_set_cpu("mmx", &err), GDRQ_ERROR_ARGUMENT);
    assert_non_null(strstr(err.message, "avx2"));
    assert_int_equal(gdrq_set_cpu("avx512vnni", &err), GDRQ_OK);
}

#include "conv_bench.h"

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "--bench"))
        return bench_all();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_shapes),   cmocka_unit_test(shapes_around_the_tiles),
        cmocka_unit_test(three_by_three),  cmocka_unit_test(depthwise),
        cmocka_unit_test(large_map),       cmocka_unit_test(every_kernel_was_checked),
        cmocka_unit_test(cache_of_a_core), cmocka_unit_test(levels_limit_the_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
