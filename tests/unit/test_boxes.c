/* Boxes and their suppression against the host's, and on outputs that it must not be given. */
#include "small_network.h"

#include <dlfcn.h>
#include <omp.h>

#include "primitives/suppression.h"

#define YOLO_CFG                                                                                  \
    "[net]\nbatch=1\nwidth=96\nheight=64\nchannels=3\n"                                           \
    "[convolutional]\nfilters=27\nsize=1\nstride=8\nactivation=linear\n"                          \
    "[yolo]\nmask=0,1,2\nanchors=9,8, 20,31, 70,40, 11,60\nclasses=4\nnum=4\n[route]\nlayers=0\n" \
    "[maxpool]\nsize=2\nstride=2\n[convolutional]\nfilters=9\nsize=1\nactivation=linear\n"        \
    "[yolo]\nmask=3\nanchors=9,8, 20,31, 70,40, 11,60\nclasses=4\nnum=4\n"

#define REGION_CFG                                                        \
    "[net]\nbatch=1\nwidth=96\nheight=64\nchannels=3\n"                   \
    "[convolutional]\nfilters=18\nsize=1\nstride=16\nactivation=linear\n" \
    "[region]\nanchors=1,2, 2,1\nclasses=4\ncoords=4\nnum=2\nsoftmax=1\n"

typedef void suppressor(detection *dets, int total, int classes, float thresh);

/* The host's function, behind this program's own. */
static void *stock_function(const char *name) {
    void *const function = dlsym(RTLD_NEXT, name);
    assert_non_null(function);
    return function;
}

static bool is_head(const layer *l) {
    return l->type == YOLO || l->type == REGION;
}

/* Outputs as activations leave them; sizes are logarithms. */
static void fill_heads(network *net) {
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        const int cells = l->w * l->h;
        for (int k = 0; is_head(l) && k < l->outputs; k++) {
            const int entry = k / cells % (5 + l->classes);
            const double x = random_unit();
            l->output[k] = (float)(entry == 2 || entry == 3 ? 2 * x - 1 : entry == 4 ? x * x : x);
        }
    }
}

static gdrq_boxes *new_boxes(void) {
    gdrq_boxes *boxes = gdrq_boxes_new();
    assert_non_null(boxes);
    return boxes;
}

