/* The region layer against the host's, and on labels and inputs that the host must not be given. */
#include "detection_test.h"

#include "primitives/region_layer.h"

enum { HOST_TRUTHS = 30, CLASSES = 7 };

typedef struct setting {
    int batch, w, h, n, coords, truths;
    int softmax, background, rescore, bias_match;
    float mask_scale;
    size_t seen;
    bool map, tree;
} setting;

typedef struct problem {
    layer l; /* the host's; twins of it run */
    network net;
    size_t seen;
} problem;

static const setting plain = {.batch = 2, .w = 5, .h = 4, .n = 3, .coords = 4, .truths = 9};

/* Seven classes: 0, 1 and 2 at the root, 3 and 4 below 0, 5 and 6 below 3. */
static int parent[CLASSES] = {-1, -1, -1, 0, 0, 3, 3}, group[CLASSES] = {0, 0, 0, 1, 1, 2, 2};
static int group_size[] = {3, 2, 2}, group_offset[] = {0, 3, 5};
static tree hierarchy = {.n = CLASSES,
                         .parent = parent,
                         .group = group,
                         .groups = 3,
                         .group_size = group_size,
                         .group_offset = group_offset};

static layer make_layer(const setting *s) {
    typedef layer maker(int, int, int, int, int, int);
    static const float anchors[] = {1.3f, 1.7f, 3.2f, 4, .6f, .8f, 2.5f, 1.1f, 5, 3};
    const int saved = silence(stderr);
    layer l = ((maker *)stock_function("make_region_layer"))(s->batch, s->w, s->h, s->n, CLASSES,
                                                             s->coords);
    restore(stderr, saved);
    memcpy(l.biases, anchors, 2 * s->n * sizeof *anchors);
    l.max_boxes = HOST_TRUTHS;
    l.softmax = s->softmax;
    l.background = s->background;
    l.rescore = s->rescore;
    l.bias_match = s->bias_match;
    l.thresh = .4f;
    l.coord_scale = 1.5f;
    l.object_scale = 5;
    l.noobject_scale = .5f;
    l.class_scale = .75f;
    l.mask_scale = s->mask_scale;
    return l;
}

static int *rotating_map(void) {
    int *const map = malloc(CLASSES * sizeof *map);
    assert_non_null(map);
    for (int i = 0; i < CLASSES; i++)
        map[i] = (i + 2) % CLASSES;
    return map;
}

/* make_region_layer() reseeds rand(); go on from where the test was. */
static problem *make_problem(const setting *s) {
    const unsigned next = (unsigned)rand();
    problem *const p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->l = make_layer(s);
    srand(next);
    const size_t n = (size_t)p->l.batch * p->l.outputs;
    if (s->map)
        p->l.map = rotating_map();
    if (s->tree)
        p->l.softmax_tree = &hierarchy;
    p->seen = s->seen;
    p->net = (network){.w = 416, .h = 416, .train = 1, .batch = s->batch, .seen = &p->seen};
    p->net.input = random_floats(n, -1, 1);
    p->net.truth = random_truths(&p->l, s->coords, CLASSES, s->truths);
    p->net.delta = random_floats(n, -1, 1);
    return p;
}

static void free_problem(problem *p) {
    free(p->net.input);
    free(p->net.truth);
    free(p->net.delta);
    free(p->l.output);
    free(p->l.delta);
    free(p->l.cost);
    free(p->l.biases);
    free(p->l.bias_updates);
    free(p->l.map);
    free(p);
}

static layer run_stock(const problem *p) {
    layer l = twin_of(&p->l);
    run_quietly(stock_function("forward_region_layer"), l, p->net);
    return l;
}

static layer run_ours(const problem *p) {
    layer l = twin_of(&p->l);
    gdrq_forward_region_layer(l, p->net);
    return l;
}

static void compare(const setting *s) {
    problem *const p = make_problem(s);
    layer stock = run_stock(p), ours = run_ours(p);
    assert_same_layers(&ours, &stock);
    free_twin(&stock);
    free_twin(&ours);
    free_problem(p);
}

