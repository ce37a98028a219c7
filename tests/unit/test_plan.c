/* The plan of a folded network: formats of tensors, memory that lives overlap in, and running it.
 */
#include "plan_test.h"

/*
 * 0 conv, 1 conv, 2 dropout of 1, 3 conv, 4 route of 1 and 3, 5 conv, 6 shortcut of 5 and 0 (a
 * float layer). 0 is read as codes and as values, 5 as values alone.
 */
enum { N = 7 };
static void make_nodes(gdrq_node *nodes) {
    nodes[0] = conv(input, 3, 4, 0);
    nodes[1] = conv(first, 4, 5, 1);
    nodes[2] = (gdrq_node){
        .kind = GDRQ_NODE_SAME, .reads = second, .n_reads = 1, .in = {W, H, 5}, .out = {W, H, 5}};
    nodes[3] = conv(third, 5, 5, 2);
    nodes[4] = (gdrq_node){
        .kind = GDRQ_NODE_ROUTE, .reads = joined, .n_reads = 2, .in = {W, H, 5}, .out = {W, H, 10}};
    nodes[5] = conv(fourth, 10, 4, 2);
    nodes[6] = (gdrq_node){.kind = GDRQ_NODE_FLOAT,
                           .reads = added,
                           .n_reads = 2,
                           .in = {W, H, 4},
                           .out = {W, H, 4},
                           .result = true};
}

static gdrq_plan *make_plan(void) {
    gdrq_node nodes[N];
    gdrq_plan *plan;
    gdrq_error err;
    make_nodes(nodes);
    assert_int_equal(gdrq_plan_make(nodes, N, (gdrq_tensor_shape){W, H, 3}, &plan, &err), GDRQ_OK);
    assert_int_equal(gdrq_plan_reserve(plan, 2, &err), GDRQ_OK);
    return plan;
}

static void test_formats(void **unused) {
    (void)unused;
    static const int classes[] = {0, 1, 2, 2, 2, 2, -1, -1}; /* of -1, 0, 1 ... */
    static const bool values[] = {false, true, false, false, false, false, true, true};
    gdrq_plan *plan = make_plan();
    for (int t = -1; t < N; t++) {
        assert_int_equal(gdrq_plan_class(plan, t), classes[t + 1]);
        assert_int_equal(gdrq_plan_has_values(plan, t), values[t + 1]);
    }
    gdrq_plan_free(plan);
}

static const int channels[] = {3, 4, 5, 5, 5, 10}; /* of -1, 0, 1 ... */

static bool overlap(const gdrq_plan *plan, int a, int b) {
    const uint8_t *x = gdrq_plan_codes(plan, a, 0), *y = gdrq_plan_codes(plan, b, 0);
    return x < y + W * H * channels[b + 1] && y < x + W * H * channels[a + 1];
}

/* Portable C's: tensors that are needed at one time lie apart; dropout's is its input; memory is
 * used again. */
static void test_memory(void **unused) {
    (void)unused;
    static const int together[][2] = {{-1, 0}, {0, 1}, {1, 3}, {1, 4}, {3, 4}};
    gdrq_error err;
    assert_int_equal(gdrq_set_cpu("c", &err), GDRQ_OK); /* which needs no scratch memory */
    gdrq_plan *plan = make_plan();
    for (size_t i = 0; i < sizeof together / sizeof *together; i++)
        assert_false(overlap(plan, together[i][0], together[i][1]));
    assert_ptr_equal(gdrq_plan_codes(plan, 1, 0), gdrq_plan_codes(plan, 2, 0));
    for (int t = -1; t < 5; t++)
        assert_int_equal(gdrq_plan_pixel(plan, t), channels[t + 1]);
    size_t all = 0;
    for (int t = -1; t < 5; t++)
        all += t == 2 ? 0 : (size_t)(W * H * channels[t + 1]);
    assert_true(gdrq_plan_bytes(plan) < all + 64 * 5);
    assert_true(gdrq_plan_codes(plan, 0, 1) - gdrq_plan_codes(plan, 0, 0) >= W * H * 4);
    assert_int_equal(gdrq_set_cpu("avx512vnni", &err), GDRQ_OK);
    gdrq_plan_free(plan);
}

