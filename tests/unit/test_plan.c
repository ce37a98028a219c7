/* The plan of a folded network: formats of tensors, memory that lives overlap in, and running it.
 */
#include "infer/plan.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "random_data.h"

enum { W = 8, H = 6 };

static gdrq_node conv(const int *read, int c, int filters, int input_class) {
    return (gdrq_node){.kind = GDRQ_NODE_CONV,
                       .reads = read,
                       .n_reads = 1,
                       .in = {W, H, c},
                       .out = {W, H, filters},
                       .size = 1,
                       .stride = 1,
                       .groups = 1,
                       .rises = true,
                       .input_class = input_class,
                       .limits = {.code = 255, .weight = 127}};
}

static const int input[] = {-1}, first[] = {0}, second[] = {1}, third[] = {2};
static const int joined[] = {1, 3}, fourth[] = {4}, added[] = {5, 0};

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

enum { MOST_WEIGHTS = 64 };

/* Packed for whatever kernel this machine has; the codes themselves go to `codes`. */
static void random_weights(const gdrq_node *node, int zero, gdrq_node_weights *w, int8_t *codes) {
    gdrq_error err = {""};
    const int filters = node->out.c, c = node->in.c;
    assert_int_equal(gdrq_node_weights_make(w, filters, (size_t)c, &err), GDRQ_OK);
    float *scale = (float *)w->epilogue.scale, *bias = (float *)w->epilogue.bias;
    for (int f = 0; f < filters; f++) {
        scale[f] = .01f * (float)(1 + random_unit());
        bias[f] = .1f * random_normal();
        for (int k = 0; k < c; k++) {
            w->codes[f * c + k] = codes[f * c + k] = (int8_t)random_int(-7, 7);
            w->sums[f] += w->codes[f * c + k];
        }
    }
    w->epilogue.activation.kind = GDRQ_INT_LEAKY;
    assert_int_equal(gdrq_node_weights_pack(w, node, zero, &err), GDRQ_OK);
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

static gdrq_node route(const int *reads, int n, int c) {
    return (gdrq_node){
        .kind = GDRQ_NODE_ROUTE, .reads = reads, .n_reads = n, .in = {W, H, 0}, .out = {W, H, c}};
}

static const int earlier[] = {1, 0}, later[] = {3, 2}, again[] = {0, 5, 5}, alone[] = {6};
static const int with_input[] = {-1, 7, 8}, eighth[] = {8}, fifth[] = {7};

/*
 * As in a densenet: 0 conv, 1 conv, 2 route of 1 and 0, 3 conv, 4 route of 3 and 2, 5 conv; 6 route
 * of 0, which so is in two of them, and 5 twice; 7 route of 6 alone, 8 conv, 9 connected layer
 * on 8. 10 route of the input, 7 and 8; 11 conv of that.
 */
enum { JOINING = 12 };
static const int of_ninth[] = {10};
static void make_joining(gdrq_node *nodes) {
    nodes[0] = conv(input, 3, 4, 0);
    nodes[1] = conv(first, 4, 5, 0);
    nodes[2] = route(earlier, 2, 9);
    nodes[3] = conv(third, 9, 3, 0);
    nodes[4] = route(later, 2, 12);
    nodes[5] = conv(fourth, 12, 2, 0);
    nodes[6] = route(again, 3, 8);
    nodes[7] = route(alone, 1, 8);
    nodes[8] = conv(fifth, 8, 1, 0);
    nodes[9] = conv(eighth, W * H, 1, 0);
    nodes[9].flat = true;
    nodes[9].in = (gdrq_tensor_shape){1, 1, W * H};
    nodes[9].out = (gdrq_tensor_shape){1, 1, 1};
    nodes[9].result = true;
    nodes[10] = route(with_input, 3, 12);
    nodes[11] = conv(of_ninth, 12, 2, 0);
    nodes[11].result = true;
}

static gdrq_tensor_shape shape_of(const gdrq_node *nodes, int tensor) {
    return tensor < 0 ? (gdrq_tensor_shape){W, H, 3} : nodes[tensor].out;
}

/* The most that run_network() takes. */
enum { MOST_NODES = 14, MOST_CODES = W * H * 64, MOST_OF_NODE = W * H * 64 * 20 };

/* Tensors and weights without gaps, as portable C has them; by index + 1, and by index. */
typedef struct plain {
    uint8_t codes[MOST_NODES + 1][MOST_CODES];
    int8_t weights[MOST_NODES][MOST_OF_NODE];
    float values[W * H * 64];
} plain;

/* What node i gives. */
static void run_plainly(const gdrq_node *nodes, int i, const gdrq_node_weights *w,
                        const gdrq_grid *grid, plain *all) {
    const gdrq_node *node = &nodes[i];
    const gdrq_int_pool pool = gdrq_node_pool(node);
    const size_t channels = (size_t)node->out.c;
    uint8_t *const out = all->codes[i + 1];
    gdrq_int_part parts[3];
    for (int r = 0; r < node->n_reads; r++) {
        const int c = shape_of(nodes, node->reads[r]).c;
        parts[r] = (gdrq_int_part){all->codes[node->reads[r] + 1], c, (size_t)c};
    }
    gdrq_int_conv c = gdrq_node_conv(node, w, -grid->min);
    gdrq_epilogue epilogue = w->epilogue;
    c.weights = all->weights[i];
    epilogue.grid = grid;
    switch (node->kind) {
    case GDRQ_NODE_ROUTE:
        gdrq_int_route(W, H, parts, node->n_reads, out, channels);
        break;
    case GDRQ_NODE_MAXPOOL:
        gdrq_int_maxpool(&pool, parts[0].codes, channels, out, channels);
        break;
    case GDRQ_NODE_SAME:
        memcpy(out, parts[0].codes, gdrq_tensor_size(node->out));
        break;
    default:
        gdrq_int_conv_run(&c, &epilogue, parts[0].codes, NULL,
                          &(gdrq_int_output){.codes = out, .values = all->values});
    }
}

static void check_tensor(const gdrq_plan *plan, const gdrq_node *nodes, int tensor,
                         const uint8_t *expected) {
    const gdrq_tensor_shape s = shape_of(nodes, tensor);
    const uint8_t *codes = gdrq_plan_codes(plan, tensor, 1);
    for (int p = 0; p < s.w * s.h; p++, codes += gdrq_plan_pixel(plan, tensor), expected += s.c)
        assert_memory_equal(codes, expected, s.c);
}

/* What each node reads is as it should be then, and what it gives: nothing that is needed later was
 * written over. */
static void run_network(const gdrq_node *nodes, int n, plain *all) {
    const gdrq_grid grid = gdrq_activation_grid(4, GDRQ_RANGE_OFFSET, .1f, 2.f);
    gdrq_node_weights weights[MOST_NODES] = {0};
    float values[W * H * 64];
    gdrq_plan *plan;
    gdrq_error err;
    assert_int_equal(gdrq_plan_make(nodes, n, shape_of(nodes, -1), &plan, &err), GDRQ_OK);
    assert_int_equal(gdrq_plan_reserve(plan, 2, &err), GDRQ_OK);
    for (int i = 0; i < n; i++)
        if (nodes[i].kind == GDRQ_NODE_CONV)
            random_weights(&nodes[i], -grid.min, &weights[i], all->weights[i]);
    for (int i = 0; i < W * H * 3; i++)
        all->codes[0][i] = (uint8_t)random_int(0, 15);
    memcpy(gdrq_plan_codes(plan, -1, 1), all->codes[0], W * H * 3);
    for (int i = 0; i < n; i++) {
        const bool conv = nodes[i].kind == GDRQ_NODE_CONV;
        const bool wanted = conv && gdrq_plan_has_values(plan, i);
        for (int r = 0; r < nodes[i].n_reads && (conv || gdrq_plan_has_codes(plan, i)); r++)
            check_tensor(plan, nodes, nodes[i].reads[r], all->codes[nodes[i].reads[r] + 1]);
        run_plainly(nodes, i, &weights[i], &grid, all);
        gdrq_plan_run(plan, i, 1, &weights[i], &grid, wanted ? values : NULL);
        if (gdrq_plan_has_codes(plan, i))
            check_tensor(plan, nodes, i, all->codes[i + 1]);
        if (wanted)
            assert_memory_equal(values, all->values,
                                gdrq_tensor_size(nodes[i].out) * sizeof *values);
    }
    for (int i = 0; i < n; i++)
        gdrq_node_weights_free(&weights[i]);
    gdrq_plan_free(plan);
}

static void run_at_all_levels(const gdrq_node *nodes, int n) {
    plain *const all = malloc(sizeof *all);
    gdrq_error err;
    assert_non_null(all);
    for (int level = GDRQ_CPU_C; level <= (int)gdrq_cpu_detect(); level++) {
        assert_int_equal(gdrq_set_cpu(gdrq_cpu_name((gdrq_cpu)level), &err), GDRQ_OK);
        run_network(nodes, n, all);
    }
    assert_int_equal(gdrq_set_cpu("avx512vnni", &err), GDRQ_OK);
    free(all);
}

static void check_places(const gdrq_plan *plan) {
    static const char *const ways[] = {
        [2] = "codes", [4] = "in place", [6] = "codes", [7] = "in place", [10] = "codes"};
    for (int i = 0; i <= 10; i++)
        if (ways[i])
            assert_string_equal(gdrq_plan_way(plan, i), ways[i]);
    uint8_t *const nested = gdrq_plan_codes(plan, 4, 0), *const last = gdrq_plan_codes(plan, 10, 0);
    assert_ptr_equal(gdrq_plan_codes(plan, 3, 0), nested);
    assert_ptr_equal(gdrq_plan_codes(plan, 2, 0), nested + 3);
    assert_ptr_equal(gdrq_plan_codes(plan, 1, 0), nested + 3);
    assert_ptr_equal(gdrq_plan_codes(plan, 7, 0), last + 3);
    assert_ptr_equal(gdrq_plan_codes(plan, 0, 0), last + 3);
    assert_ptr_equal(gdrq_plan_codes(plan, 5, 0), last + 3 + 4);
    for (int i = 0; i < 8; i++)
        assert_int_equal(gdrq_plan_pixel(plan, i), 12);
    assert_int_equal(gdrq_plan_pixel(plan, 8), 1);
}

/* Codes are written where a route has them, unless portable C runs. */
static void test_concatenations(void **unused) {
    (void)unused;
    gdrq_node nodes[JOINING];
    gdrq_plan *plan;
    gdrq_error err;
    make_joining(nodes);
    run_at_all_levels(nodes, JOINING);
    assert_int_equal(gdrq_plan_make(nodes, JOINING, shape_of(nodes, -1), &plan, &err), GDRQ_OK);
    assert_int_equal(gdrq_plan_reserve(plan, 1, &err), GDRQ_OK);
    if (gdrq_cpu_level() > GDRQ_CPU_C)
        check_places(plan);
    gdrq_plan_free(plan);
}

/* Of two routes, the last joins what the one before does: one of its parts; it and one of them. */
static void test_shared_parts(void **unused) {
    (void)unused;
    static const int with_last[] = {3, 0}, nested_too[] = {2, 1}, of_nested[] = {3};
    gdrq_node apart[] = {conv(input, 3, 8, 0),  conv(first, 8, 16, 0),   route(earlier, 2, 24),
                         conv(third, 24, 5, 0), route(with_last, 2, 13), conv(fourth, 13, 2, 0)};
    apart[5].result = true;
    run_at_all_levels(apart, 6);
    gdrq_node nested[] = {conv(input, 3, 8, 0), conv(first, 8, 7, 0), route(earlier, 2, 15),
                          route(nested_too, 2, 22), conv(of_nested, 22, 2, 0)};
    nested[4].result = true;
    run_at_all_levels(nested, 5);
}

enum { MOST_CHANNELS = 60 };

static gdrq_node moving(gdrq_node_kind kind, const int *read, int c) {
    return (gdrq_node){.kind = kind,
                       .reads = read,
                       .n_reads = 1,
                       .in = {W, H, c},
                       .out = {W, H, c},
                       .size = 2,
                       .stride = 1,
                       .pad = 1};
}

/* Of the tensors before node n, the input less often, none that is flat. */
static int random_tensor(const gdrq_node *nodes, int n) {
    for (;;) {
        const int t = random_int(random_int(0, 3) ? 0 : -1, n - 1);
        if (t < 0 || nodes[t].out.w > 1)
            return t;
    }
}

static gdrq_node random_node(const gdrq_node *nodes, int n, int reads[3]) {
    const int kind = random_int(0, 9), filters = random_int(1, 20);
    const int parts = kind < 5 ? random_int(1, 3) : 1;
    int c = 0;
    for (int r = 0; r < parts; r++) {
        reads[r] = random_tensor(nodes, n);
        c += shape_of(nodes, reads[r]).c;
    }
    if (kind < 5 && c <= MOST_CHANNELS)
        return route(reads, parts, c);
    c = shape_of(nodes, reads[0]).c;
    if (kind == 5 || kind == 6)
        return moving(kind == 5 ? GDRQ_NODE_SAME : GDRQ_NODE_MAXPOOL, reads, c);
    gdrq_node node = conv(reads, c, filters, 0);
    if (kind == 7 && n > 4) {
        node.flat = node.result = true;
        node.in = (gdrq_tensor_shape){1, 1, W * H * c};
        node.out = (gdrq_tensor_shape){1, 1, filters};
    }
    return node;
}

/* Anything that routes may join, in any order. */
static void test_random_networks(void **unused) {
    (void)unused;
    enum { LAST = MOST_NODES - 1 };
    for (int i = 0; i < 150; i++) {
        gdrq_node nodes[MOST_NODES];
        int reads[MOST_NODES][3];
        nodes[0] = conv(input, 3, random_int(1, 20), 0);
        for (int n = 1; n < LAST; n++)
            nodes[n] = random_node(nodes, n, reads[n]);
        reads[LAST][0] = random_tensor(nodes, LAST);
        nodes[LAST] = conv(reads[LAST], shape_of(nodes, reads[LAST][0]).c, 3, 0);
        nodes[LAST].result = true;
        run_at_all_levels(nodes, MOST_NODES);
    }
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
        cmocka_unit_test(test_formats),         cmocka_unit_test(test_memory),
        cmocka_unit_test(test_running),         cmocka_unit_test(test_fused_shortcuts),
        cmocka_unit_test(test_sums_in_place),   cmocka_unit_test(test_fused_maxpool),
        cmocka_unit_test(test_concatenations),  cmocka_unit_test(test_shared_parts),
        cmocka_unit_test(test_random_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
