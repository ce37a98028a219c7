/* Folding: the folded network computes exactly what the trained one does at inference. */
#include "fold_test.h"

#include <sys/wait.h>

#include "host/text_file.h"

/* ---- random networks ---- */

static const char *random_activation(void) {
    static const char *const names[] = {"linear", "leaky",    "relu", "leaky",
                                        "relu",   "logistic", "tanh", "elu"};
    return names[random_int(0, 7)];
}

static void add_quantised_keys(text *t, int filters) {
    const int groups[] = {1, filters, filters % 2 ? filters : filters / 2};
    add(t, "weight_bits=%d\nquant_groups=%d\nactivation=%s\nbatch_normalize=%d\n", random_int(2, 8),
        groups[random_int(0, 2)], random_activation(), random_int(0, 1));
    if (random_int(0, 2) == 0)
        add(t, "activation_range=%s\n", random_int(0, 1) ? "signed" : "offset");
}

/* groups=4 fits where the channels are a multiple of 4, as all filters here are but the pixels'. */
static void add_convolution(text *t, bool quantised, bool first) {
    const int filters = 4 * random_int(1, 5);
    add(t, "[%sconvolutional]\nfilters=%d\nsize=%d\nstride=%d\n", quantised ? "gdrq_" : "", filters,
        random_int(1, 5), random_int(1, 2));
    if (random_int(0, 2))
        add(t, "pad=1\n");
    if (!first && random_int(0, 2) == 0)
        add(t, "groups=%d\n", random_int(0, 1) ? 4 : 2);
    if (quantised && first)
        add(t, "weight_bits=8\nactivation=%s\nbatch_normalize=1\n", random_activation());
    else if (quantised)
        add_quantised_keys(t, filters);
    else
        add(t, "activation=%s\nbatch_normalize=%d\n", random_activation(), random_int(0, 1));
}

/* As many filters as there are channels can't be said in a cfg without counting them: 8 of 8. */
static void add_depthwise(text *t) {
    add(t,
        "[gdrq_convolutional]\nfilters=8\nsize=1\nactivation=leaky\nbatch_normalize=1\n"
        "[gdrq_convolutional]\nfilters=8\ngroups=8\nsize=3\nstride=%d\npad=1\n",
        random_int(1, 2));
    add_quantised_keys(t, 8);
}

/* Maps of two sizes, which a route joins as flat arrays. */
static void add_flat_route(text *t) {
    add(t, "[gdrq_convolutional]\nfilters=4\nsize=1\nstride=2\nactivation=leaky\n"
           "[route]\nlayers=-1,-2\n");
}

/* Two maps of one size, joined or added. */
static void add_branch(text *t) {
    add(t, "[gdrq_convolutional]\nfilters=8\nsize=3\npad=1\nactivation=%s\n", random_activation());
    add(t, "[gdrq_convolutional]\nfilters=8\nsize=1\nactivation=%s\n", random_activation());
    if (random_int(0, 1))
        add(t, "[route]\nlayers=-1,-2\n");
    else
        add(t, "[shortcut]\nfrom=-2\nactivation=linear\n");
}

static void add_layer(text *t, bool *flat) {
    switch (*flat ? random_int(11, 12) : random_int(0, 12)) {
    case 0:
    case 1:
    case 2:
        add_convolution(t, true, false);
        break;
    case 3:
        add_convolution(t, false, false);
        break;
    case 4:
        add_depthwise(t);
        break;
    case 5:
        add(t, "[maxpool]\nsize=%d\nstride=%d\n", random_int(1, 3), random_int(1, 2));
        break;
    case 6:
        add(t, "[upsample]\nstride=2\n%s", random_int(0, 3) ? "" : "scale=.5\n");
        break;
    case 7:
        add(t, "[reorg]\nstride=2\n%s%s", random_int(0, 1) ? "reverse=1\n" : "",
            random_int(0, 3) ? "" : "flatten=1\n");
        break;
    case 8:
        add_branch(t);
        break;
    case 9:
        add(t, random_int(0, 1) ? "[batchnorm]\n" : "[avgpool]\n");
        break;
    case 10:
        add(t, "[activation]\nactivation=%s\n", random_activation());
        break;
    case 11:
        add(t, "[dropout]\nprobability=.3\n");
        break;
    default:
        if (!*flat && random_int(0, 2) == 0)
            add_flat_route(t);
        add(t, "[gdrq_connected]\noutput=%d\n", random_int(3, 20));
        add_quantised_keys(t, 1);
        *flat = true;
    }
}

static void random_network(text *t) {
    bool flat = false;
    *t = (text){.n = 0};
    add(t, "[net]\nbatch=%d\nwidth=%d\nheight=%d\nchannels=3\nactivation_bits=%d\n",
        random_int(1, 3), random_int(9, 20), random_int(9, 20), random_int(2, 8));
    if (random_int(0, 5) == 0)
        add(t, "[crop]\ncrop_width=8\ncrop_height=9\nnoadjust=1\n");
    add_convolution(t, random_int(0, 3) > 0, true);
    for (int n = random_int(1, 7); n > 0; n--)
        add_layer(t, &flat);
    if (random_int(0, 1))
        add(t, "[gdrq_connected]\noutput=6\nactivation=linear\n[softmax]\n");
    else
        add(t, "[gdrq_convolutional]\nfilters=6\nsize=1\nactivation=linear\n");
}

