/*
 * Our functions for the layers that are neither convolutions nor losses against the host's own, on
 * random shapes, with gradients that are there already, and with several numbers of threads.
 */
#include "cmocka_all.h"

#include <dlfcn.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "primitives/activation_layer.h"
#include "primitives/avgpool_layer.h"
#include "primitives/batchnorm_layer.h"
#include "primitives/connected_layer.h"
#include "primitives/dropout_layer.h"
#include "primitives/reorg_layer.h"
#include "primitives/route_layer.h"
#include "primitives/shortcut_layer.h"
#include "primitives/softmax_layer.h"
#include "primitives/upsample_layer.h"
#include "random_data.h"

typedef void layer_function(layer l, network net);

static void *host_function(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        fail_msg("libdarknet has no %s", name);
    return function;
}

static void copy(float *to, const float *from, size_t n) {
    memcpy(to, from, n * sizeof *to);
}

static float *zeros(size_t n) {
    float *x = calloc(n ? n : 1, sizeof *x);
    assert_non_null(x);
    return x;
}

/* A layer in one network: its input, the layers that it names and all gradients. */
enum { MAX_OTHERS = 3 };
typedef struct side {
    layer l;
    layer others[MAX_OTHERS];
    float *delta; /* of the input */
} side;

/* The same twice, with the input and truth in common. */
typedef struct subject {
    side host, ours;
    layer_function *host_forward, *host_backward, *forward, *backward;
    float *input, *truth;
    size_t inputs, outputs; /* of the whole batch */
    int others;
    bool host_overwrites; /* the host's backward overwrites net.delta instead of adding to it */
    double tolerance;     /* 0: equal to the bit */
} subject;

static size_t other_size(const layer *other) {
    return (size_t)other->batch * (size_t)other->outputs;
}

/* For two layers that were just made; `inputs` as the layer before gives them, per image. */
static void complete(subject *s, int inputs, const char *kind) {
    char name[64];
    snprintf(name, sizeof name, "forward_%s_layer", kind);
    s->host_forward = host_function(name);
    snprintf(name, sizeof name, "backward_%s_layer", kind);
    s->host_backward = host_function(name);
    s->inputs = (size_t)s->host.l.batch * (size_t)inputs;
    s->outputs = (size_t)s->host.l.batch * (size_t)s->host.l.outputs;
    s->input = random_array(s->inputs, 1);
    s->ours.delta = random_array(s->inputs, 1);
    s->host.delta = zeros(s->inputs);
    if (!s->host_overwrites)
        copy(s->host.delta, s->ours.delta, s->inputs);
}

/* A layer that ours names, with the same output and gradient on both sides. */
static void add_other(subject *s, int batch, int outputs) {
    layer *h = &s->host.others[s->others], *o = &s->ours.others[s->others];
    *h = (layer){.batch = batch, .outputs = outputs};
    h->output = random_array(other_size(h), 1);
    h->delta = random_array(other_size(h), 1);
    *o = *h;
    o->output = zeros(other_size(h));
    o->delta = zeros(other_size(h));
    copy(o->output, h->output, other_size(h));
    copy(o->delta, h->delta, other_size(h));
    s->others++;
}

static void free_side(side *a, int others) {
    for (int i = 0; i < others; i++) {
        free(a->others[i].output);
        free(a->others[i].delta);
    }
    free(a->delta);
    free_layer(a->l);
}

static void free_subject(subject *s) {
    free_side(&s->host, s->others);
    free_side(&s->ours, s->others);
    free(s->input);
    free(s->truth);
}

static network network_of(const subject *s, side *a, bool train) {
    return (network){.input = s->input,
                     .delta = a->delta,
                     .truth = s->truth,
                     .layers = a->others,
                     .n = s->others,
                     .train = train};
}

static void assert_near(const subject *s, const char *what, const float *got, const float *expected,
                        size_t n, double tolerance) {
    double largest = 1;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(expected[i]));
    const layer *l = &s->host.l;
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - expected[i]) <= tolerance * largest))
            fail_msg("%s of type %d, batch %d, %dx%dx%d to %dx%dx%d, stride %d, reverse %d, "
                     "activation %d: [%zu of %zu] is %.9g, not %.9g",
                     what, (int)l->type, l->batch, l->w, l->h, l->c, l->out_w, l->out_h, l->out_c,
                     l->stride, l->reverse, (int)l->activation, i, n, got[i], expected[i]);
}

/* Any number of threads gives the same bits; leaves the layer as one call does. */
static void forward_ours(subject *s, bool train) {
    const int before = omp_get_max_threads();
    float *first = zeros(s->outputs);
    for (int threads = 1; threads <= 4; threads *= 2) {
        omp_set_num_threads(threads);
        s->forward(s->ours.l, network_of(s, &s->ours, train));
        if (threads == 1)
            copy(first, s->ours.l.output, s->outputs);
        else
            assert_memory_equal(first, s->ours.l.output, s->outputs * sizeof *first);
    }
    omp_set_num_threads(before);
    free(first);
}

