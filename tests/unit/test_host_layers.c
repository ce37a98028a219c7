/* Our convolutional and maxpool layer functions against the host's own on random shapes. */
#include "cmocka_all.h"

#include <dlfcn.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "primitives/convolutional_layer.h"
#include "primitives/maxpool_layer.h"
#include "primitives/stock.h"
#include "random_data.h"

typedef void layer_function(layer l, network net);
typedef layer make_convolutional(int, int, int, int, int, int, int, int, int, ACTIVATION, int, int,
                                 int, int);
typedef layer make_maxpool(int, int, int, int, int, int, int);

/* The library's, even if something before it in the program has the same name. */
static void *host_function(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        fail_msg("libdarknet has no %s", name);
    return function;
}

static void copy(float *to, const float *from, size_t n) {
    memcpy(to, from, n * sizeof *to);
}

/* The same layer twice: one for the host's functions and one for ours. */
typedef struct pair {
    layer host, ours;
    float *input, *host_delta, *our_delta, *workspace;
    size_t inputs, outputs; /* of the whole batch */
} pair;

static void fill(float *x, size_t n, float low, float high) {
    for (size_t i = 0; i < n; i++)
        x[i] = low + (high - low) * (float)random_unit();
}

static void allocate_tensors(pair *p, bool integers) {
    p->inputs = (size_t)p->host.batch * (size_t)p->host.inputs;
    p->outputs = (size_t)p->host.batch * (size_t)p->host.outputs;
    p->input = malloc(p->inputs * sizeof(float));
    p->host_delta = malloc(p->inputs * sizeof(float));
    p->our_delta = malloc(p->inputs * sizeof(float));
    p->workspace = malloc(p->host.workspace_size + sizeof(float));
    assert_true(p->input && p->host_delta && p->our_delta && p->workspace);
    fill(p->input, p->inputs, -1, 1);
    for (size_t i = 0; integers && i < p->inputs; i++)
        p->input[i] = (float)random_int(-3, 3);
    fill(p->our_delta, p->inputs, -1, 1);
    copy(p->host_delta, p->our_delta, p->inputs);
    fill(p->host.delta, p->outputs, -1, 1);
    copy(p->ours.delta, p->host.delta, p->outputs);
}

static void free_pair(pair *p) {
    free(p->input);
    free(p->host_delta);
    free(p->our_delta);
    free(p->workspace);
    free_layer(p->host);
    free_layer(p->ours);
}

static network host_network(const pair *p, bool train) {
    return (network){
        .input = p->input, .delta = p->host_delta, .workspace = p->workspace, .train = train};
}

static network our_network(const pair *p, bool train) {
    network net = host_network(p, train);
    net.delta = p->our_delta;
    return net;
}

/* |got - expected| <= tolerance * the largest |expected|, or 1 */
static void assert_same(const char *what, const layer *l, const float *got, const float *expected,
                        size_t n, double tolerance) {
    double largest = 1;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - expected[i]) <= tolerance * largest))
            fail_msg("%s of %dx%dx%dx%d n=%d groups=%d size=%d stride=%d pad=%d batch_normalize=%d "
                     "activation=%d: [%zu] is %.9g, the host's is %.9g",
                     what, l->batch, l->c, l->h, l->w, l->n, l->groups, l->size, l->stride, l->pad,
                     l->batch_normalize, (int)l->activation, i, got[i], expected[i]);
}

/* A layer with random parameters and statistics as in the middle of a training. */
static void randomise(layer *l) {
    const size_t n = (size_t)l->n;
    fill(l->weights, (size_t)l->nweights, -1, 1);
    fill(l->weight_updates, (size_t)l->nweights, -1, 1);
    fill(l->biases, n, -1, 1);
    fill(l->bias_updates, n, -1, 1);
    if (!l->batch_normalize)
        return;
    fill(l->scales, n, .5f, 1.5f);
    fill(l->scale_updates, n, -1, 1);
    fill(l->rolling_mean, n, -1, 1);
    fill(l->rolling_variance, n, .5f, 2);
}