/* A connected layer behind a large map may have more weights than a folded one can. */
static bool too_large(const char *cfg) {
    char *name = temporary_file(cfg, strlen(cfg));
    gdrq_outline o;
    bool large = false;
    if (gdrq_outline_read(name, &o, NULL) == GDRQ_OK) {
        for (int i = 0; i < o.n; i++)
            large |= o.layers[i].inputs > 50000;
        gdrq_outline_free(&o);
    }
    remove_file(name);
    return large;
}

static void random_networks_compute_the_same(void **state) {
    (void)state;
    seed_random(401);
    int made = 0;
    for (int trial = 0; trial < random_cases(240); trial++) {
        text t;
        fold_pair p;
        random_network(&t);
        if (too_large(t.s) || !make_pair(&p, t.s))
            continue;
        made++;
        gdrq_layer_match *matches = calloc((size_t)p.trained->n, sizeof *matches);
        predict_both(&p);
        assert_same_outputs(&p);
        compare_layers(&p, matches);
        for (int i = 0; i < p.trained->n; i++)
            if (is_folded_layer(&p, i)) {
                /* None of them is large enough for a sum that a float rounds. */
                const gdrq_quantised *q = gdrq_quantised_state(&p.trained->layers[i]);
                assert_true(matches[i].exact || q->filter_size > 518);
                check_sums(&p, i, 20);
            }
        free(matches);
        free_pair(&p);
    }
    printf("%d networks\n", made);
    assert_true(made >= random_cases(240) / 4);
}

/* ---- the host's side ---- */

/* Only what somebody looks at is kept in floats, and nothing for training is. */
static void no_floats_between_folded_layers(void **state) {
    (void)state;
    fold_pair p;
    detector_pair(&p);
    for (int i = 0; i < p.folded->n; i++) {
        const layer *l = &p.folded->layers[i];
        assert_true((l->output != NULL) == (i >= 6));
        assert_true(l->type == YOLO || l->delta == NULL);
        assert_null(l->weights);
        assert_null(l->weight_updates);
    }
    free_pair(&p);
}

static void it_resizes(void **state) {
    (void)state;
    fold_pair p;
    gdrq_error err = {""};
    detector_pair(&p);
    static const int sizes[][2] = {{64, 32}, {24, 40}, {32, 48}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        must_be_ok(gdrq_network_resize(p.trained, sizes[k][0], sizes[k][1], &err), &err);
        must_be_ok(gdrq_network_resize(p.folded, sizes[k][0], sizes[k][1], &err), &err);
        predict_both(&p);
        assert_same_outputs(&p);
    }
    free_pair(&p);
}

/* Image by image, as the trained network alone. */
static void batches_are_images(void **state) {
    (void)state;
    fold_pair p;
    detector_pair(&p);
    free_network(p.folded);
    gdrq_error err = {""};
    char *text;
    size_t n;
    must_be_ok(gdrq_text_file_read(p.out_cfg, 1 << 20, &text, &n, &err), &err);
    assert_non_null(strstr(text, "batch=1\nsubdivisions=1\n"));
    memcpy(strstr(text, "batch=1"), "batch=3", 7);
    char *three = temporary_file(text, n);
    must_be_ok(gdrq_network_parse(three, NULL, NULL, &p.folded, &err), &err);
    must_be_ok(gdrq_network_load(p.folded, p.out_weights, false, NULL, &err), &err);
    random_pixels(p.folded);
    const size_t outputs = (size_t)p.folded->outputs;
    const float *all = network_predict(p.folded, p.folded->input);
    set_batch_network(p.trained, 1);
    for (int b = 0; b < 3; b++) {
        network_predict(p.trained, p.folded->input + b * p.folded->inputs);
        assert_memory_equal(p.trained->output, all + (size_t)b * outputs, outputs * sizeof(float));
    }
    free(text);
    remove_file(three);
    free_pair(&p);
}