static void check_forward(subject *s, bool train) {
    s->host_forward(s->host.l, network_of(s, &s->host, train));
    forward_ours(s, train);
    assert_near(s, "output", s->ours.l.output, s->host.l.output, s->outputs, s->tolerance);
}

/* As forward_ours(): every repetition starts from the same gradients. */
static void backward_ours(subject *s) {
    const int before = omp_get_max_threads();
    side *const a = &s->ours;
    float *delta = zeros(s->outputs), *start = zeros(s->inputs), *first = zeros(s->inputs);
    copy(delta, a->l.delta, s->outputs);
    copy(start, a->delta, s->inputs);
    for (int threads = 4; threads >= 1; threads /= 2) {
        copy(a->l.delta, delta, s->outputs);
        copy(a->delta, start, s->inputs);
        for (int i = 0; i < s->others; i++)
            copy(a->others[i].delta, s->host.others[i].delta, other_size(&a->others[i]));
        omp_set_num_threads(threads);
        s->backward(a->l, network_of(s, a, true));
        if (threads == 4)
            copy(first, a->delta, s->inputs);
        assert_memory_equal(first, a->delta, s->inputs * sizeof *first);
    }
    omp_set_num_threads(before);
    free(delta);
    free(start);
    free(first);
}

/* Ours first: it takes the others' gradients from the host's side. */
static void check_backward(subject *s, double tolerance) {
    float *start = zeros(s->inputs), *delta = random_array(s->outputs, 1);
    copy(start, s->ours.delta, s->inputs);
    copy(s->host.l.delta, delta, s->outputs);
    copy(s->ours.l.delta, delta, s->outputs);
    backward_ours(s);
    s->host_backward(s->host.l, network_of(s, &s->host, true));
    for (size_t i = 0; s->host_overwrites && i < s->inputs; i++)
        s->host.delta[i] = start[i] + s->host.delta[i];
    assert_near(s, "net.delta", s->ours.delta, s->host.delta, s->inputs, tolerance);
    for (int i = 0; i < s->others; i++)
        assert_near(s, "another layer's delta", s->ours.others[i].delta, s->host.others[i].delta,
                    other_size(&s->host.others[i]), tolerance);
    /* Whoever keeps no gradient gets none. */
    network net = network_of(s, &s->ours, true);
    net.delta = NULL;
    for (int i = 0; i < s->others; i++) {
        free(s->ours.others[i].delta);
        s->ours.others[i].delta = NULL;
    }
    s->backward(s->ours.l, net);
    free(start);
    free(delta);
}

static void check(subject *s) {
    check_forward(s, false);
    check_forward(s, true);
    check_backward(s, s->tolerance);
    free_subject(s);
}

static ACTIVATION random_activation(void) {
    static const ACTIVATION all[] = {LINEAR, LEAKY, RELU, LOGISTIC, TANH};
    return all[random_int(0, 4)];
}

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
        const int w = random_int(1, 20) * factor, h = random_int(1, 20) * factor;
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
    const int c = random_int(1, 9), c2 = random_int(0, 1) ? c : random_int(1, 9);
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
    const int batch = random_int(1, 3), c = random_int(1, 5) * stride * stride;
    const int w = random_int(1, 6) * stride, h = random_int(1, 6) * stride;
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
        subject s = make_softmax(random_int(1, 3), groups, groups * random_int(1, 300), NULL);
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

/* The same parameters for both, as in the middle of a training. */
static void randomise_batchnorm(subject *s, int channels) {
    layer *h = &s->host.l, *o = &s->ours.l;
    for (int i = 0; i < channels; i++) {
        h->scales[i] = .5f + (float)random_unit();
        h->biases[i] = random_normal();
        h->rolling_mean[i] = random_normal();
        h->rolling_variance[i] = .5f + (float)random_unit();
    }
    copy(o->scales, h->scales, (size_t)channels);
    copy(o->biases, h->biases, (size_t)channels);
    copy(o->rolling_mean, h->rolling_mean, (size_t)channels);
    copy(o->rolling_variance, h->rolling_variance, (size_t)channels);
}

/* One forward each: a second one would move the rolling statistics once more. */
static void check_batchnorm(subject *s, int channels, double tolerance) {
    check_forward(s, false);
    s->host_forward(s->host.l, network_of(s, &s->host, true));
    s->forward(s->ours.l, network_of(s, &s->ours, true));
    const size_t n = (size_t)channels;
    const layer *h = &s->host.l, *o = &s->ours.l;
    assert_near(s, "training output", o->output, h->output, s->outputs, s->tolerance);
    assert_near(s, "mean", o->mean, h->mean, n, 1e-5);
    assert_near(s, "variance", o->variance, h->variance, n, 1e-5);
    assert_near(s, "rolling_mean", o->rolling_mean, h->rolling_mean, n, 1e-6);
    assert_near(s, "rolling_variance", o->rolling_variance, h->rolling_variance, n, 1e-6);
    check_backward(s, tolerance);
    free_subject(s);
}

