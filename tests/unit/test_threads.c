/*
 * Whole networks on 1, 2 and 4 threads: at inference every layer's output is the same to the bit,
 * and a training repeats itself with each number of threads.
 */
#include "small_network.h"

#include <stdarg.h>

#include "thread_counts.h"

/* A cfg with random sizes. */
typedef struct cfg_text {
    char text[4096];
    size_t n;
} cfg_text;

__attribute__((format(printf, 2, 3))) static void add(cfg_text *cfg, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(cfg->text + cfg->n, sizeof cfg->text - cfg->n, format, args);
    va_end(args);
    assert_in_range(n, 1, sizeof cfg->text - cfg->n - 1);
    cfg->n += (size_t)n;
}

static void add_net(cfg_text *cfg, int w, int h, int channels) {
    add(cfg,
        "[net]\nbatch=%d\nwidth=%d\nheight=%d\nchannels=%d\nlearning_rate=.00001\nmomentum=.9\n"
        "decay=.0005\n",
        random_int(1, 3), w, h, channels);
}

static const char *any_activation(void) {
    static const char *const names[] = {"linear", "leaky", "relu", "logistic", "tanh", "elu"};
    return names[random_int(0, 5)];
}

/* groups * (some) filters; the caller sees to it that groups divides the channels. */
static void add_convolution(cfg_text *cfg, const char *kind, int filters, int groups, int size,
                            int stride) {
    add(cfg,
        "[%s]\nbatch_normalize=%d\nfilters=%d\ngroups=%d\nsize=%d\nstride=%d\npad=1\n"
        "activation=%s\n",
        kind, random_int(0, 1), filters, groups, size, stride,
        strncmp(kind, "gdrq", 4) == 0 ? "leaky" : any_activation());
}

/* Groups whose sums are worth dividing, but whose channels are no multiple of a vector. */
static void detector(cfg_text *cfg, const char *convolution) {
    const int groups = random_int(2, 6), width = groups * random_int(9, 20);
    const int classes = random_int(1, 20);
    add_net(cfg, 4 * random_int(3, 11), 4 * random_int(3, 11), 3);
    add_convolution(cfg, convolution, width, 1, 3, 1);
    add(cfg, "[maxpool]\nsize=2\nstride=2\n");
    add_convolution(cfg, convolution, width, groups, 3, 1);
    add_convolution(cfg, convolution, width, groups, 1, 1);
    add(cfg, "[shortcut]\nfrom=-3\nactivation=leaky\n");
    add_convolution(cfg, convolution, groups * random_int(9, 25), groups, 3, 2);
    add(cfg, "[upsample]\nstride=2\n[route]\nlayers=-1,-3\n[reorg]\nstride=1\n");
    add(cfg, "[%s]\nsize=1\nstride=1\nfilters=%d\nactivation=linear\n", convolution,
        3 * (5 + classes));
    add(cfg,
        "[yolo]\nmask=0,1,2\nnum=3\nclasses=%d\nignore_thresh=.5\n"
        "anchors=5,6,12,10,20,30\n",
        classes);
}

static void yolo(cfg_text *cfg) {
    detector(cfg, "convolutional");
}

static void quantised(cfg_text *cfg) {
    detector(cfg, "gdrq_convolutional");
}

static void region(cfg_text *cfg) {
    const int classes = random_int(1, 20), side = 2 * random_int(7, 20);
    add_net(cfg, side, side, 3);
    add_convolution(cfg, "convolutional", 4 * random_int(2, 9), 1, 3, 1);
    add(cfg, "[reorg]\nstride=2\n[maxpool]\nsize=3\nstride=1\n");
    add_convolution(cfg, "convolutional", 2 * (5 + classes), 1, 1, 1);
    add(cfg,
        "[region]\nanchors=1,1.5,3,2\nnum=2\nclasses=%d\ncoords=4\nsoftmax=1\nbias_match=1\n"
        "object_scale=5\nnoobject_scale=1\nclass_scale=1\ncoord_scale=1\nthresh=.6\n",
        classes);
}

static void classifier(cfg_text *cfg) {
    const int channels = random_int(4, 40);
    add_net(cfg, random_int(9, 41), random_int(9, 41), random_int(1, 4));
    add_convolution(cfg, "convolutional", channels, 1, 5, 1);
    add(cfg, "[batchnorm]\n[activation]\nactivation=%s\n", any_activation());
    add_convolution(cfg, "convolutional", 2 * channels, channels, 3, 2);
    add(cfg, "[dropout]\nprobability=.3\n");
    add_convolution(cfg, "convolutional", 2 * channels, 2 * channels, 3, 1);
    if (random_int(0, 1))
        add(cfg, "[avgpool]\n");
    add(cfg, "[connected]\noutput=%d\nbatch_normalize=%d\nactivation=%s\n", random_int(50, 300),
        random_int(0, 1), any_activation());
    add(cfg, "[connected]\noutput=%d\nactivation=linear\n[softmax]\n", random_int(2, 1000));
}