/* A 1x1 convolution of stored codes, in doubles; y[pixel][filter]. */
static void truth(const gdrq_node_weights *w, const int8_t *codes, const uint8_t *in, size_t pixel,
                  int c, int filters, int min, double *y) {
    for (int p = 0; p < W * H; p++)
        for (int f = 0; f < filters; f++) {
            double sum = 0;
            for (int k = 0; k < c; k++)
                sum += codes[f * c + k] * (in[(size_t)p * pixel + (size_t)k] + min);
            const double v = w->epilogue.scale[f] * sum + w->epilogue.bias[f];
            y[p * filters + f] = v > 0 ? v : .1 * v;
        }
}

/* Node by node on two images: each result is that of the same operation on its own input. */
static void test_running(void **unused) {
    (void)unused;
    const gdrq_grid grids[] = {gdrq_activation_grid(8, GDRQ_RANGE_UNSIGNED, 0, 1.f),
                               gdrq_activation_grid(4, GDRQ_RANGE_OFFSET, .1f, 2.f),
                               gdrq_activation_grid(5, GDRQ_RANGE_SIGNED, 0, 1.5f)};
    gdrq_node nodes[N];
    make_nodes(nodes);
    gdrq_plan *plan = make_plan();
    gdrq_node_weights weights[N] = {0};
    int8_t codes[N][MOST_WEIGHTS];
    float values[W * H * 4];
    double y[W * H * 10];
    for (int i = 0; i < N; i++)
        if (nodes[i].kind == GDRQ_NODE_CONV)
            random_weights(&nodes[i], -grids[nodes[i].input_class].min, &weights[i], codes[i]);
    for (int b = 0; b < 2; b++) {
        for (int i = 0; i < W * H * 3; i++)
            gdrq_plan_codes(plan, -1, b)[i] = (uint8_t)random_int(0, 255);
        for (int i = 0; i < N - 1; i++) {
            const gdrq_node *node = &nodes[i];
            float *out = gdrq_plan_has_values(plan, i) ? values : NULL;
            gdrq_plan_run(plan, i, b, &weights[i], grids, out);
            if (node->kind != GDRQ_NODE_CONV)
                continue;
            truth(&weights[i], codes[i], gdrq_plan_codes(plan, node->reads[0], b),
                  gdrq_plan_pixel(plan, node->reads[0]), node->in.c, node->out.c,
                  grids[node->input_class].min, y);
            for (int k = 0; out && k < W * H * node->out.c; k++)
                assert_float_equal(values[k % node->out.c * W * H + k / node->out.c], y[k], 1e-4);
            const int class = gdrq_plan_class(plan, i);
            for (int k = 0; class >= 0 && k < W * H * node->out.c; k++) {
                const size_t at = (size_t)(k / node->out.c) * gdrq_plan_pixel(plan, i) +
                                  (size_t)(k % node->out.c);
                const double code = gdrq_plan_codes(plan, i, b)[at] + grids[class].min;
                const double exact =
                    fmin(fmax(y[k] * grids[class].inv_step, grids[class].min), grids[class].max);
                assert_true(fabs(code - exact) < .501);
            }
        }
    }
    for (int i = 0; i < N; i++)
        gdrq_node_weights_free(&weights[i]);
    gdrq_plan_free(plan);
}

static gdrq_node shortcut(const int *reads, int c) {
    return (gdrq_node){.kind = GDRQ_NODE_SHORTCUT,
                       .reads = reads,
                       .n_reads = 2,
                       .in = {W, H, c},
                       .out = {W, H, c},
                       .shortcut = {.a = 1, .b = 1}};
}

static const int sixth[] = {6}, of_block[] = {2, 0}, of_next[] = {4, 3}, of_pool[] = {7, 5};

/*
 * Two blocks of a residual network: 0 conv, 1 conv, 2 dropout, 3 shortcut of 2 and 0; 4 conv, 5
 * shortcut of 4 and 3; 6 maxpool of 5 with stride 1, 7 conv, 8 shortcut of 7 and 5, whose values
 * are the result.
 */
