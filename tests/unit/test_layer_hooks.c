/*
 * Layer functions that the host calls from other layers: the batch norm of deconvolutional and
 * binary layers, the convolutions inside of [crnn]. GDRQ_STOCK is read once per process, so this
 * program runs itself to have the host's own functions do the same work.
 */
#include "small_network.h"

#include <sys/wait.h>

/* Made to pass its input on; it keeps a gradient for it. */
#define IDENTITY "[convolutional]\nfilters=3\nsize=1\nstride=1\nactivation=linear\n"

typedef struct subject {
    const char *name, *cfg;
    double tolerance;  /* of gradients, against the largest */
    bool forward_only; /* the host's gradient is wrong for any number of values */
} subject;

/* Enough values per channel that the host's N for N - 1 in batch norm's gradient hardly matters. */
static const subject subjects[] = {
    {"deconvolutional",
     "[net]\nbatch=2\nwidth=16\nheight=15\nchannels=3\n" IDENTITY
     "[deconvolutional]\nbatch_normalize=1\nfilters=5\nsize=4\nstride=2\npadding=1\n"
     "activation=leaky\n[cost]\n",
     2e-3, false},
    {"xnor",
     "[net]\nbatch=2\nwidth=33\nheight=30\nchannels=3\n" IDENTITY
     "[convolutional]\nbatch_normalize=1\nxnor=1\nfilters=5\nsize=3\nstride=1\npad=1\n"
     "activation=leaky\n[cost]\n",
     2e-3, false},
    {"crnn",
     "[net]\nbatch=2\ntime_steps=3\nwidth=9\nheight=9\nchannels=3\n" IDENTITY
     "[crnn]\nhidden_filters=6\noutput_filters=5\nactivation=linear\n[cost]\n",
     2e-5, false},
    {"crnn_batch_norm",
     "[net]\nbatch=2\ntime_steps=3\nwidth=9\nheight=9\nchannels=3\n" IDENTITY
     "[crnn]\nbatch_normalize=1\nhidden_filters=6\noutput_filters=5\nactivation=leaky\n[cost]\n",
     0, true},
    {"crnn_shortcut",
     "[net]\nbatch=2\ntime_steps=3\nwidth=9\nheight=9\nchannels=3\n" IDENTITY
     "[crnn]\nhidden_filters=6\noutput_filters=5\nshortcut=1\nactivation=leaky\n[cost]\n",
     0, true},
};
enum { N_SUBJECTS = sizeof subjects / sizeof *subjects, MAX_PARTS = 3 };

/* So few values per channel that batch norm's gradient in the host is wrong by a tenth or so. */
static const struct {
    const char *name, *cfg;
} small[] = {
    {"deconvolutional",
     "[net]\nbatch=1\nwidth=2\nheight=2\nchannels=3\n" IDENTITY
     "[deconvolutional]\nbatch_normalize=1\nfilters=3\nsize=2\nstride=1\nactivation=tanh\n"
     "[cost]\n"},
    {"crnn", "[net]\nbatch=1\ntime_steps=3\nwidth=3\nheight=3\nchannels=3\n" IDENTITY
             "[crnn]\nbatch_normalize=1\nhidden_filters=3\noutput_filters=2\nactivation=tanh\n"
             "[cost]\n"},
    {"crnn_shortcut", "[net]\nbatch=2\ntime_steps=3\nwidth=3\nheight=3\nchannels=3\n" IDENTITY
                      "[crnn]\nshortcut=1\nhidden_filters=3\noutput_filters=2\nactivation=tanh\n"
                      "[cost]\n"},
};
enum { N_SMALL = sizeof small / sizeof *small };

/* The layers of layer 1 that have parameters. */
static int parts_of(const network *net, layer *parts[MAX_PARTS]) {
    layer *l = &net->layers[1];
    parts[0] = l;
    if (l->type != CRNN)
        return 1;
    parts[0] = l->output_layer;
    parts[1] = l->self_layer;
    parts[2] = l->input_layer;
    return 3;
}

static void fill(float *x, size_t n, float centre, float deviation) {
    for (size_t i = 0; i < n; i++)
        x[i] = centre + deviation * random_normal();
}

/* As in the middle of a training. */
static void fill_part(layer *l) {
    const size_t n = (size_t)l->n, weights = (size_t)l->nweights;
    fill(l->weights, weights, 0, sqrtf((float)l->n / (float)l->nweights));
    fill(l->biases, n, 0, .3f);
    if (!l->batch_normalize)
        return;
    fill(l->scales, n, 1, .1f);
    fill(l->rolling_mean, n, 0, .3f);
    fill(l->rolling_variance, n, 1, .1f);
}

static network *make_network(const char *cfg) {
    random_state = 77; /* the same in every process */
    network *net = parse_text(cfg);
    layer *parts[MAX_PARTS];
    const int n = parts_of(net, parts);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            net->layers[0].weights[3 * i + k] = i == k;
    for (int i = 0; i < n; i++)
        fill_part(parts[i]);
    fill(net->input, (size_t)net->batch * (size_t)net->inputs, 0, 1);
    fill(net->truth, (size_t)net->batch * (size_t)net->truths, 0, 1);
    return net;
}

