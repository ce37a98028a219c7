/* What a training keeps beside its weights: the optimiser's arrays, the mean of weights, the state.
 */
#include "base/hash.h"
#include "network_numbers.h"
#include "small_network.h"
#include "train/quantised_layer.h"
#include "train/state.h"

static const char cfg_text[] =
    "[net]\nbatch=2\nwidth=8\nheight=8\nchannels=3\nthreshold=scale\nadam=%d\nema=%s\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=5\nsize=3\npad=1\n"
    "activation=leaky\n"
    "[convolutional]\nfilters=4\nsize=1\nactivation=linear\ndontsave=1\n"
    "[connected]\noutput=3\nactivation=linear\n[softmax]\n";

static network *make(int adam, const char *mean) {
    char text[600];
    snprintf(text, sizeof text, cfg_text, adam, mean);
    network *net = parse_text(text);
    randomise(net);
    return net;
}

static void fill_array(void *user, float *data, size_t n) {
    (void)user;
    for (size_t i = 0; i < n; i++)
        data[i] = random_normal();
}

static void clear_array(void *user, float *data, size_t n) {
    (void)user;
    memset(data, 0, n * sizeof *data);
}

static void test_arrays(void **unused) {
    (void)unused;
    /* Biases, scales, mean, variance, weights; biases, weights; biases, weights. */
    const size_t weights = 4 * 5 + 5 * 3 * 9 + 4 + 4 * 5 + 3 + 3 * 4 * 64;
    const size_t updates = weights - 2 * 5;
    network *net = make(0, "0");
    network *adam = make(1, "0.5");
    numbers c = numbers_of(net, GDRQ_ARRAYS_WEIGHTS), o = numbers_of(net, GDRQ_ARRAYS_OPTIMISER);
    numbers a = numbers_of(adam, GDRQ_ARRAYS_OPTIMISER);
    assert_int_equal(c.n, weights);
    assert_int_equal(o.n, updates);
    assert_int_equal(a.n, 3 * updates);
    assert_float_equal(gdrq_network_ema(net), 0, 0);
    assert_float_equal(gdrq_network_ema(adam), .5, 0);
    free(c.values), free(o.values), free(a.values);
    free_network(net);
    free_network(adam);
}

static void test_mean(void **unused) {
    (void)unused;
    network *net = make(0, "0.9");
    gdrq_error err;
    ema e;
    assert_int_equal(ema_start(&e, net, .9, &err), GDRQ_OK);
    numbers start = numbers_of(net, GDRQ_ARRAYS_WEIGHTS);
    assert_int_equal(e.n, start.n);
    double *expected = calloc(e.n, sizeof *expected);
    for (size_t i = 0; i < e.n; i++)
        expected[i] = start.values[i];
    for (int t = 1; t <= 100; t++) {
        gdrq_network_arrays(net, GDRQ_ARRAYS_WEIGHTS, fill_array, NULL);
        numbers now = numbers_of(net, GDRQ_ARRAYS_WEIGHTS);
        const double d = fmin(.9, (1. + t) / (10. + t));
        for (size_t i = 0; i < e.n; i++)
            expected[i] = d * expected[i] + (1 - d) * now.values[i];
        ema_step(&e, net, 1);
        free(now.values);
    }
    for (size_t i = 0; i < e.n; i++)
        assert_float_equal(e.mean[i], expected[i], 1e-5);
    numbers raw = numbers_of(net, GDRQ_ARRAYS_WEIGHTS);
    ema_swap(&e, net);
    numbers mean = numbers_of(net, GDRQ_ARRAYS_WEIGHTS);
    assert_memory_equal(e.mean, raw.values, e.n * sizeof(float));
    ema_swap(&e, net);
    assert_memory_equal(e.mean, mean.values, e.n * sizeof(float));
    free(start.values), free(raw.values), free(mean.values), free(expected);
    ema_free(&e);
    free_network(net);
}

static void test_mean_of_several_iterations(void **unused) {
    (void)unused;
    network *net = make(0, "0.9");
    gdrq_error err;
    ema one_by_one, at_once;
    assert_int_equal(ema_start(&one_by_one, net, .8, &err), GDRQ_OK);
    assert_int_equal(ema_start(&at_once, net, .8, &err), GDRQ_OK);
    gdrq_network_arrays(net, GDRQ_ARRAYS_WEIGHTS, fill_array, NULL);
    for (int i = 0; i < 12; i++)
        ema_step(&one_by_one, net, 1);
    ema_step(&at_once, net, 4);
    ema_step(&at_once, net, 8);
    assert_int_equal(at_once.steps, 12);
    for (size_t i = 0; i < at_once.n; i++)
        assert_float_equal(at_once.mean[i], one_by_one.mean[i], 1e-5);
    ema_free(&one_by_one);
    ema_free(&at_once);
    free_network(net);
}