enum { RESIDUAL = 9 };
static gdrq_plan *residual_plan(void) {
    const gdrq_tensor_shape shape = {W, H, 4};
    gdrq_node nodes[RESIDUAL] = {
        conv(input, 3, 4, 0),
        conv(first, 4, 4, 1),
        {.kind = GDRQ_NODE_SAME, .reads = second, .n_reads = 1, .in = shape, .out = shape},
        shortcut(of_block, 4),
        conv(joined + 1, 4, 4, 1),
        shortcut(of_next, 4),
        {.kind = GDRQ_NODE_MAXPOOL,
         .reads = added,
         .n_reads = 1,
         .in = shape,
         .out = shape,
         .size = 1,
         .stride = 1},
        conv(sixth, 4, 4, 2),
        shortcut(of_pool, 4),
    };
    gdrq_plan *plan;
    gdrq_error err;
    nodes[RESIDUAL - 1].result = true;
    assert_int_equal(gdrq_plan_make(nodes, RESIDUAL, (gdrq_tensor_shape){W, H, 3}, &plan, &err),
                     GDRQ_OK);
    assert_int_equal(gdrq_plan_reserve(plan, 2, &err), GDRQ_OK);
    return plan;
}

/* Convolutions do the shortcuts behind them, but for the one whose values the host wants. */
static void test_fused_shortcuts(void **unused) {
    (void)unused;
    static const bool interleaved[] = {true, false, false, true, false, true, false, true, false};
    static const int classes[] = {1, -1, -1, 1, -1, 2, 2, -1, -1};
    gdrq_plan *plan = residual_plan();
    for (int i = 0; i < RESIDUAL; i++) {
        assert_int_equal(gdrq_plan_is_interleaved(plan, i), interleaved[i]);
        assert_int_equal(gdrq_plan_class(plan, i), classes[i]);
        assert_int_equal(gdrq_plan_has_values(plan, i), i == RESIDUAL - 1);
    }
    assert_string_equal(gdrq_plan_way(plan, 3), "fused");
    assert_string_equal(gdrq_plan_way(plan, 5), "fused");
    assert_string_equal(gdrq_plan_way(plan, 8), "interleaved");
    assert_true(gdrq_plan_computes_values(plan, 8));
    gdrq_plan_free(plan);
}

/* What nothing reads any more is where the sum goes; codes of the same tensors lie elsewhere. */
static void test_sums_in_place(void **unused) {
    (void)unused;
    gdrq_plan *plan = residual_plan();
    for (int b = 0; b < 2; b++) {
        const float *sum = gdrq_plan_interleaved(plan, 0, b);
        assert_ptr_equal(gdrq_plan_interleaved(plan, 3, b), sum);
        assert_ptr_equal(gdrq_plan_interleaved(plan, 5, b), sum);
        const float *last = gdrq_plan_interleaved(plan, 7, b);
        assert_true(last >= sum + W * H * 4 || sum >= last + W * H * 4);
        static const int with_codes[] = {0, 3, 5, 6};
        for (int i = 0; i < 4; i++) {
            const uint8_t *codes = gdrq_plan_codes(plan, with_codes[i], b);
            assert_true(codes >= (const uint8_t *)(sum + W * H * 4) ||
                        codes + W * H * 4 <= (const uint8_t *)sum);
        }
    }
    gdrq_plan_free(plan);
}

/* 0 conv, 1 maxpool of 2x2, and who reads its codes: 2 conv; and perhaps 3 something else. */
typedef struct pooling {
    int w, h, stride, pad;
    gdrq_node_kind other; /* GDRQ_NODE_SAME: none; a CONV reads what the maxpool does */
    bool fuses;
} pooling;

enum { POOLING = 4 };
static const int both[] = {1, 1};

static int pooled_side(const pooling *p, int side) {
    return (side + p->pad - 2) / p->stride + 1;
}

static int make_pooling(const pooling *p, gdrq_node nodes[POOLING]) {
    const gdrq_tensor_shape shape = {p->w, p->h, 4};
    const gdrq_tensor_shape pooled = {pooled_side(p, p->w), pooled_side(p, p->h), 4};
    nodes[0] = conv(input, 3, 4, 0);
    nodes[0].in = (gdrq_tensor_shape){p->w, p->h, 3};
    nodes[0].out = shape;
    nodes[1] = (gdrq_node){.kind = GDRQ_NODE_MAXPOOL,
                           .reads = first,
                           .n_reads = 1,
                           .in = shape,
                           .out = pooled,
                           .size = 2,
                           .stride = p->stride,
                           .pad = p->pad};
    nodes[2] = conv(second, 4, 4, 1);
    nodes[2].in = nodes[2].out = pooled;
    nodes[3] = p->other == GDRQ_NODE_CONV ? conv(first, 4, 4, 1) : shortcut(both, 4);
    nodes[3].kind = p->other;
    nodes[3].in = nodes[3].out = p->other == GDRQ_NODE_CONV ? shape : pooled;
    return p->other == GDRQ_NODE_SAME ? 3 : 4;
}