/* Every combination of the flags, on changing shapes. */
static void matches_host(void **state) {
    (void)state;
    static const int grids[][2] = {{1, 1}, {5, 3}, {9, 13}};
    for (int flags = 0; flags < 128; flags++) {
        const setting s = {
            .batch = 1 + flags % 3,
            .w = grids[flags % 3][0],
            .h = grids[flags % 3][1],
            .n = 1 + flags % 5,
            .coords = flags & 1 ? 7 : 4,
            .softmax = flags >> 1 & 1,
            .background = flags >> 2 & 1,
            .rescore = flags >> 3 & 1,
            .bias_match = flags >> 4 & 1,
            .seen = flags & 32 ? 12800 : 12799,
            .map = flags >> 6 & 1,
            .mask_scale = 1.5f + flags % 2,
            .truths = flags % 7   ? pick(1, 12)
                      : flags % 2 ? HOST_TRUTHS
                                  : 0,
        };
        compare(&s);
    }
}

static void inference_leaves_the_cost(void **state) {
    (void)state;
    problem *const p = make_problem(&plain);
    p->net.train = 0;
    p->net.truth[0] = NAN;
    layer stock = run_stock(p), ours = run_ours(p);
    assert_same_layers(&ours, &stock);
    assert_true(*ours.cost == -1);
    for (size_t i = 0; i < (size_t)p->l.batch * p->l.outputs; i++)
        assert_true(ours.delta[i] == 0);
    free_twin(&stock);
    free_twin(&ours);
    free_problem(p);
}

static size_t index_of(const layer *l, int image, int anchor, int entry, int cell) {
    const size_t cells = (size_t)l->w * l->h, entries = l->coords + 1 + CLASSES;
    return (size_t)image * l->outputs + (anchor * entries + entry) * cells + cell;
}

static float logistic(float x) {
    return (float)(1 / (1 + exp(-x)));
}

/* The seven class probabilities of a slot from its logits: a softmax within each group. */
static void tree_probabilities(const float *logits, float *probabilities) {
    for (int g = 0; g < hierarchy.groups; g++) {
        double sum = 0;
        for (int i = 0; i < group_size[g]; i++)
            sum += exp(logits[group_offset[g] + i]);
        for (int i = 0; i < group_size[g]; i++)
            probabilities[group_offset[g] + i] = (float)(exp(logits[group_offset[g] + i]) / sum);
    }
}

static void expected_tree_slot(const layer *l, const float *input, float *output, int image,
                               int anchor, int cell) {
    float logits[CLASSES], probabilities[CLASSES];
    for (int i = 0; i < l->coords + 1; i++) {
        const size_t at = index_of(l, image, anchor, i, cell);
        output[at] = i < 2 || i == l->coords ? logistic(input[at]) : input[at];
    }
    for (int i = 0; i < CLASSES; i++)
        logits[i] = input[index_of(l, image, anchor, l->coords + 1 + i, cell)];
    tree_probabilities(logits, probabilities);
    for (int i = 0; i < CLASSES; i++)
        output[index_of(l, image, anchor, l->coords + 1 + i, cell)] = probabilities[i];
}

static void assert_tree_output(const problem *p, const layer *ours) {
    const layer *const l = &p->l;
    const size_t n = (size_t)l->batch * l->outputs;
    float *const expected = malloc(n * sizeof *expected);
    assert_non_null(expected);
    for (int i = 0; i < l->batch * l->n * l->w * l->h; i++) {
        const int cell = i % (l->w * l->h), block = i / (l->w * l->h);
        expected_tree_slot(l, p->net.input, expected, block / l->n, block % l->n, cell);
    }
    assert_close("output", ours->output, expected, n);
    free(expected);
}

/*
 * The host's own softmax over a tree works on a layout of its own. With a tree that counts no
 * groups it leaves the class entries as they are: given our probabilities as input, its deltas are
 * what ours should be.
 */