static void copy_parameters(layer *to, const layer *from) {
    const size_t n = (size_t)from->n;
    copy(to->weights, from->weights, (size_t)from->nweights);
    copy(to->weight_updates, from->weight_updates, (size_t)from->nweights);
    copy(to->biases, from->biases, n);
    copy(to->bias_updates, from->bias_updates, n);
    if (!from->batch_normalize)
        return;
    copy(to->scales, from->scales, n);
    copy(to->scale_updates, from->scale_updates, n);
    copy(to->rolling_mean, from->rolling_mean, n);
    copy(to->rolling_variance, from->rolling_variance, n);
}

typedef struct conv_options {
    int batch, h, w, c, n, groups, size, stride, pad, batch_normalize;
    ACTIVATION activation;
} conv_options;

static pair make_conv_pair(const conv_options *o) {
    make_convolutional *make = host_function("make_convolutional_layer");
    pair p = {0};
    layer *layers[] = {&p.host, &p.ours};
    for (int i = 0; i < 2; i++)
        *layers[i] = make(o->batch, o->h, o->w, o->c, o->n, o->groups, o->size, o->stride, o->pad,
                          o->activation, o->batch_normalize, 0, 0, 0);
    randomise(&p.host);
    copy_parameters(&p.ours, &p.host);
    allocate_tensors(&p, false);
    return p;
}

/* Enough values per channel that the host's two variances and epsilons hardly differ. */
static conv_options random_conv(void) {
    static const ACTIVATION activations[] = {LINEAR, LEAKY, RELU, LOGISTIC};
    const int groups = random_int(0, 2) ? 1 : random_int(2, 4);
    const int size = random_int(1, 5);
    return (conv_options){.batch = random_int(2, 3),
                          .h = random_int(20, 30),
                          .w = random_int(20, 30),
                          .c = groups * random_int(1, 6),
                          .n = groups * random_int(1, 6),
                          .groups = groups,
                          .size = size,
                          .stride = size > 1 ? random_int(1, 2) : 1,
                          .pad = random_int(0, size / 2),
                          .batch_normalize = random_int(0, 1),
                          .activation = activations[random_int(0, 3)]};
}

static void check_forward(const pair *p, bool train) {
    layer_function *forward = host_function("forward_convolutional_layer");
    const layer *h = &p->host, *o = &p->ours;
    forward(p->host, host_network(p, train));
    gdrq_forward_convolutional_layer(p->ours, our_network(p, train));
    assert_same("output", h, o->output, h->output, p->outputs, 2e-5);
    if (!h->batch_normalize)
        return;
    const size_t n = (size_t)h->n;
    assert_same("x", h, o->x, h->x, p->outputs, 1e-5);
    assert_same("rolling_mean", h, o->rolling_mean, h->rolling_mean, n, 1e-6);
    assert_same("rolling_variance", h, o->rolling_variance, h->rolling_variance, n, 1e-6);
    if (train) {
        assert_same("mean", h, o->mean, h->mean, n, 1e-5);
        assert_same("variance", h, o->variance, h->variance, n, 1e-5);
    }
}

/* The host's batch norm has N for N - 1 and an epsilon of 1e-5 on the variance in its gradient. */
static double gradient_tolerance(const layer *l) {
    if (!l->batch_normalize)
        return 2e-5;
    float smallest = l->variance[0];
    for (int i = 1; i < l->n; i++)
        smallest = fminf(smallest, l->variance[i]);
    return 1. / (l->batch * l->out_w * l->out_h) + 1e-5 / smallest;
}

/* Activation and batch norm: compares what is left in delta and the updates of bias and scale. */
static void check_backward_to_sums(const pair *p) {
    layer_function *backward = host_function("backward_convolutional_layer");
    const layer *h = &p->host, *o = &p->ours;
    backward(p->host, host_network(p, true));
    const double tolerance = gradient_tolerance(h);
    const size_t n = (size_t)h->n;
    assert_same("delta", h, o->delta, h->delta, p->outputs, tolerance);
    assert_same("bias_updates", h, o->bias_updates, h->bias_updates, n, 2e-5);
    if (h->batch_normalize)
        assert_same("scale_updates", h, o->scale_updates, h->scale_updates, n, tolerance);
}

/*
 * The convolution itself: the host's, linear and without batch norm, on the delta that ours found.
 * What its 1x1 backward overwrites is what ours must have added to.
 */