static void quantised_classifier(cfg_text *cfg) {
    add_net(cfg, random_int(9, 41), random_int(9, 41), 3);
    add_convolution(cfg, "gdrq_convolutional", random_int(4, 30), 1, 3, 2);
    if (random_int(0, 1))
        add(cfg, "[dropout]\nprobability=.3\n");
    add(cfg, "[gdrq_connected]\noutput=%d\nbatch_normalize=%d\nactivation=relu\n",
        random_int(50, 300), random_int(0, 1));
    add(cfg, "[gdrq_connected]\noutput=%d\nactivation=linear\n[softmax]\n", random_int(2, 300));
}

/* Layers that the host computes by products, copies and activations that are ours. */
static void local(cfg_text *cfg) {
    add_net(cfg, random_int(9, 21), random_int(9, 21), 3);
    add_convolution(cfg, "convolutional", random_int(3, 20), 1, 3, 1);
    add(cfg,
        "[deconvolutional]\nbatch_normalize=%d\nfilters=%d\nsize=4\nstride=2\npadding=1\n"
        "activation=leaky\n",
        random_int(0, 1), random_int(3, 20));
    add(cfg, "[local]\nfilters=%d\nsize=3\nstride=2\npad=1\nactivation=leaky\n[cost]\n",
        random_int(3, 30));
}

/* Many channels of one pixel grow into an image. */
static void generator(cfg_text *cfg) {
    add(cfg, "[net]\ninputs=%d\nbatch=%d\nlearning_rate=.0001\nmomentum=.9\ndecay=.0005\n",
        random_int(50, 100), random_int(1, 3));
    add(cfg, "[connected]\noutput=%d\nactivation=relu\n", random_int(500, 900));
    for (int i = 0; i < 2; i++)
        add(cfg, "[deconvolutional]\nfilters=%d\nsize=4\nstride=%d\nactivation=leaky\n",
            random_int(5, 20), 1 + i);
    add(cfg, "[cost]\n");
}

static void crnn(cfg_text *cfg) {
    add_net(cfg, random_int(9, 21), random_int(9, 21), 3);
    add(cfg, "time_steps=3\n");
    add_convolution(cfg, "convolutional", random_int(3, 20), 1, 3, 1);
    add(cfg,
        "[crnn]\nbatch_normalize=%d\nhidden_filters=%d\noutput_filters=%d\nactivation=leaky\n"
        "[cost]\n",
        random_int(0, 1), random_int(3, 20), random_int(3, 20));
}

static void add_recurrent_net(cfg_text *cfg) {
    add(cfg,
        "[net]\ninputs=%d\nbatch=%d\ntime_steps=3\nlearning_rate=.001\nmomentum=.9\n"
        "decay=.0005\n",
        random_int(50, 300), random_int(2, 5));
}

static void gru(cfg_text *cfg) {
    add_recurrent_net(cfg);
    for (int i = 0; i < 2; i++)
        add(cfg, "[gru]\noutput=%d\nbatch_normalize=%d\n", random_int(50, 300), random_int(0, 1));
    add(cfg, "[connected]\noutput=%d\nactivation=linear\n[softmax]\n", random_int(2, 100));
}

static void rnn_lstm(cfg_text *cfg) {
    add_recurrent_net(cfg);
    add(cfg, "[rnn]\noutput=%d\nactivation=%s\n[lstm]\noutput=%d\n", random_int(50, 300),
        any_activation(), random_int(50, 300));
    add(cfg, "[connected]\noutput=%d\nactivation=linear\n[softmax]\n", random_int(2, 100));
}

static void must(gdrq_status status) {
    assert_int_equal(status, GDRQ_OK);
}

/* What a run starts from. */
typedef struct subject {
    const char *cfg, *weights; /* a file's name */
    bool train;
} subject;

/* Boxes with a class, or a class; what either may be read as is in range. */
static void random_truth(const network *net) {
    const LAYER_TYPE last = net->layers[net->n - 1].type;
    for (int b = 0; b < net->batch; b++) {
        float *truth = net->truth + (size_t)b * (size_t)net->truths;
        if (last == SOFTMAX)
            truth[random_int(0, net->truths - 1)] = 1;
        else if (last == COST)
            for (int i = 0; i < net->truths; i++)
                truth[i] = random_normal();
        else
            for (int i = 0; i < 7; i++, truth += 5) {
                truth[0] = .05f + .9f * (float)random_unit();
                truth[1] = .05f + .9f * (float)random_unit();
                truth[2] = .05f + .5f * (float)random_unit();
                truth[3] = .05f + .5f * (float)random_unit();
                truth[4] = (float)random_int(0, net->layers[net->n - 1].classes - 1);
            }
    }
}

