/*
 * `test_conv_kernels --bench`: every kernel that this machine runs on shapes of well-known
 * networks, in turns with the portable one, and what gdrq_conv_kernel_for() would take.
 */
#ifndef TESTS_CONV_BENCH_H
#define TESTS_CONV_BENCH_H

#include "base/seconds.h"
#include "base/times.h"

typedef struct bench_shape {
    int side, channels, filters, size, stride, code, weight;
    bool depthwise;
} bench_shape;

static const bench_shape bench_shapes[] = {
    {416, 3, 16, 3, 1, 255, 127, false},  {224, 3, 64, 7, 2, 255, 127, false},
    {208, 16, 32, 3, 1, 15, 7, false},    {104, 32, 64, 3, 1, 15, 7, false},
    {56, 64, 64, 3, 1, 15, 7, false},     {52, 64, 128, 3, 1, 15, 7, false},
    {52, 128, 32, 3, 1, 15, 7, false},    {28, 128, 128, 3, 1, 15, 7, false},
    {26, 128, 256, 3, 1, 15, 7, false},   {26, 384, 256, 3, 1, 15, 7, false},
    {13, 256, 512, 3, 1, 15, 7, false},   {13, 512, 1024, 3, 1, 15, 7, false},
    {7, 512, 512, 3, 1, 15, 7, false},    {52, 128, 256, 3, 2, 15, 7, false},
    {52, 256, 128, 1, 1, 15, 7, false},   {13, 1024, 256, 1, 1, 15, 7, false},
    {80, 16, 64, 1, 1, 15, 7, false},     {26, 256, 255, 1, 1, 255, 127, false},
    {80, 64, 64, 3, 1, 15, 7, true},      {40, 192, 192, 3, 1, 15, 7, true},
    {20, 144, 144, 5, 1, 255, 127, true},
};

enum { BENCH_ROUNDS = 15, BENCH_MOST = 16 };

static problem bench_problem(const bench_shape *s) {
    seed_random(705);
    problem p = {.conv = {.in = {s->side, s->side, s->channels},
                          .size = s->size,
                          .stride = s->stride,
                          .pad = s->size / 2,
                          .groups = s->depthwise ? s->channels : 1},
                 .limits = {.code = s->code, .weight = s->weight},
                 .output = gdrq_activation_grid(4, GDRQ_RANGE_UNSIGNED, .1f, 1)};
    const int side = (s->side + 2 * p.conv.pad - s->size) / s->stride + 1;
    p.conv.out = (gdrq_tensor_shape){side, side, s->filters};
    do { /* no extreme values: they decide how long narrow sums may get */
        free(p.in);
        free(p.weights);
        free(p.sums);
    } while (fill(&p) < 2);
    p.scale = random_array((size_t)s->filters, .01f);
    p.bias = random_array((size_t)s->filters, .1f);
    p.epilogue =
        (gdrq_epilogue){.scale = p.scale, .bias = p.bias, .activation = {.kind = GDRQ_INT_LEAKY}};
    return p;
}

/* A kernel at work. */
typedef struct bench_entry {
    const gdrq_conv_kernel *kernel;
    void *packed, *scratch;
    double seconds[BENCH_ROUNDS];
} bench_entry;

static void *bench_memory(size_t n) {
    void *memory = aligned_alloc(64, (n + 64) / 64 * 64);
    assert_non_null(memory);
    memset(memory, 0, n);
    return memory;
}

static int bench_entries(const problem *p, bench_entry *entries) {
    int n = 0;
    for (int i = 0; gdrq_conv_kernels[i] && n < BENCH_MOST; i++) {
        const gdrq_conv_kernel *kernel = gdrq_conv_kernels[i];
        if (kernel->cpu > gdrq_cpu_level() || !kernel->fits(&p->conv, &p->limits))
            continue;
        entries[n] = (bench_entry){.kernel = kernel,
                                   .packed = bench_memory(kernel->packed_size(&p->conv)),
                                   .scratch = bench_memory(kernel->scratch(&p->conv))};
        kernel->pack(&p->conv, &p->limits, entries[n++].packed);
    }
    return n;
}

static double median_ms(bench_entry *e) {
    return 1e3 * gdrq_times_of(e->seconds, BENCH_ROUNDS).median;
}

static void run_entry(const problem *p, const bench_entry *e, uint8_t *codes) {
    const gdrq_int_output out = {.codes = codes};
    e->kernel->run(&p->conv, &p->limits, e->packed, &p->epilogue, p->in, e->scratch, &out);
}

static void bench_convolution(const bench_shape *s) {
    problem p = bench_problem(s);
    p.epilogue.grid = &p.output;
    bench_entry entries[BENCH_MOST];
    const int n = bench_entries(&p, entries);
    const size_t size = count(p.conv.out);
    uint8_t *codes = malloc(size), *expected = malloc(size);
    for (int round = -2; round < BENCH_ROUNDS; round++)
        for (int i = 0; i < n; i++) {
            const double start = gdrq_seconds();
            run_entry(&p, &entries[i], codes);
            if (round >= 0)
                entries[i].seconds[round] = gdrq_seconds() - start;
        }
    run_entry(&p, &entries[n - 1], expected);
    const double portable = median_ms(&entries[n - 1]);
    for (int i = 0; i < n; i++) {
        const gdrq_conv_kernel *kernel = entries[i].kernel;
        run_entry(&p, &entries[i], codes);
        assert_memory_equal(codes, expected, size);
        printf("%4d -> %4d at %3d, %dx%d/%d%s  %-14s %8.3f ms  %6.1f x C  cost %8.0f%s\n",
               s->channels, s->filters, s->side, s->size, s->size, s->stride,
               s->depthwise ? " dw" : "   ", kernel->name, median_ms(&entries[i]),
               portable / median_ms(&entries[i]), kernel->cost(&p.conv),
               kernel == gdrq_conv_kernel_for(&p.conv, &p.limits) ? "  taken" : "");
        free(entries[i].packed);
        free(entries[i].scratch);
    }
    free(codes);
    free(expected);
    free_problem(&p);
}

static int bench_all(void) {
    for (size_t i = 0; i < sizeof bench_shapes / sizeof *bench_shapes; i++)
        bench_convolution(&bench_shapes[i]);
    return 0;
}

#endif
