/* Routes in a plan: what they join is written in its place, and nothing needed is written over. */
#include "plan_test.h"

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

int main(void) {
    seed_random(79);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concatenations),
        cmocka_unit_test(test_shared_parts),
        cmocka_unit_test(test_random_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