static void check_convolution_backward(const pair *p, const float *delta_before,
                                       const float *updates_before) {
    layer_function *backward = host_function("backward_convolutional_layer");
    layer plain = p->host;
    plain.batch_normalize = 0;
    plain.activation = LINEAR;
    copy(plain.delta, p->ours.delta, p->outputs);
    copy(plain.weight_updates, updates_before, (size_t)plain.nweights);
    copy(p->host_delta, delta_before, p->inputs);
    backward(plain, host_network(p, true));
    for (size_t i = 0; plain.size == 1 && i < p->inputs; i++)
        p->host_delta[i] += delta_before[i];
    /* Sums of many deltas can cancel: rounding errors go with the deltas' size. */
    double size = 1;
    for (size_t i = 0; i < p->outputs; i++)
        size = fmax(size, fabs(p->ours.delta[i]));
    assert_same("net.delta", &p->host, p->our_delta, p->host_delta, p->inputs, 2e-5 * size);
    assert_same("weight_updates", &p->host, p->ours.weight_updates, plain.weight_updates,
                (size_t)plain.nweights, 5e-5 * size);
}

static void check_backward(const pair *p) {
    const size_t weights = (size_t)p->ours.nweights;
    float *delta_before = malloc(p->inputs * sizeof(float));
    float *updates_before = malloc(weights * sizeof(float));
    assert_true(delta_before && updates_before);
    copy(delta_before, p->our_delta, p->inputs);
    copy(updates_before, p->ours.weight_updates, weights);
    gdrq_backward_convolutional_layer(p->ours, our_network(p, true));
    check_backward_to_sums(p);
    check_convolution_backward(p, delta_before, updates_before);
    free(delta_before);
    free(updates_before);
}

static void convolutional_training(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        const conv_options options = random_conv();
        pair p = make_conv_pair(&options);
        check_forward(&p, true);
        check_backward(&p);
        free_pair(&p);
    }
}

static void convolutional_inference(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        const conv_options options = random_conv();
        pair p = make_conv_pair(&options);
        check_forward(&p, false);
        free_pair(&p);
    }
}

/* The first layer of a network gets no net.delta; the rest must be the same. */
static void convolutional_without_input_gradient(void **state) {
    (void)state;
    const conv_options options = {2, 9, 9, 3, 8, 1, 3, 1, 1, 1, LEAKY};
    pair p = make_conv_pair(&options);
    network net = our_network(&p, true);
    gdrq_forward_convolutional_layer(p.ours, net);
    copy_parameters(&p.host, &p.ours);
    copy(p.host.x, p.ours.x, p.outputs);
    copy(p.host.output, p.ours.output, p.outputs);
    copy(p.host.mean, p.ours.mean, 8);
    copy(p.host.variance, p.ours.variance, 8);
    gdrq_backward_convolutional_layer(p.ours, net);
    net.delta = NULL;
    gdrq_backward_convolutional_layer(p.host, net);
    assert_memory_equal(p.host.delta, p.ours.delta, p.outputs * sizeof(float));
    assert_memory_equal(p.host.weight_updates, p.ours.weight_updates,
                        (size_t)p.ours.nweights * sizeof(float));
    free_pair(&p);
}

/* Sum of output * weights after an inference forward, for finite differences. */
static double inference_loss(const pair *p, const float *loss_weights) {
    gdrq_forward_convolutional_layer(p->ours, our_network(p, false));
    double loss = 0;
    for (size_t i = 0; i < p->outputs; i++)
        loss += (double)loss_weights[i] * p->ours.output[i];
    return loss;
}

/* With net.train = 0 batch norm's statistics are constants: the gradient of what the forward did.
 */
static void convolutional_backward_after_inference(void **state) {
    (void)state;
    const conv_options options = {1, 5, 6, 3, 4, 1, 3, 1, 1, 1, LINEAR};
    pair p = make_conv_pair(&options);
    copy(p.host.delta, p.ours.delta, p.outputs);
    memset(p.our_delta, 0, p.inputs * sizeof(float));
    gdrq_forward_convolutional_layer(p.ours, our_network(&p, false));
    gdrq_backward_convolutional_layer(p.ours, our_network(&p, false));
    for (size_t i = 0; i < p.inputs; i++) {
        const float before = p.input[i], h = .25f; /* the loss is linear in the input */
        p.input[i] = before + h;
        const double up = inference_loss(&p, p.host.delta);
        p.input[i] = before - h;
        const double down = inference_loss(&p, p.host.delta);
        p.input[i] = before;
        if (fabs((up - down) / (2 * h) - p.our_delta[i]) > 1e-4)
            fail_msg("net.delta[%zu] is %g, not %g", i, p.our_delta[i], (up - down) / (2 * h));
    }
    free_pair(&p);
}