/* Image by image also where a recurrent layer counts sequences of time_steps images. */
static void recurrent_layers_see_all_images(void **state) {
    (void)state;
    static const char *const kinds[] = {"rnn", "gru", "lstm"};
    for (int k = 0; k < 3; k++) {
        text t = {.n = 0};
        fold_pair p;
        gdrq_error err = {""};
        char *folded;
        size_t n;
        seed_random(405);
        add(&t,
            "[net]\nbatch=2\ntime_steps=3\ninputs=11\n"
            "[gdrq_connected]\noutput=9\nactivation=relu\n[%s]\noutput=6\n"
            "[gdrq_connected]\noutput=4\nactivation=linear\n[softmax]\n",
            kinds[k]);
        assert_true(make_pair(&p, t.s));
        free_network(p.folded);
        must_be_ok(gdrq_text_file_read(p.out_cfg, 1 << 20, &folded, &n, &err), &err);
        memcpy(strstr(folded, "batch=1"), "batch=2", 7);
        char *cfg = temporary_file(folded, n);
        must_be_ok(gdrq_network_parse(cfg, NULL, NULL, &p.folded, &err), &err);
        must_be_ok(gdrq_network_load(p.folded, p.out_weights, false, NULL, &err), &err);
        assert_int_equal(p.folded->batch, 6);
        /* Its input is no picture, whose pixels could go in as they are. */
        uint8_t *pixels;
        must_be_ok(gdrq_folded_pixels(gdrq_network_state_find(p.folded)->folded, &pixels, &err),
                   &err);
        assert_null(pixels);
        /* Recurrent layers remember what they have seen: both begin anew. */
        free_network(p.trained);
        must_be_ok(gdrq_network_parse(p.cfg, NULL, NULL, &p.trained, &err), &err);
        must_be_ok(gdrq_network_load(p.trained, p.weights, false, NULL, &err), &err);
        random_pixels(p.trained);
        network_predict(p.trained, p.trained->input);
        network_predict(p.folded, p.trained->input);
        assert_memory_equal(p.trained->output, p.folded->output,
                            6 * (size_t)p.trained->outputs * sizeof(float));
        free(folded);
        remove_file(cfg);
        free_pair(&p);
    }
}

/* Pixels that a float layer reads as well have to be there as floats, too. */
static void pixels_may_have_readers_of_both_kinds(void **state) {
    (void)state;
    fold_pair p;
    gdrq_error err = {""};
    unsigned char bytes[20 * 20 * 3];
    seed_random(406);
    assert_true(make_pair(&p, "[net]\nwidth=20\nheight=20\nchannels=3\n"
                              "[crop]\ncrop_width=12\ncrop_height=12\nnoadjust=1\n"
                              "[convolutional]\nfilters=4\nsize=3\nactivation=relu\n"
                              "[route]\nlayers=-2\n"
                              "[gdrq_convolutional]\nfilters=4\nsize=3\nactivation=relu\n"
                              "[shortcut]\nfrom=-3\nactivation=linear\n"));
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)random_int(0, 255);
    const gdrq_pixels image = {bytes, 20, 20, 60, GDRQ_RGB};
    must_be_ok(gdrq_network_predict_pixels(p.trained, &image, NULL, &err), &err);
    must_be_ok(gdrq_network_predict_pixels(p.folded, &image, NULL, &err), &err);
    assert_same_outputs(&p);
    free_pair(&p);
}

/* 8-bit pixels go in as they are; as floats they give the same. */
static void pixels_are_their_floats(void **state) {
    (void)state;
    fold_pair p;
    gdrq_error err = {""};
    detector_pair(&p);
    unsigned char *bytes = malloc(50 * 40 * 3);
    for (int i = 0; i < 50 * 40 * 3; i++)
        bytes[i] = (unsigned char)random_int(0, 255);
    const gdrq_pixels image = {bytes, 50, 40, 150, GDRQ_BGR};
    const int batch = p.trained->batch;
    double seconds = -1;
    must_be_ok(gdrq_network_predict_pixels(p.trained, &image, NULL, &err), &err);
    must_be_ok(gdrq_network_predict_pixels(p.folded, &image, &seconds, &err), &err);
    assert_true(seconds >= 0 && p.trained->batch == batch);
    assert_same_outputs(&p);
    network_predict(p.folded, p.trained->input);
    assert_same_outputs(&p);
    free(bytes);
    free_pair(&p);
}

/* The host's training loop, which can't be told of an error, ends with a line and status 1. */
static void the_host_cant_train_it(void **state) {
    (void)state;
    fold_pair p;
    int ends[2], status;
    char line[512] = "";
    detector_pair(&p);
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        p.folded->train = 1;
        forward_network(p.folded);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    if (!strstr(line, "a folded network can't be trained"))
        fail_msg("'%s'", line);
    close(ends[0]);
    free_pair(&p);
}

static void a_size_without_maxima_is_refused(void **state) {
    (void)state;
    fold_pair p;
    gdrq_error err = {""};
    seed_random(407);
    assert_true(make_pair(&p, "[net]\nwidth=64\nheight=64\nchannels=3\n"
                              "[gdrq_convolutional]\nfilters=4\nsize=1\n"
                              "[maxpool]\nsize=2\nstride=2\npadding=3\n"
                              "[gdrq_convolutional]\nfilters=4\nsize=1\n"));
    expect(gdrq_network_resize(p.folded, 33, 33, &err), GDRQ_ERROR_STATE, &err, "outside");
    predict_both(&p);
    assert_same_outputs(&p);
    free_pair(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_compute_the_same),
        cmocka_unit_test(no_floats_between_folded_layers),
        cmocka_unit_test(it_resizes),
        cmocka_unit_test(batches_are_images),
        cmocka_unit_test(pixels_are_their_floats),
        cmocka_unit_test(recurrent_layers_see_all_images),
        cmocka_unit_test(pixels_may_have_readers_of_both_kinds),
        cmocka_unit_test(a_size_without_maxima_is_refused),
        cmocka_unit_test(the_host_cant_train_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