static layer run_stock_on_probabilities(const problem *p, const layer *ours) {
    tree no_softmax = hierarchy;
    no_softmax.groups = 0;
    layer l = twin_of(&p->l);
    l.softmax_tree = &no_softmax;
    network net = p->net;
    net.input = copy_floats(p->net.input, (size_t)l.batch * l.outputs);
    for (int i = 0; i < l.batch * l.n; i++) {
        const size_t at = index_of(&l, i / l.n, i % l.n, l.coords + 1, 0);
        memcpy(net.input + at, ours->output + at, (size_t)CLASSES * l.w * l.h * sizeof(float));
    }
    run_quietly(stock_function("forward_region_layer"), l, net);
    free(net.input);
    return l;
}

static void compare_tree(problem *p) {
    layer ours = run_ours(p);
    assert_tree_output(p, &ours);
    layer stock = run_stock_on_probabilities(p, &ours);
    assert_same_layers(&ours, &stock);
    free_twin(&ours);
    free_twin(&stock);
}

static void tree_learns_as_host(void **state) {
    (void)state;
    for (int i = 0; i < 6; i++) {
        const setting s = {.batch = 1 + i % 3,
                           .w = 4 + i,
                           .h = 7,
                           .n = 1 + i % 4,
                           .coords = 4 + i % 2,
                           .softmax = i & 1,
                           .truths = 8,
                           .tree = true,
                           .map = i > 2,
                           .seen = 20000};
        problem *const p = make_problem(&s);
        compare_tree(p);
        free_problem(p);
    }
}

/* A label far outside of the image says "somewhere in it"; the boxes of that image do not count. */
static void tree_learns_a_class_without_box(void **state) {
    (void)state;
    for (int class_id = 0; class_id < CLASSES; class_id++) {
        setting s = plain;
        s.tree = true;
        s.batch = 3;
        problem *const p = make_problem(&s);
        const float row[] = {999999, 999999, 999999, 999999, (float)class_id};
        memcpy(p->net.truth + p->l.truths + 2 * 5, row, sizeof row);
        compare_tree(p);
        free_problem(p);
    }
}

/* Rows that must be passed over: {x, y, w, h, class}. */
static const float bad_rows[][5] = {
    {.5f, .5f, .2f, .2f, -1},
    {.5f, .5f, .2f, .2f, CLASSES},
    {.5f, .5f, .2f, .2f, 1e9f},
    {.5f, .5f, .2f, .2f, 3e38f},
    {.5f, .5f, .2f, .2f, NAN},
    {NAN, .5f, .2f, .2f, 1},
    {.5f, NAN, .2f, .2f, 1},
    {.5f, .5f, NAN, .2f, 1},
    {.5f, .5f, .2f, INFINITY, 1},
    {-.1f, .5f, .2f, .2f, 1},
    {.5f, 1, .2f, .2f, 1},
    {1, .5f, .2f, .2f, 1},
    {.5f, -1e30f, .2f, .2f, 1},
    {.5f, .5f, 0, .2f, 1},
    {7e5f, 7e5f, 7e5f, 7e5f, -1},
    {7e5f, 7e5f, 7e5f, 7e5f, NAN},
    {7e5f, 7e5f, 7e5f, 7e5f, CLASSES},
};
enum { BAD = sizeof bad_rows / sizeof *bad_rows };

static void spoil(problem *p) {
    for (int b = 0; b < p->l.batch; b++) {
        float *const rows = p->net.truth + (size_t)b * p->l.truths;
        memmove(rows + sizeof bad_rows / sizeof *rows, rows,
                (HOST_TRUTHS - BAD) * sizeof bad_rows[0]);
        memcpy(rows, bad_rows, sizeof bad_rows);
    }
}

static void bad_truths_are_passed_over(void **state) {
    (void)state;
    for (int with_tree = 0; with_tree < 2; with_tree++) {
        setting s = plain;
        s.tree = with_tree;
        problem *const p = make_problem(&s);
        layer expected = with_tree ? run_ours(p) : run_stock(p);
        spoil(p);
        layer ours = run_ours(p);
        assert_same_layers(&ours, &expected);
        free_twin(&expected);
        free_twin(&ours);
        free_problem(p);
    }
}