static const detection *find_boxes(network *net, int w, int h, const gdrq_box_options *options,
                                   gdrq_boxes *boxes, int *n) {
    detection *found;
    gdrq_error err = {""};
    if (gdrq_network_boxes(net, w, h, options, boxes, &found, n, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    return found;
}

static void assert_near(float ours, float hosts) {
    if (!(fabsf(ours - hosts) <= 2e-6f * (1 + fabsf(hosts))))
        fail_msg("%.9g, not %.9g", ours, hosts);
}

static void assert_same_box(const detection *ours, const detection *hosts, int classes) {
    assert_near(ours->bbox.x, hosts->bbox.x);
    assert_near(ours->bbox.y, hosts->bbox.y);
    assert_near(ours->bbox.w, hosts->bbox.w);
    assert_near(ours->bbox.h, hosts->bbox.h);
    assert_true(ours->objectness == hosts->objectness);
    assert_memory_equal(ours->prob, hosts->prob, (size_t)classes * sizeof(float));
}

static bool same_place(const detection *a, const detection *b) {
    return fabsf(a->bbox.x - b->bbox.x) < 1e-5f && fabsf(a->bbox.y - b->bbox.y) < 1e-5f &&
           fabsf(a->bbox.w - b->bbox.w) < 1e-5f && fabsf(a->bbox.h - b->bbox.h) < 1e-5f;
}

/* The host's suppression moves boxes about. */
static void assert_same_scores(const detection *ours, const detection *hosts, int n, int classes) {
    for (int i = 0; i < n; i++) {
        int k = 0;
        while (k < n && !same_place(&ours[i], &hosts[k]))
            k++;
        assert_true(k < n);
        assert_true(ours[i].objectness == hosts[k].objectness);
        assert_memory_equal(ours[i].prob, hosts[k].prob, (size_t)classes * sizeof(float));
    }
}

static void compare_with_host(network *net, int w, int h, float thresh, bool objectness,
                              gdrq_boxes *boxes) {
    const char *const name = objectness ? "do_nms_obj" : "do_nms_sort";
    const int classes = net->layers[net->n - 1].classes;
    gdrq_box_options options = {.thresh = thresh, .hier = .5f};
    int n, hosts_n;
    detection *hosts = get_network_boxes(net, w, h, thresh, .5f, NULL, 1, &hosts_n);
    const detection *ours = find_boxes(net, w, h, &options, boxes, &n);
    assert_int_equal(n, hosts_n);
    for (int i = 0; i < n; i++) {
        assert_same_box(&ours[i], &hosts[i], classes);
        assert_int_equal(ours[i].classes, classes);
    }
    options.nms = .45f;
    options.nms_objectness = objectness;
    ours = find_boxes(net, w, h, &options, boxes, &n);
    ((suppressor *)stock_function(name))(hosts, hosts_n, classes, .45f);
    assert_same_scores(ours, hosts, n, classes);
    free_detections(hosts, hosts_n);
}

static void boxes_are_the_hosts(void **state) {
    (void)state;
    static const char *const cfgs[] = {YOLO_CFG, REGION_CFG};
    static const float thresholds[] = {.5f, .1f, .005f, 0, 1};
    static const int sizes[][2] = {{96, 64}, {768, 576}, {31, 400}, {1, 1}};
    seed_random(601);
    gdrq_boxes *boxes = new_boxes();
    for (size_t k = 0; k < sizeof cfgs / sizeof *cfgs; k++) {
        network *net = parse_text(cfgs[k]);
        for (int i = 0; i < 20; i++) {
            fill_heads(net);
            compare_with_host(net, sizes[i % 4][0], sizes[i % 4][1], thresholds[i % 5], i % 3 == 2,
                              boxes);
        }
        free_network(net);
    }
    gdrq_boxes_free(boxes);
}

/* The host takes the second image of a batch of 2 for the first one's mirror image. */
static void a_batch_of_two_is_not_averaged(void **state) {
    (void)state;
    const gdrq_box_options options = {.thresh = .2f, .nms = .45f};
    seed_random(602);
    network *net = parse_text(YOLO_CFG);
    gdrq_boxes *boxes = new_boxes(), *expected = new_boxes();
    fill_heads(net);
    int n, expected_n;
    const detection *first = find_boxes(net, 96, 64, &options, expected, &expected_n);
    net->batch = 2; /* only said to be so: a second image would lie beyond the output */
    for (int i = 0; i < net->n; i++)
        net->layers[i].batch = 2;
    const detection *found = find_boxes(net, 96, 64, &options, boxes, &n);
    assert_int_equal(n, expected_n);
    for (int i = 0; i < n; i++)
        assert_same_box(&found[i], &first[i], 4);
    gdrq_boxes_free(boxes);
    gdrq_boxes_free(expected);
    free_network(net);
}

/* To the host, whose comparisons are not made for it, an objectness that is no number is a box. */
static void what_is_not_a_number_is_no_box(void **state) {
    (void)state;
    const gdrq_box_options options = {.thresh = .01f, .nms = .45f};
    network *net = parse_text(YOLO_CFG);
    gdrq_boxes *boxes = new_boxes();
    for (int i = 0; i < net->n; i++)
        for (int k = 0; is_head(&net->layers[i]) && k < net->layers[i].outputs; k++)
            net->layers[i].output[k] = NAN;
    int n;
    find_boxes(net, 96, 64, &options, boxes, &n);
    assert_int_equal(n, 0);
    /* A box of no place or no size suppresses none and is suppressed by none. */
    const layer *head = &net->layers[1];
    const int cells = head->w * head->h;
    for (int cell = 0; cell < 2; cell++) {
        head->output[4 * cells + cell] = .9f;
        head->output[5 * cells + cell] = .9f;
    }
    const detection *found = find_boxes(net, 96, 64, &options, boxes, &n);
    assert_int_equal(n, 2);
    for (int i = 0; i < n; i++) {
        assert_true(found[i].prob[0] > .8f);
        assert_true(found[i].prob[1] == 0);
    }
    gdrq_boxes_free(boxes);
    free_network(net);
}

static void a_picture_has_a_size(void **state) {
    (void)state;
    const gdrq_box_options options = {.thresh = .5f};
    network *net = parse_text(YOLO_CFG);
    gdrq_boxes *boxes = new_boxes();
    detection *found;
    int n;
    assert_int_equal(gdrq_network_boxes(net, 0, 5, &options, boxes, &found, &n, NULL),
                     GDRQ_ERROR_ARGUMENT);
    assert_int_equal(gdrq_network_boxes(net, 5, -1, &options, boxes, &found, &n, NULL),
                     GDRQ_ERROR_ARGUMENT);
    assert_int_equal(n, 0);
    gdrq_boxes_free(boxes);
    gdrq_boxes_free(NULL);
    free_network(net);
}

enum { MANY = 700, CLASSES = 30 };

typedef struct crowd {
    detection at[MANY];
    float prob[MANY][CLASSES];
} crowd;

/* Boxes in a few heaps; every fifth score is shared by many, most others are 0. */
static crowd *make_crowd(int n) {
    crowd *c = calloc(1, sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < n; i++) {
        const float heap = (float)random_int(1, 9) / 10;
        c->at[i] = (detection){
            .bbox = {heap + (float)random_unit() / 20, heap + (float)random_unit() / 20,
                     .1f + (float)random_unit() / 10, .1f + (float)random_unit() / 10},
            .classes = CLASSES,
            .prob = c->prob[i],
            .objectness = i % 11 == 7 ? 0 : .5f,
        };
        for (int k = 0; k < CLASSES; k++)
            c->prob[i][k] = random_int(0, 2) ? 0 : i % 5 ? (float)random_unit() : .25f;
    }
    return c;
}

static void suppress(crowd *c, int n, int threads) {
    void *memory = aligned_alloc(64, gdrq_suppression_bytes(n + 1, threads));
    assert_non_null(memory);
    gdrq_suppress_by_class(c->at, n, CLASSES, .4f, threads, memory);
    free(memory);
}

/* As its header says it: of equal scores the later one goes. */
static void suppress_slowly(crowd *c, int n, int class_id) {
    for (;;) {
        int best = -1;
        for (int i = 0; i < n; i++) /* a sign marks what has had its turn */
            if (c->at[i].objectness != 0 && c->prob[i][class_id] > 0 &&
                (best < 0 || c->prob[i][class_id] > c->prob[best][class_id]))
                best = i;
        if (best < 0)
            break;
        for (int i = 0; i < n; i++)
            if (i != best && c->at[i].objectness != 0 && c->prob[i][class_id] > 0 &&
                box_iou(c->at[i].bbox, c->at[best].bbox) > .4f)
                c->prob[i][class_id] = 0;
        c->prob[best][class_id] = -c->prob[best][class_id];
    }
    for (int i = 0; i < n; i++)
        c->prob[i][class_id] = fabsf(c->prob[i][class_id]);
}

static void crowds_are_thinned_out_by_the_rule(void **state) {
    (void)state;
    static const int counts[] = {0, 1, 2, 15, 16, 17, 100, MANY};
    seed_random(603);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const int n = counts[i];
        crowd *c = make_crowd(n), *expected = malloc(sizeof *expected);
        for (int threads = 1; threads <= 3; threads++) {
            crowd *ours = malloc(sizeof *ours);
            memcpy(ours, c, sizeof *c);
            for (int k = 0; k < n; k++)
                ours->at[k].prob = ours->prob[k];
            suppress(ours, n, threads);
            memcpy(expected, c, sizeof *c);
            for (int k = 0; k < CLASSES; k++)
                suppress_slowly(expected, n, k);
            assert_memory_equal(ours->prob, expected->prob, sizeof ours->prob);
            free(ours);
        }
        free(c);
        free(expected);
    }
}

/* What programs call is ours, and leaves boxes where they are. */
static void the_hosts_function_is_replaced(void **state) {
    (void)state;
    seed_random(604);
    crowd *c = make_crowd(100), *expected = make_crowd(0);
    memcpy(expected->prob, c->prob, sizeof c->prob);
    memcpy(expected->at, c->at, sizeof c->at);
    do_nms_sort(c->at, 100, CLASSES, .4f);
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(c->at[i].prob, c->prob[i]);
    for (int k = 0; k < CLASSES; k++)
        suppress_slowly(expected, 100, k);
    assert_memory_equal(c->prob, expected->prob, sizeof c->prob);
    free(c);
    free(expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_are_the_hosts),
        cmocka_unit_test(a_batch_of_two_is_not_averaged),
        cmocka_unit_test(what_is_not_a_number_is_no_box),
        cmocka_unit_test(a_picture_has_a_size),
        cmocka_unit_test(crowds_are_thinned_out_by_the_rule),
        cmocka_unit_test(the_hosts_function_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