/* One after the other: the same images and random numbers for the same seed. */
static void train(network *net, uint64_t seed, int iterations) {
    random_state = seed;
    srand((unsigned)seed);
    for (int i = 0; i < iterations; i++) {
        memset(net->truth, 0, (size_t)net->batch * (size_t)net->truths * sizeof(float));
        random_pixels(net);
        random_truth(net);
        train_network_datum(net);
    }
}

/* `gradients` and costs are what a training leaves. */
static void add_layers(results *r, const network *net, bool gradients) {
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        const size_t steps = l->steps > 0 ? (size_t)l->steps : 1;
        const size_t n = steps * (size_t)l->batch * (size_t)l->outputs;
        add_results(r, l->output, l->type == COST ? 0 : n);
        if (gradients && l->delta)
            add_results(r, l->delta, n);
        if (gradients && l->cost)
            add_results(r, l->cost, 1);
    }
}

/* All that the network has learned, as a weights file has it. */
static void add_weights(results *r, network *net) {
    char *name = temporary_file("", 0);
    must(gdrq_network_save(net, name, NULL));
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const size_t bytes = (size_t)ftell(file);
    rewind(file);
    float *all = calloc(bytes / sizeof *all + 1, sizeof *all);
    assert_non_null(all);
    assert_int_equal(fread(all, 1, bytes, file), bytes);
    fclose(file);
    add_results(r, all, bytes / sizeof *all + 1);
    free(all);
    discard(name);
}

static results run_network(const void *argument) {
    const subject *s = argument;
    network *net = parse_text(s->cfg);
    must(gdrq_network_load(net, s->weights, false, NULL, NULL));
    results r = {0};
    if (s->train) {
        train(net, 5, 2);
        add_layers(&r, net, true);
        add_weights(&r, net);
    } else {
        random_state = 6;
        random_pixels(net);
        network_predict(net, net->input);
        add_layers(&r, net, false);
    }
    free_network(net);
    return r;
}

/* A file of weights; of a training that has begun, batch norm's statistics are not all zero. */
static char *make_weights(const char *cfg, int iterations) {
    char *name = temporary_file("", 0);
    network *net = parse_text(cfg);
    randomise(net);
    train(net, 4, iterations);
    must(gdrq_network_save(net, name, NULL));
    free_network(net);
    return name;
}

/* Every NaN equals every other: there must be none. */
static void assert_finite(const subject *s) {
    results r = run_network(s);
    for (size_t i = 0; i < r.n; i++)
        if (!isfinite(r.x[i]))
            fail_msg("value %zu of %zu is %g in\n%s", i, r.n, r.x[i], s->cfg);
    free(r.x);
}

enum { NETWORKS = 3 };

static void check_inference(const char *cfg, const char *weights) {
    const subject inference = {cfg, weights, false};
    assert_finite(&inference);
    assert_threads_make_no_difference(cfg, run_network, &inference);
}

static void check(void (*make)(cfg_text *cfg), bool trains) {
    for (int i = 0; i < random_cases(NETWORKS); i++) {
        cfg_text cfg = {.n = 0};
        make(&cfg);
        const uint64_t state = random_state;
        char *weights = make_weights(cfg.text, trains ? 3 : 0);
        check_inference(cfg.text, weights);
        const subject training = {cfg.text, weights, true};
        if (trains)
            assert_repeats(cfg.text, run_network, &training);
        random_state = state;
        discard(weights);
    }
}

static void yolo_networks(void **state) {
    (void)state;
    check(yolo, true);
}

static void quantised_networks(void **state) {
    (void)state;
    check(quantised, true);
}

static void quantised_classifiers(void **state) {
    (void)state;
    check(quantised_classifier, true);
}

static void region_networks(void **state) {
    (void)state;
    check(region, true);
}

static void classifiers(void **state) {
    (void)state;
    check(classifier, true);
}

static void local_networks(void **state) {
    (void)state;
    check(local, true);
}

static void generators(void **state) {
    (void)state;
    check(generator, true);
}

static void convolutional_recurrent_networks(void **state) {
    (void)state;
    check(crnn, true);
}

static void gru_networks(void **state) {
    (void)state;
    check(gru, true);
}

/* The host can't train these on a CPU. */
static void rnn_and_lstm_networks(void **state) {
    (void)state;
    check(rnn_lstm, false);
}

int main(void) {
    seed_random(52);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yolo_networks),
        cmocka_unit_test(quantised_networks),
        cmocka_unit_test(quantised_classifiers),
        cmocka_unit_test(region_networks),
        cmocka_unit_test(classifiers),
        cmocka_unit_test(local_networks),
        cmocka_unit_test(generators),
        cmocka_unit_test(convolutional_recurrent_networks),
        cmocka_unit_test(gru_networks),
        cmocka_unit_test(rnn_and_lstm_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