static const train_state sample = {.seed = 77,
                                   .average_loss = 1.25,
                                   .seconds = 3.5,
                                   .best = .75,
                                   .best_iteration = 12,
                                   .measured = 3,
                                   .since_best = 1};

static void test_round_trip(void **unused) {
    (void)unused;
    gdrq_error err = {{0}};
    for (int adam = 0; adam < 2; adam++) {
        network *net = make(adam, "0.9");
        char *path = temporary_file("", 0);
        ema e, other;
        state_found found;
        train_state state = {0};
        assert_int_equal(ema_start(&e, net, .9, &err), GDRQ_OK);
        gdrq_network_arrays(net, GDRQ_ARRAYS_OPTIMISER, fill_array, NULL);
        fill_array(NULL, e.mean, e.n);
        e.steps = 41;
        *net->t = 40;
        assert_int_equal(state_save("/dev/null", path, net, &sample, &e, &err), GDRQ_OK);
        numbers before = numbers_of(net, GDRQ_ARRAYS_OPTIMISER);
        gdrq_network_arrays(net, GDRQ_ARRAYS_OPTIMISER, clear_array, NULL);
        *net->t = 0;
        assert_int_equal(ema_start(&other, net, .9, &err), GDRQ_OK);
        assert_int_equal(state_load(path, net, &state, &other, &found, &err), GDRQ_OK);
        assert_int_equal(found, STATE_WHOLE);
        assert_memory_equal(&state, &sample, sizeof sample);
        assert_int_equal(*net->t, 40);
        assert_int_equal(other.steps, 41);
        assert_memory_equal(other.mean, e.mean, e.n * sizeof(float));
        numbers after = numbers_of(net, GDRQ_ARRAYS_OPTIMISER);
        assert_int_equal(after.n, before.n);
        assert_memory_equal(after.values, before.values, after.n * sizeof(float));
        free(before.values), free(after.values);
        ema_free(&e);
        ema_free(&other);
        discard(path);
        free_network(net);
    }
}

static void test_what_is_found(void **unused) {
    (void)unused;
    gdrq_error err = {{0}};
    network *net = make(0, "0.9");
    char *path = temporary_file("", 0);
    ema e;
    state_found found;
    train_state state = {0};
    assert_int_equal(ema_start(&e, net, .9, &err), GDRQ_OK);
    assert_int_equal(state_save("/dev/null", path, net, &sample, NULL, &err), GDRQ_OK);
    assert_int_equal(state_load(path, net, &state, &e, &found, &err), GDRQ_OK);
    assert_int_equal(found, STATE_NO_MEAN);
    assert_int_equal(state.seed, sample.seed);
    assert_int_equal(state_load(path, net, &state, NULL, &found, &err), GDRQ_OK);
    assert_int_equal(found, STATE_WHOLE);

    net->layers[0].weights[3] += 1;
    state = (train_state){0};
    assert_int_equal(state_load(path, net, &state, &e, &found, &err), GDRQ_OK);
    assert_int_equal(found, STATE_OTHER_WEIGHTS);
    assert_int_equal(state.seed, 0);

    unlink(path);
    assert_int_equal(state_load(path, net, &state, &e, &found, &err), GDRQ_OK);
    assert_int_equal(found, STATE_MISSING);
    ema_free(&e);
    free(path);
    free_network(net);
}

/* A state that can't be written leaves the weights that the old one belongs to. */
static void test_both_or_neither(void **unused) {
    (void)unused;
    gdrq_error err = {{0}};
    network *net = make(0, "0");
    char *weights = temporary_file("old", 3), bytes[4] = "";
    assert_int_equal(state_save(weights, "/nonexistent/x.state", net, &sample, NULL, &err),
                     GDRQ_ERROR_IO);
    FILE *file = fopen(weights, "rb");
    assert_int_equal(fread(bytes, 1, 4, file), 3);
    assert_memory_equal(bytes, "old", 3);
    fclose(file);
    discard(weights);
    free_network(net);
}

