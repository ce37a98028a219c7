/* Our functions for the layers without parameters against the host's own, on random shapes. */
#include "layer_subject.h"

#include "primitives/activation_layer.h"
#include "primitives/avgpool_layer.h"
#include "primitives/dropout_layer.h"
#include "primitives/reorg_layer.h"
#include "primitives/route_layer.h"
#include "primitives/shortcut_layer.h"
#include "primitives/softmax_layer.h"
#include "primitives/upsample_layer.h"

static void avgpool(void **state) {
    (void)state;
    layer (*make)(int, int, int, int) = host_function("make_avgpool_layer");
    for (int i = 0; i < 40; i++) {
        const int batch = random_int(1, 3), w = random_int(1, 30), h = random_int(1, 30);
        const int c = random_int(1, 40);
        subject s = {.host.l = make(batch, w, h, c),
                     .ours.l = make(batch, w, h, c),
                     .forward = gdrq_forward_avgpool_layer,
                     .backward = gdrq_backward_avgpool_layer,
                     .tolerance = 2e-6};
        complete(&s, w * h * c, "avgpool");
        check(&s);
    }
}

static void upsample(void **state) {
    (void)state;
    layer (*make)(int, int, int, int, int) = host_function("make_upsample_layer");
    for (int i = 0; i < 60; i++) {
        const bool reverse = random_int(0, 1);
        const int batch = random_int(1, 3), c = random_int(1, 20), stride = random_int(1, 4);
        const int factor = reverse ? stride : 1;
        const int w = random_int(1, 30) * factor, h = random_int(1, 30) * factor;
        subject s = {.host.l = make(batch, w, h, c, reverse ? -stride : stride),
                     .ours.l = make(batch, w, h, c, reverse ? -stride : stride),
                     .forward = gdrq_forward_upsample_layer,
                     .backward = gdrq_backward_upsample_layer,
                     .host_overwrites = reverse};
        s.host.l.scale = s.ours.l.scale = i % 2 ? 1 : .3f;
        complete(&s, w * h * c, "upsample");
        check(&s);
    }
}

static int *copy_ints(const int *x, int n) {
    int *const all = malloc((size_t)n * sizeof *all);
    assert_non_null(all);
    memcpy(all, x, (size_t)n * sizeof *all);
    return all;
}

static void route(void **state) {
    (void)state;
    layer (*make)(int, int, int *, int *) = host_function("make_route_layer");
    for (int i = 0; i < 40; i++) {
        const int batch = random_int(1, 3), n = random_int(1, MAX_OTHERS);
        int indices[MAX_OTHERS], sizes[MAX_OTHERS];
        subject s = {.forward = gdrq_forward_route_layer, .backward = gdrq_backward_route_layer};
        for (int k = 0; k < n; k++) {
            indices[k] = n - 1 - k;
            sizes[n - 1 - k] = random_int(1, i % 4 ? 3000 : 40000);
        }
        for (int k = 0; k < n; k++)
            add_other(&s, batch, sizes[k]);
        for (int k = 0; k < n; k++)
            sizes[k] = s.host.others[indices[k]].outputs;
        s.host.l = make(batch, n, copy_ints(indices, n), copy_ints(sizes, n));
        s.ours.l = make(batch, n, copy_ints(indices, n), copy_ints(sizes, n));
        complete(&s, 1, "route");
        check(&s);
    }
}

/* Sides of the two maps: equal, or one of them a factor larger, now and then not a multiple. */
static void random_sides(int *a, int *b) {
    const int factor = random_int(1, 3), remainder = random_int(0, factor - 1);
    const int small = random_int(factor, 12);
    const bool first_larger = random_int(0, 1);
    *a = first_larger ? small * factor + remainder : small;
    *b = first_larger ? small : small * factor + remainder;
}

static subject make_shortcut(int batch, ACTIVATION activation) {
    layer (*make)(int, int, int, int, int, int, int, int) = host_function("make_shortcut_layer");
    int w, w2;
    random_sides(&w, &w2);
    const int c = random_int(1, 70), c2 = random_int(0, 1) ? c : random_int(1, 70);
    subject s = {.host.l = make(batch, 1, w, w, c, w2, w2, c2),
                 .ours.l = make(batch, 1, w, w, c, w2, w2, c2),
                 .forward = gdrq_forward_shortcut_layer,
                 .backward = gdrq_backward_shortcut_layer,
                 .tolerance = activation == LINEAR ? 0 : 1e-6};
    layer *layers[] = {&s.host.l, &s.ours.l};
    for (int i = 0; i < 2; i++) {
        layers[i]->activation = activation;
        layers[i]->alpha = .75f;
        layers[i]->beta = 1.5f;
    }
    add_other(&s, batch, 1); /* not the one that is named */
    add_other(&s, batch, w2 * w2 * c2);
    complete(&s, w * w * c, "shortcut");
    return s;
}

