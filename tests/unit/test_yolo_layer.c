/* The yolo layer against the host's, and on labels and inputs that the host must not be given. */
#include "detection_test.h"

#include "primitives/yolo_layer.h"

enum { NET_W = 416, NET_H = 320, TOTAL = 6, BOX = 4, ROW = BOX + 1 };

typedef struct problem {
    layer l; /* the host's; twins of it run */
    network net;
} problem;

typedef struct setting {
    int batch, w, h, n, classes;
    int first_mask;
    int truths;
    bool map;
    float truth_thresh;
} setting;

static const setting plain = {
    .batch = 2, .w = 5, .h = 4, .n = 3, .classes = 4, .truths = 9, .truth_thresh = 1};

static layer make_layer(const setting *s) {
    typedef layer maker(int, int, int, int, int, int *, int);
    static const float anchors[2 * TOTAL] = {23, 27, 37, 58, 81, 82, 135, 169, 344, 100, 290, 310};
    int *const mask = malloc(s->n * sizeof *mask);
    assert_non_null(mask);
    for (int i = 0; i < s->n; i++)
        mask[i] = s->first_mask + i;
    const int saved = silence(stderr);
    layer l = ((maker *)stock_function("make_yolo_layer"))(s->batch, s->w, s->h, s->n, TOTAL, mask,
                                                           s->classes);
    restore(stderr, saved);
    memcpy(l.biases, anchors, sizeof anchors);
    l.max_boxes = 90;
    l.ignore_thresh = .4f;
    l.truth_thresh = s->truth_thresh;
    return l;
}

/* Labels are of twice as many classes as the layer has. */
static int *folding_map(int classes) {
    int *const map = malloc(2 * classes * sizeof *map);
    assert_non_null(map);
    for (int i = 0; i < 2 * classes; i++)
        map[i] = (i + 1) % classes;
    return map;
}

/* make_yolo_layer() reseeds rand(); go on from where the test was. */
static problem make_problem(const setting *s) {
    const unsigned next = (unsigned)rand();
    problem p = {.l = make_layer(s)};
    srand(next);
    const size_t n = (size_t)p.l.batch * p.l.outputs;
    if (s->map)
        p.l.map = folding_map(s->classes);
    p.net = (network){.w = NET_W, .h = NET_H, .train = 1, .batch = s->batch};
    p.net.input = random_floats(n, -2, 2);
    p.net.truth = random_truths(&p.l, BOX, s->map ? 2 * s->classes : s->classes, s->truths);
    p.net.delta = random_floats(n, -1, 1);
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
    free(p->l.mask);
    free(p->l.map);
}

static layer run_stock(const problem *p) {
    layer l = twin_of(&p->l);
    run_quietly(stock_function("forward_yolo_layer"), l, p->net);
    return l;
}

static layer run_ours(const problem *p) {
    layer l = twin_of(&p->l);
    gdrq_forward_yolo_layer(l, p->net);
    return l;
}

static void compare_backward(const problem *p, const layer *ours, const layer *stock) {
    const size_t n = (size_t)p->l.batch * p->l.outputs;
    float *const expected = copy_floats(p->net.delta, n);
    network net = p->net;
    net.delta = expected;
    ((layer_function *)stock_function("backward_yolo_layer"))(*stock, net);
    gdrq_backward_yolo_layer(*ours, p->net);
    assert_close("input delta", p->net.delta, expected, n);
    free(expected);
}

static void compare(const setting *s) {
    problem p = make_problem(s);
    layer stock = run_stock(&p), ours = run_ours(&p);
    assert_same_layers(&ours, &stock);
    compare_backward(&p, &ours, &stock);
    free_twin(&stock);
    free_twin(&ours);
    free_problem(&p);
}