static bool lie_apart(const gdrq_plan *plan, int a, size_t size_a, int b, size_t size_b) {
    const uint8_t *x = gdrq_plan_codes(plan, a, 0), *y = gdrq_plan_codes(plan, b, 0);
    return x >= y + size_b || y >= x + size_a;
}

/* Codes of the maxpool in the second image, of the same input and weights whatever runs it; freed
 * by the caller. */
static uint8_t *pooled_codes(const pooling *p, const char *cpu, bool fuses) {
    const gdrq_grid grids[2] = {{.inv_step = 255, .max = 255}, {.inv_step = 20, .max = 15}};
    gdrq_node nodes[POOLING];
    gdrq_node_weights weights;
    int8_t codes[MOST_WEIGHTS];
    gdrq_plan *plan;
    gdrq_error err;
    const int n = make_pooling(p, nodes);
    const size_t size = gdrq_tensor_size(nodes[1].out), inputs = gdrq_tensor_size(nodes[0].in);
    assert_int_equal(gdrq_set_cpu(cpu, &err), GDRQ_OK);
    assert_int_equal(gdrq_plan_make(nodes, n, nodes[0].in, &plan, &err), GDRQ_OK);
    assert_int_equal(gdrq_plan_reserve(plan, 2, &err), GDRQ_OK);
    assert_int_equal(gdrq_plan_has_codes(plan, 0), !fuses);
    assert_int_equal(strcmp(gdrq_plan_way(plan, 1), "fused") == 0, fuses);
    assert_true(!fuses || lie_apart(plan, -1, inputs, 1, size));
    seed_random(78);
    random_weights(&nodes[0], 0, &weights, codes);
    for (size_t i = 0; i < inputs; i++)
        gdrq_plan_codes(plan, -1, 1)[i] = (uint8_t)random_int(0, 255);
    float *const values = malloc(gdrq_tensor_size(nodes[0].out) * sizeof *values);
    for (int i = 0; i < 2; i++)
        gdrq_plan_run(plan, i, 1, i ? NULL : &weights, grids,
                      i == 0 && gdrq_plan_has_values(plan, 0) ? values : NULL);
    uint8_t *const out = malloc(size);
    memcpy(out, gdrq_plan_codes(plan, 1, 1), size);
    gdrq_node_weights_free(&weights);
    gdrq_plan_free(plan);
    free(values);
    return out;
}

/* A maxpool is done by the convolution before it if that one's kernel can, its windows are apart
 * and begin in the image's corner, and nothing else reads what is between or values of it. */
static void test_fused_maxpool(void **unused) {
    (void)unused;
    static const pooling cases[] = {
        {8, 6, 2, 1, GDRQ_NODE_SAME, true},      {8, 6, 2, 0, GDRQ_NODE_SAME, true},
        {7, 5, 2, 1, GDRQ_NODE_SAME, true},      {7, 6, 2, 0, GDRQ_NODE_SAME, false},
        {8, 5, 2, 0, GDRQ_NODE_SAME, false},     {7, 5, 2, 2, GDRQ_NODE_SAME, false},
        {8, 6, 1, 1, GDRQ_NODE_SAME, false},     {8, 6, 2, 1, GDRQ_NODE_CONV, false},
        {8, 6, 2, 1, GDRQ_NODE_SHORTCUT, false}, {8, 6, 2, 1, GDRQ_NODE_FLOAT, false},
    };
    const bool can = gdrq_cpu_detect() >= GDRQ_CPU_AVX2;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pooling *p = &cases[i];
        uint8_t *const plain = pooled_codes(p, "c", false);
        uint8_t *const codes = pooled_codes(p, "avx512vnni", can && p->fuses);
        assert_memory_equal(codes, plain, pooled_side(p, p->w) * pooled_side(p, p->h) * 4);
        free(plain);
        free(codes);
    }
}

int main(void) {
    seed_random(77);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),       cmocka_unit_test(test_memory),
        cmocka_unit_test(test_running),       cmocka_unit_test(test_fused_shortcuts),
        cmocka_unit_test(test_sums_in_place), cmocka_unit_test(test_fused_maxpool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