/* The host's gradient has N for N - 1 and another epsilon: enough values that it hardly matters. */
static void batchnorm(void **state) {
    (void)state;
    layer (*make)(int, int, int, int) = host_function("make_batchnorm_layer");
    for (int i = 0; i < 20; i++) {
        const int batch = random_int(1, 3), w = random_int(25, 40), h = random_int(25, 40);
        const int c = random_int(1, 9);
        subject s = {.host.l = make(batch, w, h, c),
                     .ours.l = make(batch, w, h, c),
                     .forward = gdrq_forward_batchnorm_layer,
                     .backward = gdrq_backward_batchnorm_layer,
                     .host_overwrites = true,
                     .tolerance = 1e-5};
        layer *layers[] = {&s.host.l, &s.ours.l};
        for (int k = 0; k < 2; k++) {
            layers[k]->x = zeros((size_t)(batch * w * h * c));
            layers[k]->x_norm = zeros((size_t)(batch * w * h * c));
            layers[k]->mean_delta = zeros((size_t)c);
            layers[k]->variance_delta = zeros((size_t)c);
        }
        randomise_batchnorm(&s, c);
        complete(&s, w * h * c, "batchnorm");
        check_batchnorm(&s, c, 5. / (batch * w * h));
    }
}

static subject make_connected(int batch, int inputs, int outputs, ACTIVATION a, bool normalise) {
    layer (*make)(int, int, int, ACTIVATION, int, int) = host_function("make_connected_layer");
    subject s = {.host.l = make(batch, inputs, outputs, a, normalise, 0),
                 .ours.l = make(batch, inputs, outputs, a, normalise, 0),
                 .forward = gdrq_forward_connected_layer,
                 .backward = gdrq_backward_connected_layer,
                 .tolerance = 2e-5};
    const size_t weights = (size_t)inputs * (size_t)outputs;
    for (size_t i = 0; i < weights; i++) {
        s.host.l.weights[i] = random_normal() / sqrtf((float)inputs);
        s.host.l.weight_updates[i] = random_normal();
    }
    for (int i = 0; i < outputs; i++) {
        s.host.l.biases[i] = s.ours.l.biases[i] = random_normal();
        s.host.l.bias_updates[i] = s.ours.l.bias_updates[i] = random_normal();
    }
    copy(s.ours.l.weights, s.host.l.weights, weights);
    copy(s.ours.l.weight_updates, s.host.l.weight_updates, weights);
    complete(&s, inputs, "connected");
    return s;
}

static void connected(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) {
        subject s = make_connected(random_int(1, 3), random_int(1, 700), random_int(1, 700),
                                   random_activation(), false);
        check_forward(&s, false);
        /* Updates are added to: one backward each. */
        float *delta = random_array(s.outputs, 1);
        copy(s.host.l.delta, delta, s.outputs);
        copy(s.ours.l.delta, delta, s.outputs);
        s.host_backward(s.host.l, network_of(&s, &s.host, true));
        s.backward(s.ours.l, network_of(&s, &s.ours, true));
        const layer *h = &s.host.l, *o = &s.ours.l;
        const size_t outputs = (size_t)h->outputs;
        assert_near(&s, "delta", o->delta, h->delta, s.outputs, 1e-6);
        assert_near(&s, "net.delta", s.ours.delta, s.host.delta, s.inputs, 2e-5);
        assert_near(&s, "bias_updates", o->bias_updates, h->bias_updates, outputs, 1e-6);
        assert_near(&s, "weight_updates", o->weight_updates, h->weight_updates,
                    outputs * (size_t)h->inputs, 1e-6);
        check_backward(&s, 4e-5);
        free(delta);
        free_subject(&s);
    }
}

/* The gradients of the parameters are the same for any number of threads as well. */
static void connected_updates_of_any_threads(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    subject s = make_connected(3, 517, 389, LEAKY, false);
    const size_t weights = 517 * 389;
    float *first = zeros(weights), *delta = random_array(s.outputs, 1);
    for (int threads = 1; threads <= 4; threads *= 2) {
        omp_set_num_threads(threads);
        copy(s.ours.l.delta, delta, s.outputs);
        memset(s.ours.l.weight_updates, 0, weights * sizeof(float));
        s.forward(s.ours.l, network_of(&s, &s.ours, true));
        s.backward(s.ours.l, network_of(&s, &s.ours, true));
        if (threads == 1)
            copy(first, s.ours.l.weight_updates, weights);
        assert_memory_equal(first, s.ours.l.weight_updates, weights * sizeof *first);
    }
    omp_set_num_threads(before);
    free(first);
    free(delta);
    free_subject(&s);
}

static void connected_with_batch_norm(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) {
        const int outputs = random_int(1, 150);
        subject s = make_connected(1000, random_int(1, 60), outputs, random_activation(), true);
        randomise_batchnorm(&s, outputs);
        free(s.ours.l.x_norm); /* not used */
        s.ours.l.x_norm = NULL;
        check_batchnorm(&s, outputs, 5e-3);
    }
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
        cmocka_unit_test(dropout),
        cmocka_unit_test(dropout_repeats),
        cmocka_unit_test(batchnorm),
        cmocka_unit_test(connected),
        cmocka_unit_test(connected_updates_of_any_threads),
        cmocka_unit_test(connected_with_batch_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