/* Every truncation and every flipped byte is an error, never a crash or a wrong state. */
static void test_damage(void **unused) {
    (void)unused;
    gdrq_error err = {{0}};
    network *net = make(0, "0");
    char *path = temporary_file("", 0);
    assert_int_equal(state_save("/dev/null", path, net, &sample, NULL, &err), GDRQ_OK);
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = malloc(1 << 20);
    const size_t n = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    for (size_t at = 0; at < n; at += at < 200 ? 1 : 97) {
        for (int truncate = 0; truncate < 2; truncate++) {
            train_state state = {0};
            state_found found;
            if (!truncate)
                bytes[at] ^= 0x10;
            char *bad = temporary_file(bytes, truncate ? at : n);
            assert_int_equal(state_load(bad, net, &state, NULL, &found, &err), GDRQ_ERROR_FORMAT);
            assert_non_null(strstr(err.message, "damaged"));
            assert_int_equal(state.seed, 0);
            if (!truncate)
                bytes[at] ^= 0x10;
            discard(bad);
        }
    }
    free(bytes);
    discard(path);
    free_network(net);
}

static void test_path(void **unused) {
    (void)unused;
    const char *const cases[][2] = {{"a/b_last.weights", "a/b_last.state"},
                                    {"b.backup", "b.backup.state"},
                                    {".weights", ".weights.state"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = state_path(cases[i][0]);
        assert_string_equal(path, cases[i][1]);
        free(path);
    }
}

/* The count of iterations that quantize_after refers to is not that of updates. */
static void test_updates(void **unused) {
    (void)unused;
    network *net = parse_text("[net]\nbatch=1\nwidth=8\nheight=8\nchannels=3\nlearning_rate=0\n"
                              "[gdrq_convolutional]\nfilters=2\nsize=3\nquantize_after=5\n"
                              "activation=linear\n[softmax]\n");
    net->train = 1;
    random_pixels(net);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(gdrq_network_stage(net), GDRQ_STAGE_RESHAPE);
        gdrq_network_set_updates(net, 100 * i);
        *net->seen += 1;
        forward_network(net);
        backward_network(net);
        update_network(net);
        assert_int_equal(*net->t, 100 * i + 1);
    }
    assert_int_equal(gdrq_network_stage(net), GDRQ_STAGE_QUANTISE);
    free_network(net);
}

/* ---- a training that was stopped and goes on ---- */

#define RESUMED(keys)                                                                              \
    "[net]\nwidth=7\nheight=5\nchannels=3\nlearning_rate=.01\nmomentum=.9\ndecay=.001\n" keys "\n" \
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=5\nsize=3\npad=1\nactivation=leaky\n"        \
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=6\nsize=3\nstride=2\npad=1\n"                \
    "quant_groups=3\nactivation=relu\n"                                                            \
    "[gdrq_connected]\noutput=4\nquant_groups=2\nactivation=linear\n[softmax]\n"

/* With quantize_after=5 they stop in the reshape stage, where weights have no learned T yet. */
static const char *const resumed_nets[] = {
    RESUMED("batch=3\nthreshold=scale"),
    RESUMED("batch=3\nthreshold=search"),
    RESUMED("batch=3\nthreshold=search\nadam=1"),
    RESUMED("batch=3\nthreshold=learned"),
    RESUMED("batch=3\nthreshold=learned\nadam=1"),
    RESUMED("batch=4\nsubdivisions=2\nthreshold=learned"),
    RESUMED("batch=3\nthreshold=learned\nquantize_after=2"),
    RESUMED("batch=3\nthreshold=learned\nquantize_after=5"),
    RESUMED("batch=3\nthreshold=learned\nquantize_after=5\nadam=1"),
    RESUMED("batch=3\nthreshold_weights=learned\nthreshold_activations=search"),
    RESUMED("batch=3\nthreshold_weights=search\nthreshold_activations=learned"),
};

enum { UNTIL_STOP = 4, AFTER_STOP = 3 };

typedef struct training {
    network *net;
    ema mean;
} training;

static training start_training(const char *text) {
    gdrq_error err;
    training t = {.net = parse_text(text)};
    randomise(t.net);
    assert_int_equal(ema_start(&t.mean, t.net, .9, &err), GDRQ_OK);
    return t;
}

static void free_training(training *t) {
    ema_free(&t->mean);
    free_network(t->net);
}