static void shortcut(void **state) {
    (void)state;
    for (int i = 0; i < 80; i++) {
        subject s = make_shortcut(random_int(1, 3), random_activation());
        check(&s);
    }
}

/* from=-1: the input and the other map, and their gradients, are the same memory. */
static void shortcut_to_the_layer_before(void **state) {
    (void)state;
    layer (*make)(int, int, int, int, int, int, int, int) = host_function("make_shortcut_layer");
    const int n = 2 * 5 * 7 * 7;
    layer l = make(2, 0, 7, 7, 5, 7, 7, 5);
    l.activation = LINEAR;
    l.alpha = 2;
    l.beta = 3;
    layer before = {.output = random_array((size_t)n, 1), .delta = zeros((size_t)n)};
    for (int i = 0; i < n; i++)
        l.delta[i] = 1;
    const network net = {.input = before.output, .delta = before.delta, .layers = &before};
    gdrq_forward_shortcut_layer(l, net);
    gdrq_backward_shortcut_layer(l, net);
    for (int i = 0; i < n; i++) {
        assert_true(fabsf(l.output[i] - 5 * before.output[i]) <= 1e-5f);
        assert_true(before.delta[i] == 5);
    }
    free(before.output);
    free(before.delta);
    free_layer(l);
}

static void activation(void **state) {
    (void)state;
    layer (*make)(int, int, ACTIVATION) = host_function("make_activation_layer");
    for (int i = 0; i < 30; i++) {
        const int batch = random_int(1, 3), n = random_int(1, i % 5 ? 5000 : 30000);
        const ACTIVATION a = random_activation();
        subject s = {.host.l = make(batch, n, a),
                     .ours.l = make(batch, n, a),
                     .forward = gdrq_forward_activation_layer,
                     .backward = gdrq_backward_activation_layer,
                     .host_overwrites = true,
                     .tolerance = 1e-6};
        complete(&s, n, "activation");
        check(&s);
    }
}

static void check_reorg(int stride, bool reverse, bool flatten, int extra) {
    layer (*make)(int, int, int, int, int, int, int, int) = host_function("make_reorg_layer");
    const int batch = random_int(1, 3), c = random_int(1, 9) * stride * stride;
    const int w = random_int(1, 12) * stride, h = random_int(1, 12) * stride;
    subject s = {.host.l = make(batch, w, h, c, stride, reverse, flatten, extra),
                 .ours.l = make(batch, w, h, c, stride, reverse, flatten, extra),
                 .forward = gdrq_forward_reorg_layer,
                 .backward = gdrq_backward_reorg_layer,
                 .host_overwrites = true};
    complete(&s, w * h * c, "reorg");
    check(&s);
}

static void reorg(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        for (int reverse = 0; reverse < 2; reverse++) {
            check_reorg(random_int(1, 3), reverse, false, 0);
            check_reorg(1, reverse, true, 0);
            check_reorg(1, false, false, random_int(1, 50));
        }
}

static tree *make_tree(int groups, int *leaves) {
    tree *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->groups = groups;
    t->group_size = calloc((size_t)groups, sizeof(int));
    assert_non_null(t->group_size);
    *leaves = 0;
    for (int i = 0; i < groups; i++)
        *leaves += t->group_size[i] = random_int(1, 20);
    return t;
}

static subject make_softmax(int batch, int groups, int inputs, tree *hierarchy) {
    layer (*make)(int, int, int) = host_function("make_softmax_layer");
    subject s = {.host.l = make(batch, inputs, groups),
                 .ours.l = make(batch, inputs, groups),
                 .forward = gdrq_forward_softmax_layer,
                 .backward = gdrq_backward_softmax_layer,
                 .tolerance = 1e-6};
    layer *layers[] = {&s.host.l, &s.ours.l};
    for (int i = 0; i < 2; i++) {
        layers[i]->temperature = 1.5f;
        layers[i]->softmax_tree = hierarchy;
    }
    complete(&s, inputs, "softmax");
    s.truth = zeros(s.inputs);
    for (size_t i = 0; i < s.inputs; i++)
        s.truth[i] = random_int(0, 9) ? 0 : 1;
    return s;
}

