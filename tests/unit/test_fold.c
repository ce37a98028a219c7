/* Folding: the folded network computes exactly what the trained one does at inference. */
#include "fold_test.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "host/text_file.h"
#include "quant/pack.h"

/* ---- random networks ---- */

typedef struct text {
    char s[8192];
    size_t n;
} text;

static void add(text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    t->n += (size_t)vsnprintf(t->s + t->n, sizeof t->s - t->n, format, args);
    va_end(args);
    assert_true(t->n < sizeof t->s);
}

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

/* Outputs of all layers that keep floats. */
static void assert_same_outputs(const fold_pair *p) {
    const gdrq_plan *plan = gdrq_network_state_find(p->folded)->folded->plan;
    int compared = 0;
    for (int i = 0; i < p->trained->n; i++) {
        const layer *a = &p->trained->layers[i], *b = &p->folded->layers[i];
        assert_int_equal(a->outputs, b->outputs);
        if (!gdrq_plan_has_values(plan, i) || a->type == COST)
            continue;
        for (int k = 0; k < a->outputs; k++)
            if (a->output[k] != b->output[k])
                fail_msg("layer %d, output %d: %g trained, %g folded", i, k, (double)a->output[k],
                         (double)b->output[k]);
        compared++;
    }
    assert_true(compared > 0);
    for (int k = 0; k < p->trained->outputs; k++)
        assert_true(p->trained->output[k] == p->folded->output[k]);
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

static const char *const detector_text =
    "[net]\nbatch=4\nsubdivisions=2\nwidth=32\nheight=48\nchannels=3\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation="
    "leaky\n"
    "weight_bits=8\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=12\nsize=3\npad=1\nactivation=leaky\n"
    "[maxpool]\nsize=2\nstride=1\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=12\nsize=3\npad=1\nactivation=leaky\n"
    "[route]\nlayers=-1,-3\n"
    "[gdrq_convolutional]\nsize=1\nfilters=14\nactivation=linear\nweight_bits=8\n"
    "[yolo]\nmask=0,1\nanchors=4,4, 16,16\nclasses=2\nnum=2\n";

static void detector_pair(fold_pair *p) {
    seed_random(402);
    assert_true(make_pair(p, detector_text));
}

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

static void expect(gdrq_status status, gdrq_status expected, const gdrq_error *err,
                   const char *words) {
    if (status != expected || !strstr(err->message, words))
        fail_msg("status %d, '%s' lacks '%s'", (int)status, err->message, words);
}

static void what_is_folded_only_infers(void **state) {
    (void)state;
    fold_pair p;
    gdrq_error err = {""};
    detector_pair(&p);
    assert_true(gdrq_network_is_folded(p.folded) && !gdrq_network_is_folded(p.trained));
    expect(gdrq_network_trainable(p.folded, &err), GDRQ_ERROR_STATE, &err, "folded");
    expect(gdrq_network_save(p.folded, p.weights, &err), GDRQ_ERROR_STATE, &err, "folded");
    expect(gdrq_network_load(p.folded, p.weights, false, NULL, &err), GDRQ_ERROR_FORMAT, &err,
           "fold");
    expect(gdrq_network_load(p.trained, p.out_weights, false, NULL, &err), GDRQ_ERROR_FORMAT, &err,
           "folded network");
    expect(gdrq_fold(p.out_cfg, p.out_weights, p.cfg, p.weights, NULL, NULL, &err),
           GDRQ_ERROR_STATE, &err, "folded already");
    free_network(p.folded);
    must_be_ok(gdrq_network_parse(p.out_cfg, NULL, NULL, &p.folded, &err), &err);
    expect(gdrq_network_ready(p.folded, &err), GDRQ_ERROR_STATE, &err, "no weights");
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

/* A file that belongs to another cfg changes nothing. */
static void a_file_of_another_cfg_is_refused(void **state) {
    (void)state;
    fold_pair p, other;
    gdrq_error err = {""};
    detector_pair(&p);
    text t = {.n = 0};
    add(&t, "%s", detector_text);
    memcpy(strstr(t.s, "filters=12"), "filters=16", 10);
    assert_true(make_pair(&other, t.s));
    predict_both(&p);
    expect(gdrq_network_load(p.folded, other.out_weights, false, NULL, &err), GDRQ_ERROR_FORMAT,
           &err, "cfg hash");
    network_predict(p.folded, p.folded->input);
    assert_same_outputs(&p);
    free_pair(&other);
    free_pair(&p);
}

static void what_cant_be_folded_says_why(void **state) {
    (void)state;
    gdrq_error err = {""};
    fold_pair p;
    detector_pair(&p);
    /* Weights that were never calibrated: stock ones have no trailer. */
    struct stat st;
    assert_int_equal(stat(p.weights, &st), 0);
    size_t body = 20;
    for (int i = 0; i < p.trained->n; i++) {
        const layer *l = &p.trained->layers[i];
        if (l->type == CONVOLUTIONAL)
            body += 4 * (size_t)(l->nweights + l->n * (l->batch_normalize ? 4 : 1));
    }
    assert_true(body < (size_t)st.st_size);
    assert_int_equal(truncate(p.weights, (off_t)body), 0);
    expect(gdrq_fold(p.cfg, p.weights, p.out_cfg, p.out_weights, NULL, NULL, &err),
           GDRQ_ERROR_STATE, &err, "calibrate");
    /* A backbone. */
    const layer *head = &p.trained->layers[6];
    assert_int_equal(truncate(p.weights, (off_t)(body - 4 * (size_t)(head->nweights + head->n))),
                     0);
    expect(gdrq_fold(p.cfg, p.weights, p.out_cfg, p.out_weights, NULL, NULL, &err),
           GDRQ_ERROR_FORMAT, &err, "backbone");
    /* Nothing to fold. */
    static const char stock[] = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\n";
    char *cfg = temporary_file(stock, strlen(stock));
    expect(gdrq_fold(cfg, p.weights, p.out_cfg, p.out_weights, NULL, NULL, &err), GDRQ_ERROR_STATE,
           &err, "convert");
    /* What was there is there still. */
    free_network(p.folded);
    must_be_ok(gdrq_network_parse(p.out_cfg, NULL, NULL, &p.folded, &err), &err);
    must_be_ok(gdrq_network_load(p.folded, p.out_weights, false, NULL, &err), &err);
    remove_file(cfg);
    free_pair(&p);
}

/* Nothing that is read may be written, by whatever name. */
static void inputs_are_never_outputs(void **state) {
    (void)state;
    fold_pair p;
    gdrq_error err = {""};
    char dotted[64];
    detector_pair(&p);
    snprintf(dotted, sizeof dotted, "/tmp/./%s", p.out_cfg + strlen("/tmp/"));
    const char *const cases[][4] = {{p.cfg, p.weights, p.out_cfg, p.weights},
                                    {p.cfg, p.weights, p.cfg, p.out_weights},
                                    {p.cfg, p.weights, p.weights, p.out_weights},
                                    {p.cfg, p.weights, p.out_cfg, p.out_cfg},
                                    {p.cfg, p.weights, p.out_cfg, dotted},
                                    {p.cfg, p.weights, "/tmp/gdrq-new", "/tmp/../tmp/gdrq-new"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            gdrq_fold(cases[i][0], cases[i][1], cases[i][2], cases[i][3], NULL, NULL, &err),
            GDRQ_ERROR_ARGUMENT);
    assert_int_equal(gdrq_network_load(p.trained, p.weights, false, NULL, &err), GDRQ_OK);
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

/* ---- files that are good in themselves and don't fit ---- */

typedef void change(gdrq_folded *f);

static void other_bits(gdrq_folded *f) {
    static const int8_t zeros[72];
    static uint8_t packed[12 * 27];
    assert_int_equal(f->layers[1].filter_size, 72);
    assert_int_equal(f->layers[1].filters, 12);
    for (int i = 0; i < 12; i++)
        gdrq_pack(zeros, 72, 3, packed + 27 * i);
    f->layers[1].weight_bits = 3;
    f->layers[1].weights = packed;
}
static void fewer_filters(gdrq_folded *f) {
    f->layers[1].filters--;
}
static void smaller_filters(gdrq_folded *f) {
    f->layers[1].filter_size -= 2;
}
static void other_class(gdrq_folded *f) {
    f->layers[1].input = 0;
}
static void other_range(gdrq_folded *f) {
    f->classes[1].range = GDRQ_RANGE_SIGNED;
    const float step = f->classes[1].grid.step, inv = f->classes[1].grid.inv_step;
    f->classes[1].grid = gdrq_activation_grid(f->classes[1].bits, GDRQ_RANGE_SIGNED, 0, 0);
    f->classes[1].grid.step = step;
    f->classes[1].grid.inv_step = inv;
}
static void one_layer_less(gdrq_folded *f) {
    f->n_layers--;
}
static void of_another_layer(gdrq_folded *f) {
    f->layers[1].index = 3;
}
static void beyond_the_network(gdrq_folded *f) {
    f->layers[f->n_layers - 1].index = 99;
}
static const float two_floats[] = {1, 2};
static void floats_instead(gdrq_folded *f) {
    f->layers[1] =
        (gdrq_folded_layer){.index = f->layers[1].index, .floats = two_floats, .n_floats = 2};
}

static void every_field_is_checked_against_the_cfg(void **state) {
    (void)state;
    static const struct {
        change *make;
        const char *words;
    } cases[] = {{other_bits, "layer 2: other weight bits"},
                 {fewer_filters, "layer 2: another number of filters"},
                 {smaller_filters, "layer 2: filters of another size"},
                 {other_class, "layer 2: another input"},
                 {other_range, "other bits or range"},
                 {one_layer_less, "layer 6: is missing"},
                 {of_another_layer, "layer 2: is missing"},
                 {beyond_the_network, "layer 6: is missing"},
                 {floats_instead, "layer 2: is not folded"}};
    fold_pair p;
    gdrq_error err = {""};
    detector_pair(&p);
    predict_both(&p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gdrq_folded f;
        char *path = temporary_file("", 0);
        must_be_ok(gdrq_folded_read(p.out_weights, &f, &err), &err);
        cases[i].make(&f);
        must_be_ok(gdrq_folded_write(path, &f, &err), &err);
        expect(gdrq_network_load(p.folded, path, false, NULL, &err), GDRQ_ERROR_FORMAT, &err,
               cases[i].words);
        gdrq_folded_close(&f);
        remove_file(path);
    }
    /* None of them changed anything. */
    network_predict(p.folded, p.folded->input);
    assert_same_outputs(&p);
    free_pair(&p);
}

/* What changes the computation changes the hash; what does not, doesn't. */
static void the_hash_is_of_what_is_computed(void **state) {
    (void)state;
    static const char in[] =
        "[net]\nwidth=32\nheight=32\nchannels=3\n"
        "[folded_convolutional]\nweight_bits=4\nactivation_bits=8\nfilters=8\nsize=3\npad=1\n"
        "activation=leaky\n"
        "[convolutional]\nfilters=8\nsize=3\npad=1\nstride=1\nactivation=relu\n"
        "[shortcut]\nfrom=-2\nalpha=1\nactivation=linear\n"
        "[maxpool]\nsize=2\nstride=2\n"
        "[route]\nlayers=-1,-1\n"
        "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
        "[yolo]\nmask=0,1\nanchors=4,4, 16,16\nclasses=2\nnum=2\nignore_thresh=.5\n";
    static const struct {
        const char *from, *to;
        bool changes;
    } cases[] = {{"width=32\nheight=32", "width=64\nheight=64", false},
                 {"ignore_thresh=.5", "ignore_thresh=.7", false},
                 {"[yolo]\nmask", "\n# a comment\n[yolo]\nmask", false},
                 {"size=2\nstride=2", "stride=2\nsize=2", false},
                 {"weight_bits=4", "weight_bits=5", true},
                 {"pad=1\nactivation=leaky", "pad=0\npadding=1\nactivation=leaky", false},
                 {"activation=leaky", "activation=relu", true},
                 {"pad=1\nstride=1", "pad=0\npadding=1\nstride=1", true},
                 {"activation=relu", "activation=elu", true},
                 {"from=-2", "from=-1", true},
                 {"alpha=1", "alpha=2", true},
                 {"size=2\nstride=2", "size=3\nstride=2", true},
                 {"layers=-1,-1", "layers=-1,-1,-1", true},
                 {"layers=-1,-1", "layers=-2,-2", true},
                 {"4,4, 16,16", "4,4, 16,17", true}};
    gdrq_error err = {""};
    gdrq_outline o;
    must_be_ok(gdrq_outline_parse("cfg", in, strlen(in), &o, &err), &err);
    const uint64_t hash = gdrq_outline_hash(&o);
    gdrq_outline_free(&o);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *at = strstr(in, cases[i].from);
        assert_non_null(at);
        text t = {.n = 0};
        add(&t, "%.*s%s%s", (int)(at - in), in, cases[i].to, at + strlen(cases[i].from));
        must_be_ok(gdrq_outline_parse("cfg", t.s, t.n, &o, &err), &err);
        if ((gdrq_outline_hash(&o) != hash) != cases[i].changes)
            fail_msg("'%s' for '%s'", cases[i].to, cases[i].from);
        gdrq_outline_free(&o);
    }
}

/* Comments, order and what is not ours stay; batch and our training keys don't. */
static void the_cfg_keeps_its_lines(void **state) {
    (void)state;
    static const char in[] =
        "# a comment\r\n[net]\r\nbatch = "
        "8\r\nsubdivisions=4\r\nwidth=8\r\nheight=8\r\nchannels=3\r\n"
        "weight_bits=3\r\nk_weights=2.5\r\nema=.9\r\nlearning_rate=.1\r\n\r\n"
        "[ gdrq_convolutional ] \r\n; kept\r\nfilters=5\r\nbatch_normalize=1\r\nsize=3\r\n"
        "quant_groups=5\r\nactivation_momentum=.5\r\nactivation=relu\r\n"
        "[maxpool]\r\nsize=2\r\nstride=2\r\n[gdrq_connected]";
    static const char out[] =
        "# a comment\r\n[net]\r\nbatch=1\r\nsubdivisions=1\r\nwidth=8\r\nheight=8\r\nchannels=3\r\n"
        "learning_rate=.1\r\n\r\n"
        "[folded_convolutional] \r\nweight_bits=3\r\nactivation_bits=8\r\n"
        "activation_range=unsigned\r\n; kept\r\nfilters=5\r\nsize=3\r\nactivation=relu\r\n"
        "[maxpool]\r\nsize=2\r\nstride=2\r\n"
        "[folded_connected]\r\nweight_bits=3\r\nactivation_bits=4\r\nactivation_range=unsigned";
    fold_pair p;
    gdrq_error err = {""};
    char *text;
    size_t n;
    seed_random(403);
    assert_true(make_pair(&p, in));
    must_be_ok(gdrq_text_file_read(p.out_cfg, 1 << 20, &text, &n, &err), &err);
    assert_string_equal(text, out);
    free(text);
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
        cmocka_unit_test(inputs_are_never_outputs),
        cmocka_unit_test(a_size_without_maxima_is_refused),
        cmocka_unit_test(every_field_is_checked_against_the_cfg),
        cmocka_unit_test(the_hash_is_of_what_is_computed),
        cmocka_unit_test(what_is_folded_only_infers),
        cmocka_unit_test(the_host_cant_train_it),
        cmocka_unit_test(a_file_of_another_cfg_is_refused),
        cmocka_unit_test(what_cant_be_folded_says_why),
        cmocka_unit_test(the_cfg_keeps_its_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
