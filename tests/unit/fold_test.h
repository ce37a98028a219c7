/* What the tests of folding share: a trained network, its folded form, and their comparison. */
#ifndef TESTS_FOLD_TEST_H
#define TESTS_FOLD_TEST_H

#include "small_network.h"

#include <stdarg.h>

#include "host/network_state.h"
#include "train/quantised_layer.h"

typedef struct fold_pair {
    network *trained, *folded;
    char *cfg, *weights, *out_cfg, *out_weights; /* names of temporary files */
} fold_pair;

static inline void must_be_ok(gdrq_status status, const gdrq_error *err) {
    if (status != GDRQ_OK)
        fail_msg("%s", err->message);
}

/* Thresholds, and statistics of batch norm that fit the weights, from random pixels. */
static inline void settle(network *net, int forwards) {
    gdrq_error err = {""};
    gdrq_network_calibrating(net, true);
    must_be_ok(gdrq_network_measuring(net, GDRQ_MEASURE_ANEW, &err), &err);
    for (int i = 0; i < forwards; i++) {
        random_pixels(net);
        network_predict(net, net->input);
    }
    gdrq_network_calibrating(net, false);
    gdrq_network_measuring(net, GDRQ_MEASURE_NOTHING, NULL);
    must_be_ok(gdrq_network_ready(net, &err), &err);
}

/* Some scales of batch norm negative, and one 0, so that the folded ones are, too. */
static inline void turn_scales(network *net) {
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        const bool has_scales =
            (l->type == CONVOLUTIONAL || l->type == CONNECTED) && l->batch_normalize;
        for (int k = 0; has_scales && k < l->out_c; k++)
            l->scales[k] = k % 7 == 5 ? 0 : k % 3 == 1 ? -l->scales[k] : l->scales[k];
    }
}

/* Saves p->trained, folds it and loads the result. */
static inline void fold(fold_pair *p) {
    gdrq_error err = {""};
    p->weights = temporary_file("", 0);
    p->out_cfg = temporary_file("", 0);
    p->out_weights = temporary_file("", 0);
    must_be_ok(gdrq_network_save(p->trained, p->weights, &err), &err);
    must_be_ok(gdrq_fold(p->cfg, p->weights, p->out_cfg, p->out_weights, NULL, NULL, &err), &err);
    must_be_ok(gdrq_network_parse(p->out_cfg, NULL, NULL, &p->folded, &err), &err);
    must_be_ok(gdrq_network_load(p->folded, p->out_weights, false, NULL, &err), &err);
}

/* A pair from cfg text; false if the text is no network. */
static inline bool make_pair(fold_pair *p, const char *text) {
    gdrq_error err = {""};
    *p = (fold_pair){.cfg = temporary_file(text, strlen(text))};
    if (gdrq_network_parse(p->cfg, NULL, NULL, &p->trained, &err) != GDRQ_OK) {
        unlink(p->cfg);
        free(p->cfg);
        return false;
    }
    randomise(p->trained);
    turn_scales(p->trained);
    settle(p->trained, 3);
    fold(p);
    return true;
}

static inline void remove_file(char *name) {
    if (name)
        unlink(name);
    free(name);
}

static inline void free_pair(fold_pair *p) {
    free_network(p->trained);
    free_network(p->folded);
    remove_file(p->cfg);
    remove_file(p->weights);
    remove_file(p->out_cfg);
    remove_file(p->out_weights);
}

/* Both on the same image 0. */
static inline void predict_both(fold_pair *p) {
    set_batch_network(p->trained, 1);
    random_pixels(p->trained);
    memcpy(p->folded->input, p->trained->input, (size_t)p->trained->inputs * sizeof(float));
    network_predict(p->trained, p->trained->input);
    network_predict(p->folded, p->folded->input);
}

/* The sum of filter f at (x, y) of a quantised layer, from its float codes, in 64 bits. */
static inline int64_t expected_sum(const layer *l, int f, int x, int y) {
    const gdrq_quantised *q = gdrq_quantised_state(l);
    int64_t sum = 0;
    if (l->type == CONNECTED) {
        for (int i = 0; i < l->inputs; i++)
            sum += (int64_t)q->weight_codes[(size_t)f * (size_t)l->inputs + (size_t)i] *
                   (int64_t)q->input_codes[i];
        return sum;
    }
    const int channels = l->c / l->groups, first = f / (l->n / l->groups) * channels;
    const float *w = q->weight_codes + (size_t)f * q->filter_size;
    for (int c = 0; c < channels; c++)
        for (int ky = 0; ky < l->size; ky++)
            for (int kx = 0; kx < l->size; kx++, w++) {
                const int row = y * l->stride - l->pad + ky, column = x * l->stride - l->pad + kx;
                if (row >= 0 && row < l->h && column >= 0 && column < l->w)
                    sum +=
                        (int64_t)*w *
                        (int64_t)q->input_codes[((size_t)(first + c) * (size_t)l->h + (size_t)row) *
                                                    (size_t)l->w +
                                                (size_t)column];
            }
    return sum;
}