/* Gradient and cost too; once more without truth, which must leave them alone. */
static void check_softmax(subject *s) {
    check_forward(s, true);
    assert_near(s, "delta", s->ours.l.delta, s->host.l.delta, s->outputs, 1e-6);
    assert_near(s, "loss", s->ours.l.loss, s->host.l.loss, s->outputs, 1e-5);
    assert_near(s, "cost", s->ours.l.cost, s->host.l.cost, 1, 1e-5);
    const float cost = *s->ours.l.cost;
    s->input[0] += 1;
    s->ours.l.noloss = 1;
    forward_ours(s, true);
    assert_true(*s->ours.l.cost == cost);
    s->ours.l.noloss = 0;
    free(s->truth);
    s->truth = NULL;
    forward_ours(s, false);
    assert_true(*s->ours.l.cost == cost);
    check_backward(s, 1e-6);
    s->host.l.softmax_tree = s->ours.l.softmax_tree = NULL;
    free_subject(s);
}

static void softmax_of_groups(void **state) {
    (void)state;
    for (int i = 0; i < 30; i++) {
        const int groups = random_int(1, 4);
        subject s = make_softmax(random_int(1, 3), groups, groups * random_int(1, 3000), NULL);
        check_softmax(&s);
    }
}

static void softmax_of_a_tree(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        int leaves;
        tree *const hierarchy = make_tree(random_int(1, 9), &leaves);
        subject s = make_softmax(random_int(1, 3), 1, leaves, hierarchy);
        check_softmax(&s);
        free(hierarchy->group_size);
        free(hierarchy);
    }
}

/* Of two groups the truth knows the second one alone. */
static void unknown_groups_teach_nothing(void **state) {
    int sizes[] = {3, 2};
    float truth[] = {SECRET_NUM, SECRET_NUM, SECRET_NUM, 1, 0};
    tree hierarchy = {.n = 5, .groups = 2, .group_size = sizes};
    subject s = make_softmax(1, 1, 5, &hierarchy);
    (void)state;
    copy(s.truth, truth, 5);
    forward_ours(&s, true);
    for (int i = 0; i < 3; i++)
        assert_true(s.ours.l.delta[i] == 0 && s.ours.l.loss[i] == 0);
    const float *p = s.ours.l.output;
    assert_float_equal(s.ours.l.delta[3], 1 - p[3], 1e-6);
    assert_float_equal(s.ours.l.delta[4], -p[4], 1e-6);
    assert_float_equal(*s.ours.l.cost, -logf(p[3]), 1e-6);
    s.host.l.softmax_tree = s.ours.l.softmax_tree = NULL;
    free_subject(&s);
}

/* -log(p) of a class, in double; the inputs of one image and group. */
static double reference_loss(const float *x, int n, float temperature, int class) {
    double largest = x[0], sum = 0;
    for (int i = 1; i < n; i++)
        largest = fmax(largest, x[i]);
    for (int i = 0; i < n; i++)
        sum += exp((x[i] - largest) / temperature);
    return log(sum) - (x[class] - largest) / temperature;
}

/* Truth may be shared by classes, as a teacher's is: cross entropy, and its gradient. */
static void softmax_of_shared_truth(void **state) {
    (void)state;
    const int inputs = 7;
    subject s = make_softmax(1, 1, inputs, NULL);
    double sum = 0, expected = 0;
    for (int k = 0; k < inputs; k++)
        sum += s.truth[k] = (float)random_unit();
    for (int k = 0; k < inputs; k++) {
        s.truth[k] = k == 3 ? 0 : (float)(s.truth[k] / sum);
        expected += s.truth[k] * reference_loss(s.input, inputs, s.ours.l.temperature, k);
    }
    forward_ours(&s, true);
    assert_float_equal(*s.ours.l.cost, expected, 1e-5);
    for (int k = 0; k < inputs; k++)
        assert_float_equal(s.ours.l.delta[k], s.truth[k] - s.ours.l.output[k], 1e-6);
    free_subject(&s);
}

/* The right class is so unlikely that its probability is no normal float, or 0 (the host: inf). */
static void softmax_of_inputs_far_apart(void **state) {
    (void)state;
    const int inputs = 40;
    subject s = make_softmax(1, 1, inputs, NULL);
    layer *const l = &s.ours.l;
    int below = 0;
    for (int i = 0; i < 200; i++) {
        const int class = i % inputs;
        const double spread = pow(10, 3 * random_unit());
        memset(s.truth, 0, s.inputs * sizeof *s.truth);
        s.truth[class] = 1;
        for (int k = 0; k < inputs; k++)
            s.input[k] = (float)(spread * random_normal());
        const double expected = reference_loss(s.input, inputs, l->temperature, class);
        below += expected > 104;
        s.forward(*l, network_of(&s, &s.ours, true));
        assert_true(fabs(*l->cost - expected) <= 1e-6 * (spread + expected));
        assert_true(*l->cost == l->loss[class]);
        assert_true(l->delta[class] == 1 - l->output[class]);
    }
    assert_true(below > 20);
    free_subject(&s);
}

