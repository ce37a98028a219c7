/*
 * A layer twice, for the host's functions and for ours: the same input and parameters, gradients
 * that are there already, several numbers of threads.
 */
#ifndef TESTS_LAYER_SUBJECT_H
#define TESTS_LAYER_SUBJECT_H

#include "cmocka_all.h"

#include <dlfcn.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "darknet.h"
#include "random_data.h"

typedef void layer_function(layer l, network net);

static inline void *host_function(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        fail_msg("libdarknet has no %s", name);
    return function;
}

static inline void copy(float *to, const float *from, size_t n) {
    memcpy(to, from, n * sizeof *to);
}

static inline float *zeros(size_t n) {
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

static inline size_t other_size(const layer *other) {
    return (size_t)other->batch * (size_t)other->outputs;
}

/* For two layers that were just made; `inputs` as the layer before gives them, per image. */
static inline void complete(subject *s, int inputs, const char *kind) {
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
static inline void add_other(subject *s, int batch, int outputs) {
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

static inline void free_side(side *a, int others) {
    for (int i = 0; i < others; i++) {
        free(a->others[i].output);
        free(a->others[i].delta);
    }
    free(a->delta);
    free_layer(a->l);
}

static inline void free_subject(subject *s) {
    free_side(&s->host, s->others);
    free_side(&s->ours, s->others);
    free(s->input);
    free(s->truth);
}

static inline network network_of(const subject *s, side *a, bool train) {
    return (network){.input = s->input,
                     .delta = a->delta,
                     .truth = s->truth,
                     .layers = a->others,
                     .n = s->others,
                     .train = train};
}

static inline void assert_near(const subject *s, const char *what, const float *got,
                               const float *expected, size_t n, double tolerance) {
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
static inline void forward_ours(subject *s, bool train) {
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

static inline void check_forward(subject *s, bool train) {
    s->host_forward(s->host.l, network_of(s, &s->host, train));
    forward_ours(s, train);
    assert_near(s, "output", s->ours.l.output, s->host.l.output, s->outputs, s->tolerance);
}

/* As forward_ours(): every repetition starts from the same gradients. */
static inline void backward_ours(subject *s) {
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
static inline void check_backward(subject *s, double tolerance) {
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

static inline void check(subject *s) {
    check_forward(s, false);
    check_forward(s, true);
    check_backward(s, s->tolerance);
    free_subject(s);
}

static inline ACTIVATION random_activation(void) {
    static const ACTIVATION all[] = {LINEAR, LEAKY, RELU, LOGISTIC, TANH};
    return all[random_int(0, 4)];
}

#endif