static void matches_host(void **state) {
    (void)state;
    static const setting settings[] = {
        {1, 1, 1, 1, 1, 5, 1, false, 1},     {1, 13, 13, 3, 20, 3, 12, false, 1},
        {2, 5, 3, 3, 4, 0, 0, false, 1},     {3, 10, 13, 3, 3, 0, 90, false, 1},
        {2, 13, 10, 2, 7, 1, 40, true, 1},   {3, 4, 9, 6, 2, 0, 20, false, .45f},
        {1, 13, 10, 3, 5, 3, 30, true, .5f},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        compare(&settings[i]);
}

static void inference_leaves_gradient_and_cost(void **state) {
    (void)state;
    problem p = make_problem(&plain);
    p.net.train = 0;
    p.net.truth[0] = NAN;
    const size_t n = (size_t)p.l.batch * p.l.outputs;
    layer stock = run_stock(&p), ours = twin_of(&p.l);
    float *const before = copy_floats(ours.delta, n);
    gdrq_forward_yolo_layer(ours, p.net);
    assert_close("output", ours.output, stock.output, n);
    assert_true(*ours.cost == -1);
    assert_memory_equal(ours.delta, before, n * sizeof *before);
    free(before);
    free_twin(&stock);
    free_twin(&ours);
    free_problem(&p);
}

/* Labels that must be passed over: {x, y, w, h, class}. */
static const float bad_rows[][ROW] = {
    {.5f, .5f, .2f, .2f, -1},     {.5f, .5f, .2f, .2f, -.5f},  {.5f, .5f, .2f, .2f, 4},
    {.5f, .5f, .2f, .2f, 1e9f},   {.5f, .5f, .2f, .2f, 3e38f}, {.5f, .5f, .2f, .2f, NAN},
    {NAN, .5f, .2f, .2f, 1},      {.5f, NAN, .2f, .2f, 1},     {.5f, .5f, NAN, .2f, 1},
    {.5f, .5f, .2f, INFINITY, 1}, {-.1f, .5f, .2f, .2f, 1},    {.5f, 1, .2f, .2f, 1},
    {1, .5f, .2f, .2f, 1},        {7e5f, 7e5f, 7e5f, 7e5f, 1}, {.5f, -1e30f, .2f, .2f, 1},
    {.5f, .5f, 0, .2f, 1},        {.5f, .5f, .2f, -.2f, 1},
};
enum { BAD = sizeof bad_rows / sizeof *bad_rows };

/* The problem's truths with a bad one before each of them. */
static float *spoiled_truths(const problem *p, int count) {
    float *const rows = calloc((size_t)p->l.batch * p->l.truths, sizeof *rows);
    assert_non_null(rows);
    for (int b = 0; b < p->l.batch; b++) {
        const float *good = p->net.truth + (size_t)b * p->l.truths;
        float *row = rows + (size_t)b * p->l.truths;
        for (int i = 0; i < BAD || i < count; i++) {
            if (i < BAD) {
                memcpy(row, bad_rows[i], sizeof bad_rows[i]);
                row += ROW;
            }
            if (i < count) {
                memcpy(row, good, sizeof bad_rows[0]);
                row += ROW;
                good += ROW;
            }
        }
    }
    return rows;
}

static void bad_truths_are_passed_over(void **state) {
    (void)state;
    problem p = make_problem(&plain);
    layer stock = run_stock(&p);
    float *const spoiled = spoiled_truths(&p, plain.truths);
    free(p.net.truth);
    p.net.truth = spoiled;
    layer ours = run_ours(&p);
    assert_same_layers(&ours, &stock);
    free_twin(&stock);
    free_twin(&ours);
    free_problem(&p);
}

/* A map's own entries may be wrong as well, and a label may lie behind its end. */
static void map_is_not_trusted(void **state) {
    (void)state;
    setting s = plain;
    s.map = true;
    s.batch = 1;
    s.truths = 0;
    problem p = make_problem(&s);
    layer expected = run_ours(&p); /* no truths */
    p.l.map[1] = -1;
    p.l.map[2] = s.classes;
    p.l.map[3] = 1 << 30;
    static const float labels[] = {1, 2, 3, 1000, 1e30f, -1};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        const float row[ROW] = {.5f, .5f, .3f, .3f, labels[i]};
        memcpy(p.net.truth + i * ROW, row, sizeof row);
    }
    layer ours = run_ours(&p);
    assert_same_layers(&ours, &expected);
    free_twin(&expected);
    free_twin(&ours);
    free_problem(&p);
}

static void truths_end_with_their_array(void **state) {
    (void)state;
    setting s = plain;
    s.truths = 90;
    problem p = make_problem(&s);
    layer stock = run_stock(&p);
    p.l.max_boxes = 1000;
    layer ours = run_ours(&p);
    assert_same_layers(&ours, &stock);
    free_twin(&stock);
    free_twin(&ours);
    free_problem(&p);
}

static void nan_reaches_the_cost(void **state) {
    (void)state;
    problem p = make_problem(&plain);
    const size_t n = (size_t)p.l.batch * p.l.outputs;
    for (size_t i = 0; i < n; i += 7) {
        const float kept = p.net.input[i];
        p.net.input[i] = NAN;
        layer ours = run_ours(&p);
        assert_true(isnan(*ours.cost));
        free_twin(&ours);
        p.net.input[i] = kept;
    }
    for (size_t i = 0; i < n; i++)
        p.net.input[i] = NAN;
    layer ours = run_ours(&p);
    assert_true(isnan(*ours.cost));
    free_twin(&ours);
    free_problem(&p);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    const setting s = {3, 13, 10, 3, 5, 3, 30, false, .5f};
    problem p = make_problem(&s);
    assert_threads_do_not_matter(gdrq_forward_yolo_layer, &p.l, p.net);
    free_problem(&p);
}

static void prints_nothing(void **state) {
    (void)state;
    problem p = make_problem(&plain);
    assert_prints_nothing(gdrq_forward_yolo_layer, p.l, p.net);
    free_problem(&p);
}

int main(void) {
    read_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_host),
        cmocka_unit_test(inference_leaves_gradient_and_cost),
        cmocka_unit_test(bad_truths_are_passed_over),
        cmocka_unit_test(map_is_not_trusted),
        cmocka_unit_test(truths_end_with_their_array),
        cmocka_unit_test(nan_reaches_the_cost),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(prints_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