static void random_classes(network *net) {
    memset(net->truth, 0, sizeof *net->truth * (size_t)(net->batch * net->truths));
    for (int b = 0; b < net->batch; b++)
        net->truth[b * net->truths + random_int(0, net->truths - 1)] = 1;
}

static void train(training *t, int updates) {
    for (int i = 1; i <= updates * t->net->subdivisions; i++) {
        random_pixels(t->net);
        random_classes(t->net);
        train_network_datum(t->net);
        if (i % t->net->subdivisions == 0)
            ema_step(&t->mean, t->net, 1);
    }
}

/* The two files of a training, which hold all that it is. */
typedef struct saved {
    char *weights, *state;
} saved;

static saved save(const training *t) {
    gdrq_error err;
    const saved files = {temporary_file("", 0), temporary_file("", 0)};
    if (state_save(files.weights, files.state, t->net, &sample, &t->mean, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
    return files;
}

static void remove_saved(saved *files) {
    discard(files->weights);
    discard(files->state);
}

static size_t read_all(const char *path, unsigned char *bytes, size_t most) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, most, file);
    assert_true(n > 0 && n < most);
    fclose(file);
    return n;
}

static bool are_same(const char *one, const char *other) {
    unsigned char bytes[2][1 << 14];
    const size_t n = read_all(one, bytes[0], sizeof bytes[0]);
    return read_all(other, bytes[1], sizeof bytes[1]) == n && !memcmp(bytes[0], bytes[1], n);
}

static training resume(const char *text, const saved *from, bool with_state) {
    gdrq_error err;
    state_found found = STATE_WHOLE;
    train_state state;
    training t = start_training(text);
    assert_int_equal(gdrq_network_load(t.net, from->weights, false, NULL, &err), GDRQ_OK);
    if (with_state)
        assert_int_equal(state_load(from->state, t.net, &state, &t.mean, &found, &err), GDRQ_OK);
    assert_int_equal(found, STATE_WHOLE);
    return t;
}

/* Every T that moves. */
static numbers thresholds_of(const network *net) {
    numbers of = {0};
    for (int i = 0; i < net->n; i++) {
        gdrq_quantised *q = gdrq_quantised_state(&net->layers[i]);
        if (q && !q->input->fixed)
            append_numbers(&of, &q->input->threshold, 1);
        if (q && q->weight_thresholds)
            append_numbers(&of, q->weight_thresholds, (size_t)q->options.quant_groups);
    }
    return of;
}

/* The files after AFTER_STOP more updates, of samples that are drawn from `drawn` on. */
static saved go_on(const char *text, const saved *from, bool with_state, uint64_t drawn) {
    training t = resume(text, from, with_state);
    numbers before = thresholds_of(t.net);
    random_state = drawn;
    train(&t, AFTER_STOP);
    numbers after = thresholds_of(t.net);
    assert_true(after.n > 0 && after.n == before.n);
    for (size_t i = 0; i < after.n; i++)
        assert_true(after.values[i] != before.values[i]);
    const saved files = save(&t);
    free(before.values), free(after.values);
    free_training(&t);
    return files;
}

static saved train_anew(const char *text, int updates, uint64_t drawn) {
    random_state = drawn;
    training t = start_training(text);
    train(&t, updates);
    const saved files = save(&t);
    free_training(&t);
    return files;
}

static void check_resumed(const char *text) {
    const uint64_t start = random_state;
    saved whole = train_anew(text, UNTIL_STOP + AFTER_STOP, start);
    saved stopped = train_anew(text, UNTIL_STOP, start);
    const uint64_t drawn = random_state;
    saved resumed = go_on(text, &stopped, true, drawn);
    saved forgetful = go_on(text, &stopped, false, drawn);
    if (!are_same(whole.weights, resumed.weights) || !are_same(whole.state, resumed.state))
        fail_msg("%s\nends otherwise when it is resumed", text);
    /* Were the state of no account, these would be no test of it. */
    assert_false(are_same(whole.weights, forgetful.weights));
    remove_saved(&whole);
    remove_saved(&stopped);
    remove_saved(&resumed);
    remove_saved(&forgetful);
}

/* It ends, to the bit, as one that never stopped: thresholds and their momentum, too. */
static void test_resumed(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof resumed_nets / sizeof *resumed_nets; i++)
        check_resumed(resumed_nets[i]);
}

int main(void) {
    seed_random(4711);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_mean_of_several_iterations),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_what_is_found),
        cmocka_unit_test(test_both_or_neither),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_updates),
        cmocka_unit_test(test_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