static size_t output_values(const network *net) {
    return (size_t)net->batch * (size_t)net->layers[1].outputs;
}

/* A named array, as the two processes exchange it. */
typedef struct heading {
    char name[32];
    size_t n;
    double tolerance;
} heading;

static void emit(FILE *out, const char *name, const float *x, size_t n, double tolerance) {
    heading head = {.n = n, .tolerance = tolerance};
    snprintf(head.name, sizeof head.name, "%s", name);
    if (fwrite(&head, sizeof head, 1, out) != 1 || fwrite(x, sizeof *x, n, out) != n)
        abort();
}

static void emit_statistics(FILE *out, const layer *l) {
    const size_t n = (size_t)l->n;
    emit(out, "mean", l->mean, n, 1e-5);
    emit(out, "variance", l->variance, n, 1e-5);
    emit(out, "rolling_mean", l->rolling_mean, n, 1e-6);
    emit(out, "rolling_variance", l->rolling_variance, n, 1e-6);
}

static void emit_gradients(FILE *out, const layer *l, double tolerance) {
    emit(out, "weight_updates", l->weight_updates, (size_t)l->nweights, tolerance);
    emit(out, "bias_updates", l->bias_updates, (size_t)l->n, 2e-5);
    if (l->batch_normalize)
        emit(out, "scale_updates", l->scale_updates, (size_t)l->n, tolerance);
}

/* One step of training and an inference; writes all that came out. */
static void work(const subject *s, FILE *out) {
    network *net = make_network(s->cfg);
    layer *parts[MAX_PARTS];
    const int n = parts_of(net, parts);
    net->train = 1;
    forward_network(net);
    emit(out, "output", net->layers[1].output, output_values(net), 2e-5);
    for (int i = 0; i < n; i++)
        if (parts[i]->batch_normalize)
            emit_statistics(out, parts[i]);
    if (!s->forward_only) {
        backward_network(net);
        emit(out, "net.delta", net->layers[0].delta, (size_t)net->batch * (size_t)net->inputs,
             s->tolerance);
        for (int i = 0; i < n; i++)
            emit_gradients(out, parts[i], s->tolerance);
    }
    net->train = 0;
    forward_network(net);
    emit(out, "inference", net->layers[1].output, output_values(net), 2e-5);
    free_network(net);
}

/* This program with another environment. */
static FILE *start_self(const char *job, const char *name, const char *stock) {
    char self[4096] = "", command[8192];
    if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        return NULL;
    snprintf(command, sizeof command, "GDRQ_STOCK=%s '%s' %s %s 2> /dev/null", stock, self, job,
             name);
    return popen(command, "r");
}

static float *read_array(FILE *in, heading *head) {
    assert_int_equal(fread(head, sizeof *head, 1, in), 1);
    float *x = malloc(head->n * sizeof *x);
    assert_non_null(x);
    assert_int_equal(fread(x, sizeof *x, head->n, in), head->n);
    return x;
}

/* Reads an array from either; whether they differ at all. */
static bool compare_array(const char *subject, FILE *ours, FILE *stock) {
    heading a, b;
    float *x = read_array(ours, &a), *expected = read_array(stock, &b);
    assert_string_equal(a.name, b.name);
    assert_int_equal(a.n, b.n);
    double largest = 0;
    for (size_t i = 0; i < a.n; i++)
        largest = fmax(largest, fabs(expected[i]));
    assert_true(largest > 0);
    for (size_t i = 0; i < a.n; i++)
        if (!(fabs((double)x[i] - expected[i]) <= a.tolerance * largest))
            fail_msg("%s: %s[%zu of %zu] is %.9g, the host's is %.9g; the largest is %g", subject,
                     a.name, i, a.n, x[i], expected[i], largest);
    const bool differ = memcmp(x, expected, a.n * sizeof *x) != 0;
    free(x);
    free(expected);
    return differ;
}

static void as_the_host(void **state) {
    (void)state;
    for (int i = 0; i < N_SUBJECTS; i++) {
        FILE *ours = tmpfile(), *stock = start_self("work", subjects[i].name, "all");
        assert_true(ours && stock);
        work(&subjects[i], ours);
        const long end = ftell(ours);
        rewind(ours);
        bool differ = false;
        while (ftell(ours) < end)
            differ |= compare_array(subjects[i].name, ours, stock);
        assert_int_equal(fgetc(stock), EOF);
        assert_int_equal(pclose(stock), 0);
        fclose(ours);
        /* The other process did have other functions. */
        assert_true(differ);
    }
}

/* Half the squared error, whose gradient the cost layer has. */
static double loss(network *net) {
    net->train = 1;
    forward_network(net);
    double sum = 0;
    for (size_t i = 0; i < output_values(net); i++)
        sum += .5 * pow((double)net->truth[i] - net->layers[1].output[i], 2);
    return sum;
}