static void small_tree_bounds_the_classes(void **state) {
    (void)state;
    setting s = plain;
    s.truths = 0;
    problem *const p = make_problem(&s);
    tree small = hierarchy;
    small.n = 3;
    small.groups = 1;
    p->l.softmax_tree = &small;
    layer expected = run_ours(p);
    const float row[] = {.5f, .5f, .3f, .3f, 3};
    memcpy(p->net.truth, row, sizeof row);
    layer ours = run_ours(p);
    assert_same_layers(&ours, &expected);
    free_twin(&expected);
    free_twin(&ours);
    free_problem(p);
}

/* The host stops at 30 whatever the cfg's max says; ours goes on to it, but not past the array. */
static void number_of_truths_is_the_layers(void **state) {
    (void)state;
    setting s = plain;
    s.truths = HOST_TRUTHS;
    problem *const p = make_problem(&s);
    layer stock = run_stock(p);
    p->l.max_boxes = 1000;
    layer ours = run_ours(p);
    assert_same_layers(&ours, &stock);
    p->l.max_boxes = 5;
    layer few = run_ours(p);
    for (int b = 0; b < p->l.batch; b++)
        p->net.truth[(size_t)b * p->l.truths + 5 * 5] = 0;
    layer five = run_stock(p);
    assert_same_layers(&few, &five);
    free_twin(&stock);
    free_twin(&ours);
    free_twin(&few);
    free_twin(&five);
    free_problem(p);
}

static void nan_reaches_the_cost(void **state) {
    (void)state;
    for (int with_tree = 0; with_tree < 2; with_tree++) {
        setting s = plain;
        s.tree = with_tree;
        problem *const p = make_problem(&s);
        const size_t n = (size_t)p->l.batch * p->l.outputs;
        for (size_t i = 0; i < n; i += 11) {
            const float kept = p->net.input[i];
            p->net.input[i] = NAN;
            layer ours = run_ours(p);
            assert_true(isnan(*ours.cost));
            free_twin(&ours);
            p->net.input[i] = kept;
        }
        free_problem(p);
    }
}

/* delta times the derivative of what made the output, added to what the input's delta holds. */
static void backward_takes_the_logistics_back(void **state) {
    (void)state;
    for (int background = 0; background < 2; background++) {
        setting s = plain;
        s.coords = 6;
        s.softmax = 1;
        s.background = background;
        problem *const p = make_problem(&s);
        layer ours = run_ours(p);
        const size_t n = (size_t)p->l.batch * p->l.outputs, cells = (size_t)s.w * s.h;
        float *const expected = copy_floats(p->net.delta, n);
        for (size_t i = 0; i < n; i++) {
            const int entry = (int)(i / cells % (s.coords + 1 + CLASSES));
            const bool is_logistic = entry < 2 || (entry == s.coords && !background);
            const float y = ours.output[i];
            expected[i] += ours.delta[i] * (is_logistic ? y * (1 - y) : 1);
        }
        gdrq_backward_region_layer(ours, p->net);
        assert_close("input delta", p->net.delta, expected, n);
        free(expected);
        free_twin(&ours);
        free_problem(p);
    }
}

static void threads_do_not_matter(void **state) {
    (void)state;
    const setting s = {
        .batch = 3, .w = 13, .h = 10, .n = 5, .coords = 4, .truths = 20, .tree = true};
    problem *const p = make_problem(&s);
    assert_threads_do_not_matter(gdrq_forward_region_layer, &p->l, p->net);
    free_problem(p);
}

static void prints_nothing(void **state) {
    (void)state;
    problem *const p = make_problem(&plain);
    assert_prints_nothing(gdrq_forward_region_layer, p->l, p->net);
    free_problem(p);
}

int main(void) {
    read_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_host),
        cmocka_unit_test(inference_leaves_the_cost),
        cmocka_unit_test(tree_learns_as_host),
        cmocka_unit_test(tree_learns_a_class_without_box),
        cmocka_unit_test(bad_truths_are_passed_over),
        cmocka_unit_test(small_tree_bounds_the_classes),
        cmocka_unit_test(number_of_truths_is_the_layers),
        cmocka_unit_test(nan_reaches_the_cost),
        cmocka_unit_test(backward_takes_the_logistics_back),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(prints_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
