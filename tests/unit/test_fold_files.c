/* The files of folding: which are written, which are refused, and what their hash says. */
#include "fold_test.h"

#include <sys/stat.h>

#include "host/text_file.h"
#include "quant/pack.h"

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
        "weight_bits=3\r\nk_weights=2.5\r\nema=.9\r\nema_images=9\r\nmax_shift=2\r\nlearning_rate=."
        "1\r\n\r\n"
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
        cmocka_unit_test(what_is_folded_only_infers),
        cmocka_unit_test(a_file_of_another_cfg_is_refused),
        cmocka_unit_test(what_cant_be_folded_says_why),
        cmocka_unit_test(inputs_are_never_outputs),
        cmocka_unit_test(every_field_is_checked_against_the_cfg),
        cmocka_unit_test(the_hash_is_of_what_is_computed),
        cmocka_unit_test(the_cfg_keeps_its_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