static pair make_maxpool_pair(int batch, int h, int w, int c, int size, int stride, int pad) {
    make_maxpool *make = host_function("make_maxpool_layer");
    pair p = {.host = make(batch, h, w, c, size, stride, pad),
              .ours = make(batch, h, w, c, size, stride, pad)};
    allocate_tensors(&p, true); /* integers: many windows have equal values */
    return p;
}

static pair random_maxpool_pair(void) {
    for (;;) {
        const int h = random_int(1, 40), w = random_int(1, 40), size = random_int(1, 5);
        const int stride = random_int(1, 4), pad = random_int(0, 2 * size);
        if (h + pad >= size && w + pad >= size)
            return make_maxpool_pair(random_int(1, 3), h, w, random_int(1, 5), size, stride, pad);
    }
}

static void assert_same_pooling(const pair *p) {
    layer_function *forward = host_function("forward_maxpool_layer");
    forward(p->host, host_network(p, true));
    gdrq_forward_maxpool_layer(p->ours, our_network(p, true));
    assert_memory_equal(p->ours.output, p->host.output, p->outputs * sizeof(float));
    assert_memory_equal(p->ours.indexes, p->host.indexes, p->outputs * sizeof(int));
}

static bool all_found(const pair *p) {
    for (size_t i = 0; i < p->outputs; i++)
        if (p->host.indexes[i] < 0)
            return false;
    return true;
}

static void maxpool(void **state) {
    (void)state;
    layer_function *backward = host_function("backward_maxpool_layer");
    int compared = 0;
    for (int i = 0; i < 300; i++) {
        pair p = random_maxpool_pair();
        assert_same_pooling(&p);
        gdrq_backward_maxpool_layer(p.ours, our_network(&p, true));
        if (all_found(&p)) { /* else the host writes in front of net.delta */
            backward(p.host, host_network(&p, true));
            assert_memory_equal(p.our_delta, p.host_delta, p.inputs * sizeof(float));
            compared++;
        }
        free_pair(&p);
    }
    assert_true(compared > 100);
}

/*
 * NaN never wins (in the host it depends on the compiler's flags whether the output is NaN); a
 * window of nothing else has no winner, and its gradient goes nowhere.
 */
static void maxpool_of_nan(void **state) {
    (void)state;
    pair p = make_maxpool_pair(1, 4, 4, 1, 2, 2, 0);
    const float nans[] = {NAN, NAN, 1,   NAN, NAN,       NAN,       NAN,      2,
                          3,   4,   NAN, 5,   -INFINITY, -INFINITY, -FLT_MAX, NAN};
    copy(p.input, nans, 16);
    gdrq_forward_maxpool_layer(p.ours, our_network(&p, true));
    const float maxima[] = {-FLT_MAX, 2, 4, 5};
    const int winners[] = {-1, 7, 9, 11};
    assert_memory_equal(p.ours.output, maxima, sizeof maxima);
    assert_memory_equal(p.ours.indexes, winners, sizeof winners);
    /* One float in front: where index -1 would go. */
    float guarded[17] = {0};
    network net = our_network(&p, true);
    net.delta = guarded + 1;
    gdrq_backward_maxpool_layer(p.ours, net);
    for (int i = 0; i < 17; i++) {
        const float expected = i == 8    ? p.ours.delta[1]
                               : i == 10 ? p.ours.delta[2]
                               : i == 12 ? p.ours.delta[3]
                                         : 0;
        assert_true(guarded[i] == expected);
    }
    net.delta = NULL;
    gdrq_backward_maxpool_layer(p.ours, net);
    free_pair(&p);
}

int main(void) {
    /* The host's convolution calls batch norm by a name that is ours, too. */
    setenv("GDRQ_STOCK", "batchnorm", 1);
    seed_random(14);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutional_training),
        cmocka_unit_test(convolutional_inference),
        cmocka_unit_test(convolutional_without_input_gradient),
        cmocka_unit_test(convolutional_backward_after_inference),
        cmocka_unit_test(maxpool),
        cmocka_unit_test(maxpool_of_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