typedef struct dropout_run {
    layer l;
    float *input, *x, *delta;
    size_t n;
} dropout_run;

static dropout_run make_dropout(int batch, int inputs, float probability) {
    layer (*make)(int, int, float) = host_function("make_dropout_layer");
    const size_t n = (size_t)batch * (size_t)inputs;
    dropout_run d = {.l = make(batch, inputs, probability), .n = n};
    d.input = random_array(n, 1);
    d.x = random_array(n, 1);
    d.delta = random_array(n, 1);
    return d;
}

static void free_dropout(dropout_run *d) {
    free(d->input);
    free(d->x);
    free(d->delta);
    free_layer(d->l);
}

static void drop(dropout_run *d, unsigned seed, int threads, bool train) {
    const int before = omp_get_max_threads();
    copy(d->x, d->input, d->n);
    srand(seed);
    omp_set_num_threads(threads);
    gdrq_forward_dropout_layer(d->l, (network){.input = d->x, .train = train});
    omp_set_num_threads(before);
}

/* The share that is dropped is within 5 standard deviations; the rest is scaled. */
static void dropout(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) {
        const double p = random_int(1, 9) / 10.;
        dropout_run d = make_dropout(3, random_int(1001, 40001), (float)p);
        drop(&d, (unsigned)i, 2, true);
        double dropped = 0, mean = 0;
        for (size_t k = 0; k < d.n; k++) {
            const bool drops = d.l.rand[k] < d.l.probability;
            assert_true(d.l.rand[k] >= 0 && d.l.rand[k] < 1);
            assert_true(d.x[k] == (drops ? 0 : d.input[k] * d.l.scale));
            dropped += drops;
            mean += d.l.rand[k];
        }
        const double n = (double)d.n;
        assert_true(fabs(dropped / n - p) < 5 * sqrt(p * (1 - p) / n));
        assert_true(fabs(mean / n - .5) < 5 * sqrt(1 / 12. / n));
        float *before = zeros(d.n);
        copy(before, d.delta, d.n);
        gdrq_backward_dropout_layer(d.l, (network){.delta = d.delta});
        gdrq_backward_dropout_layer(d.l, (network){.delta = NULL});
        for (size_t k = 0; k < d.n; k++)
            assert_true(d.delta[k] == (d.l.rand[k] < d.l.probability ? 0 : before[k] * d.l.scale));
        free(before);
        free_dropout(&d);
    }
}

/* The same seed repeats with any number of threads; another one and the next forward differ. */
static void dropout_repeats(void **state) {
    (void)state;
    dropout_run d = make_dropout(2, 20001, .5f);
    float *first = zeros(d.n);
    drop(&d, 1, 1, true);
    copy(first, d.x, d.n);
    for (int threads = 1; threads <= 4; threads *= 2) {
        drop(&d, 1, threads, true);
        assert_memory_equal(first, d.x, d.n * sizeof *first);
    }
    copy(d.x, d.input, d.n);
    gdrq_forward_dropout_layer(d.l, (network){.input = d.x, .train = 1});
    assert_memory_not_equal(first, d.x, d.n * sizeof *first);
    drop(&d, 2, 2, true);
    assert_memory_not_equal(first, d.x, d.n * sizeof *first);
    drop(&d, 1, 2, false);
    assert_memory_equal(d.input, d.x, d.n * sizeof *first);
    free(first);
    free_dropout(&d);
}

int main(void) {
    seed_random(32);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(avgpool),
        cmocka_unit_test(upsample),
        cmocka_unit_test(route),
        cmocka_unit_test(shortcut),
        cmocka_unit_test(shortcut_to_the_layer_before),
        cmocka_unit_test(activation),
        cmocka_unit_test(reorg),
        cmocka_unit_test(softmax_of_groups),
        cmocka_unit_test(softmax_of_a_tree),
        cmocka_unit_test(softmax_of_shared_truth),
        cmocka_unit_test(softmax_of_inputs_far_apart),
        cmocka_unit_test(unknown_groups_teach_nothing),
        cmocka_unit_test(dropout),
        cmocka_unit_test(dropout_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