/*
 * Values of layer i of the folded network that follow from a sum in 64 bits of the trained one's
 * codes, at up to `places` random places: scale and bias as trained, by the formula of FORMAT.md.
 */
static inline void check_sums(const fold_pair *p, int i, int places) {
    const layer *l = &p->trained->layers[i];
    const gdrq_folded_network *f = gdrq_network_state_find(p->folded)->folded;
    const gdrq_quantised *q = gdrq_quantised_state(l);
    const gdrq_node *node = &f->nodes[i];
    const gdrq_tensor_shape in = f->tensors[node->reads[0] + 1];
    const int min = f->grids[node->input_class].min;
    const size_t plane = (size_t)in.w * (size_t)in.h;
    uint8_t *codes = malloc((size_t)l->inputs);
    int32_t *sums = malloc((size_t)l->outputs * sizeof *sums);
    for (size_t k = 0; k < (size_t)l->inputs; k++)
        codes[k % plane * (size_t)in.c + k / plane] = (uint8_t)((int)q->input_codes[k] - min);
    gdrq_error err = {""};
    gdrq_folded file;
    gdrq_node_weights weights;
    must_be_ok(gdrq_folded_open(p->folded, f, f->path, &file, &err), &err);
    must_be_ok(gdrq_folded_unpack(f, &file, i, l->activation, &weights, &err), &err);
    const gdrq_int_conv conv = gdrq_node_conv(node, &weights, -min);
    gdrq_int_conv_sums(&conv, codes, sums);
    gdrq_node_weights_free(&weights);
    gdrq_folded_close(&file);
    for (int k = 0; k < places; k++) {
        const int filter = random_int(0, l->out_c - 1), x = random_int(0, l->out_w - 1),
                  y = random_int(0, l->out_h - 1);
        assert_int_equal(sums[(y * l->out_w + x) * l->out_c + filter],
                         expected_sum(l, filter, x, y));
    }
    free(codes);
    free(sums);
}

static inline bool is_folded_layer(const fold_pair *p, int i) {
    return gdrq_network_state_find(p->folded)->folded->weight_bits[i] > 0;
}

/* Every folded layer against the trained one; `matches` has room for all layers. */
static inline void compare_layers(const fold_pair *p, gdrq_layer_match *matches) {
    gdrq_error err = {""};
    must_be_ok(gdrq_network_compare(p->trained, p->folded, matches, &err), &err);
    for (int i = 0; i < p->trained->n; i++) {
        const gdrq_layer_match *m = &matches[i];
        assert_int_equal(m->folded, is_folded_layer(p, i));
        if (!m->folded)
            continue;
        assert_int_equal(m->equal_sums, m->sums);
        if (m->exact) {
            assert_int_equal(m->equal_values, m->values);
            assert_int_equal(m->equal_codes, m->codes);
        }
        assert_true(m->worst_code <= 1 && (double)m->equal_codes >= .9999 * (double)m->codes);
    }
}

/* ---- cfgs in the making ---- */

typedef struct text {
    char s[8192];
    size_t n;
} text;

static inline void add(text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    t->n += (size_t)vsnprintf(t->s + t->n, sizeof t->s - t->n, format, args);
    va_end(args);
    assert_true(t->n < sizeof t->s);
}

/* ---- a small detector ---- */

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

static inline void detector_pair(fold_pair *p) {
    seed_random(402);
    assert_true(make_pair(p, detector_text));
}

/* Outputs of all layers that keep floats. */
static inline void assert_same_outputs(const fold_pair *p) {
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

static inline void expect(gdrq_status status, gdrq_status expected, const gdrq_error *err,
                          const char *words) {
    if (status != expected || !strstr(err->message, words))
        fail_msg("status %d, '%s' lacks '%s'", (int)status, err->message, words);
}

#endif