/* Error of -dL/dx against central differences, and the largest of these, over arrays. */
typedef struct deviation {
    double worst, largest;
} deviation;

static void compare_gradient(network *net, float *x, const float *gradient, size_t n,
                             deviation *d) {
    const float h = 2e-3f;
    for (size_t i = 0; i < n; i++) {
        const float at = x[i];
        x[i] = at + h;
        const double above = loss(net);
        x[i] = at - h;
        const double numeric = (loss(net) - above) / (2 * (double)h);
        x[i] = at;
        d->worst = fmax(d->worst, fabs(gradient[i] - numeric));
        d->largest = fmax(d->largest, fabs(numeric));
    }
}

static void compare_part(network *net, const layer *l, deviation *d) {
    compare_gradient(net, l->weights, l->weight_updates, (size_t)l->nweights, d);
    compare_gradient(net, l->biases, l->bias_updates, (size_t)l->n, d);
    if (l->batch_normalize)
        compare_gradient(net, l->scales, l->scale_updates, (size_t)l->n, d);
}

/* Of the input's gradient and those of all parameters. */
static double gradient_error(const char *cfg) {
    network *net = make_network(cfg);
    const size_t inputs = (size_t)net->batch * (size_t)net->inputs;
    float *delta = malloc(inputs * sizeof *delta);
    layer *parts[MAX_PARTS];
    const int n = parts_of(net, parts);
    deviation d = {0};
    loss(net);
    backward_network(net);
    memcpy(delta, net->layers[0].delta, inputs * sizeof *delta); /* which every forward zeroes */
    compare_gradient(net, net->input, delta, inputs, &d);
    for (int i = 0; i < n; i++)
        compare_part(net, parts[i], &d);
    free(delta);
    free_network(net);
    return d.worst / d.largest;
}

enum { WRONG_GRADIENT = 3 };

static int check_gradient(const char *name) {
    for (int i = 0; i < N_SMALL; i++)
        if (!strcmp(name, small[i].name))
            return gradient_error(small[i].cfg) < .005 ? 0 : WRONG_GRADIENT;
    return 1;
}

/* With so few values the host's gradients are wrong where GDRQ_STOCK asks for them. */
static void exact_gradients(void **state) {
    (void)state;
    for (int i = 0; i < N_SMALL; i++)
        assert_int_equal(check_gradient(small[i].name), 0);
    static const struct {
        const char *name, *stock;
        int status;
    } runs[] = {
        {"deconvolutional", "gemm", 0},
        {"deconvolutional", "batchnorm", WRONG_GRADIENT},
        {"crnn", "batchnorm", 0},     /* ours inside */
        {"crnn", "convolutional", 0}, /* the host's inside, with our batch norm */
        {"crnn", "convolutional,batchnorm", WRONG_GRADIENT},
        {"crnn", "crnn", WRONG_GRADIENT},
        {"crnn_shortcut", "convolutional,batchnorm", 0},
        {"crnn_shortcut", "crnn", WRONG_GRADIENT},
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        FILE *run = start_self("gradient", runs[i].name, runs[i].stock);
        assert_non_null(run);
        const int status = pclose(run);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != runs[i].status)
            fail_msg("%s with GDRQ_STOCK=%s: status %d", runs[i].name, runs[i].stock, status);
    }
}

/* w + rate / batch * (updates - decay * batch * w) for all parts, at the rate of the section. */
static void crnn_learns(void **state) {
    (void)state;
    network *net = make_network(
        "[net]\nbatch=2\nwidth=5\nheight=5\nchannels=3\n" IDENTITY
        "[crnn]\nhidden_filters=4\noutput_filters=2\nlearning_rate=.5\nactivation=tanh\n[cost]\n");
    layer *parts[MAX_PARTS];
    const int n = parts_of(net, parts);
    float before[MAX_PARTS], update[MAX_PARTS];
    loss(net);
    backward_network(net);
    for (int i = 0; i < n; i++) {
        parts[i]->weight_updates[7] += 3; /* self_layer has none after its first step */
        before[i] = parts[i]->weights[7];
        update[i] = parts[i]->weight_updates[7];
    }
    const update_args a = {.batch = 2, .learning_rate = .1f, .momentum = .9f, .decay = .01f};
    net->layers[1].update(net->layers[1], a);
    for (int i = 0; i < n; i++) {
        const float u = update[i] - .01f * 2 * before[i];
        assert_float_equal(parts[i]->weights[7], before[i] + .1f * .5f / 2 * u, 1e-6);
        assert_float_equal(parts[i]->weight_updates[7], .9f * u, 1e-6);
    }
    free_network(net);
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "gradient"))
        return check_gradient(argv[2]);
    for (int i = 0; argc == 3 && i < N_SUBJECTS; i++)
        if (!strcmp(argv[2], subjects[i].name)) {
            work(&subjects[i], stdout);
            return 0;
        }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_host),
        cmocka_unit_test(exact_gradients),
        cmocka_unit_test(crnn_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
