/*
 * threshold=learned and search in layers: gradients of T, its updates, where it starts, and how it
 * travels with the weights.
 */
#include "base/hash.h"
#include "cmocka_all.h"
#include "host/network_state.h"
#include "quant/gradient.h"
#include "quantised_test.h"

#define NET                                                                                    \
    "[net]\nbatch=2\nwidth=7\nheight=7\nchannels=3\nlearning_rate=.001\nmomentum=0\ndecay=0\n" \
    "threshold=learned\nweight_gradient=pass\n"
#define FIRST "[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=relu\n"
#define CONVOLUTION "[gdrq_convolutional]\nfilters=6\nsize=3\npad=1\nactivation=linear\n"
#define CONNECTION "[gdrq_connected]\noutput=6\nactivation=linear\n"
#define END "[cost]\n"

static const char *const LAYERS[] = {NET FIRST CONVOLUTION END, NET FIRST CONNECTION END,
                                     NET FIRST CONVOLUTION "quant_groups=2\n" END,
                                     NET FIRST CONNECTION "quant_groups=1\n" END};
enum { LAYER_TEXTS = sizeof LAYERS / sizeof *LAYERS };

static network *started(const char *text, uint64_t seed) {
    network *net = parse_text(text);
    seed_random(seed);
    randomise(net);
    random_pixels(net);
    random_truth(net);
    net->train = 1;
    forward_network(net);
    return net;
}

static size_t weights_per_group(const layer *l, const gdrq_quantised *q) {
    return (size_t)(count_weights(l) / q->options.quant_groups);
}

/* dQ(x)/dstep, in double. */
static double slope(double x, double step, int min, int max) {
    const double r = x / step;
    return r < min ? min : r > max ? max : rint(r) - r;
}

/* Layer 1's gradients, dL/d(quantised w) and dL/d(quantised x), from its delta. */
static void true_gradients(const network *net, double *dw, double *dx) {
    const layer *l = &net->layers[1];
    const gdrq_quantised *q = gdrq_quantised_state(l);
    const int n_in = l->batch * l->inputs, n_out = l->batch * l->outputs;
    double *wq = calloc((size_t)count_weights(l), sizeof *wq);
    double *xq = calloc((size_t)n_in, sizeof *xq), *dy = calloc((size_t)n_out, sizeof *dy);
    for (int i = 0; i < count_weights(l); ++i)
        wq[i] = (double)q->weight_codes[i] * q->weight_steps[(size_t)i / weights_per_group(l, q)];
    for (int i = 0; i < n_in; ++i)
        xq[i] = (double)q->input_codes[i] * q->grid.step;
    for (int i = 0; i < n_out; ++i)
        dy[i] = net->layers[2].delta[i];
    products p = {.wq = wq, .xq = xq, .dy = dy, .dw = dw, .dx = dx};
    for_each_product(l, backward_product, &p);
    free(wq);
    free(xq);
    free(dy);
}

static void check_weight_gradients(const layer *l, const gdrq_quantised *q, const double *dw) {
    const size_t n = weights_per_group(l, q);
    const int top = (1 << (q->options.weight_bits - 1)) - 1;
    for (int g = 0; g < q->options.quant_groups; ++g) {
        double sum = 0, magnitude = 0;
        for (size_t i = (size_t)g * n; i < (size_t)(g + 1) * n; ++i) {
            const double term = dw[i] * slope(l->weights[i], q->weight_steps[g], -top, top);
            sum += term;
            magnitude += fabs(term);
        }
        const double scale = sqrt((double)top / (double)n);
        if (!(fabs(q->weight_optimisers[g].update - scale * sum) < 1e-4 * scale * magnitude + 1e-7))
            fail_msg("group %d: %g instead of %g", g, (double)q->weight_optimisers[g].update,
                     scale * sum);
    }
}

static void check_activation_gradient(const layer *l, const float *x, const gdrq_quantised *q,
                                      const double *dx) {
    double sum = 0, magnitude = 0;
    int clipped = 0;
    for (int i = 0; i < l->batch * l->inputs; ++i) {
        const double term = dx[i] * slope(x[i], q->grid.step, q->grid.min, q->grid.max);
        sum += term;
        magnitude += fabs(term);
        clipped += x[i] > q->input->threshold;
    }
    assert_true(clipped > 0);
    const double scale = sqrt((double)q->grid.max / l->inputs);
    assert_true(fabs(q->input->optimiser.update - scale * sum) < 1e-4 * scale * magnitude + 1e-7);
}

static void gradients_of_thresholds(void **state) {
    (void)state;
    for (int k = 0; k < LAYER_TEXTS; ++k) {
        network *net = started(LAYERS[k], 11 + (uint64_t)k);
        const layer *l = &net->layers[1];
        const gdrq_quantised *q = gdrq_quantised_state(l);
        /* The second forward runs with the T that the first one found; let it clip. The searched T
           of weights can be the largest one, at which the derivative jumps. */
        forward_network(net);
        q->input->threshold *= .6f;
        for (int g = 0; g < q->options.quant_groups; ++g)
            q->weight_thresholds[g] *= .97f;
        forward_network(net);
        double *dw = calloc((size_t)count_weights(l), sizeof *dw);
        double *dx = calloc((size_t)(l->batch * l->inputs), sizeof *dx);
        true_gradients(net, dw, dx);
        backward_network(net);
        check_weight_gradients(l, q, dw);
        check_activation_gradient(l, net->layers[0].output, q, dx);
        assert_close(l->weight_updates, dw, count_weights(l), "weight gradient");
        free(dw);
        free(dx);
        free_network(net);
    }
}

/* In the reshape stage nothing is rounded, and dL/dT is a plain derivative. */
static void gradient_equals_finite_differences(void **state) {
    (void)state;
    static const char *const texts[] = {
        NET "quantize_after=9\nk_weights=50\n" FIRST CONVOLUTION END,
        NET "quantize_after=9\nk_weights=50\n" FIRST CONNECTION END};
    for (int k = 0; k < 2; ++k) {
        network *net = started(texts[k], 31 + (uint64_t)k);
        gdrq_running_threshold *t = gdrq_quantised_state(&net->layers[1])->input;
        forward_network(net);
        t->threshold *= .5f;
        loss(net);
        backward_network(net);
        const gdrq_grid g = gdrq_threshold_grid(t);
        const double numeric = difference(net, &t->threshold);
        const double scale =
            g.max * (double)gdrq_threshold_gradient_scale(g.max, (size_t)net->layers[1].inputs);
        assert_true(fabs(numeric) > .05);
        assert_true(fabs(t->optimiser.update / scale + numeric) < .01 * fabs(numeric));
        /* Weights are clipped by Scale-Clip in this stage. */
        assert_false(gdrq_quantised_state(&net->layers[1])->weight_thresholds_set);
        free_network(net);
    }
}

/* The first training forward's T is the searched one, of weights and activations. */
static void learning_starts_from_search(void **state) {
    (void)state;
    network *net = started(LAYERS[0], 41);
    const layer *l = &net->layers[1];
    const gdrq_quantised *q = gdrq_quantised_state(l);
    const size_t n = weights_per_group(l, q);
    assert_true(q->weight_thresholds_set);
    for (int g = 0; g < q->options.quant_groups; ++g)
        assert_float_equal(q->weight_thresholds[g],
                           gdrq_search_threshold(l->weights + (size_t)g * n, n,
                                                 &(gdrq_grid_family){4, GDRQ_RANGE_SIGNED, 0}, 2),
                           1e-6);
    assert_float_equal(q->input->threshold,
                       gdrq_search_threshold(net->layers[0].output, 2 * 4 * 49,
                                             &(gdrq_grid_family){4, GDRQ_RANGE_UNSIGNED, 0}, 2),
                       1e-6);
    free_network(net);
}

/* By learning rate times gradient over the batch, and no longer by what is observed. */
static void thresholds_move_by_their_gradients(void **state) {
    (void)state;
    network *net = started(LAYERS[0], 42);
    gdrq_quantised *q = gdrq_quantised_state(&net->layers[1]);
    backward_network(net);
    const float weight_before = q->weight_thresholds[3], before = q->input->threshold;
    const float weight_update = q->weight_optimisers[3].update, update = q->input->optimiser.update;
    assert_true(update != 0 && weight_update != 0);
    update_network(net);
    const float rate = get_current_rate(net) / (float)net->batch;
    assert_float_equal(q->weight_thresholds[3], weight_before + rate * weight_update, 1e-6);
    assert_float_equal(q->input->threshold, before + rate * update, 1e-6);
    const float learned = q->input->threshold;
    forward_network(net);
    assert_true(q->input->threshold == learned);
    assert_true(q->grid.step == gdrq_threshold_grid(q->input).step);
    free_network(net);
}

/* threshold_rate=0 holds T, threshold_decay shrinks it, and no gradient takes it to 0. */
static void rate_and_decay_are_their_own(void **state) {
    (void)state;
    network *still = started(NET "threshold_rate=0\n" FIRST CONVOLUTION END, 43);
    network *shrinking = started(NET "threshold_decay=5\n" FIRST CONVOLUTION END, 43);
    const float before = gdrq_quantised_state(&still->layers[1])->input->threshold;
    gdrq_quantised *q = gdrq_quantised_state(&shrinking->layers[1]);
    backward_network(still);
    update_network(still);
    assert_true(gdrq_quantised_state(&still->layers[1])->input->threshold == before);
    update_network(shrinking);
    assert_float_equal(q->input->threshold, before * (1 - .001f * 5), 1e-6);
    q->input->optimiser.update = -1e9f;
    update_network(shrinking);
    assert_float_equal(q->input->threshold, before * (1 - .001f * 5) / 2, 1e-6);
    free_network(still);
    free_network(shrinking);
}

/* A learned T moves by the weights' gradients, which those beyond it then don't follow. */
static void the_mask_is_the_default_of_learned_thresholds(void **state) {
    (void)state;
    static const struct {
        const char *net, *section;
        gdrq_weight_gradient expected;
    } cases[] = {{"", "", GDRQ_WEIGHT_GRADIENT_MASK},
                 {"threshold=scale\n", "", GDRQ_WEIGHT_GRADIENT_PASS},
                 {"threshold=search\n", "", GDRQ_WEIGHT_GRADIENT_PASS},
                 {"threshold=learned\n", "", GDRQ_WEIGHT_GRADIENT_MASK},
                 {"threshold_weights=scale\n", "", GDRQ_WEIGHT_GRADIENT_PASS},
                 {"threshold=scale\n", "threshold_weights=learned\n", GDRQ_WEIGHT_GRADIENT_MASK},
                 {"threshold=learned\n", "threshold=scale\n", GDRQ_WEIGHT_GRADIENT_PASS},
                 {"threshold=learned\n", "weight_gradient=pass\n", GDRQ_WEIGHT_GRADIENT_PASS},
                 {"threshold=learned\nweight_gradient=pass\n", "", GDRQ_WEIGHT_GRADIENT_PASS},
                 {"weight_gradient=mask\n", "", GDRQ_WEIGHT_GRADIENT_MASK}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[500];
        snprintf(text, sizeof text,
                 "[net]\nwidth=7\nheight=7\nchannels=3\n%s" FIRST CONVOLUTION "%s", cases[i].net,
                 cases[i].section);
        network *net = parse_text(text);
        assert_int_equal(gdrq_quantised_state(&net->layers[1])->options.weight_gradient,
                         cases[i].expected);
        free_network(net);
    }
}

/* Of weights beyond T the gradient is dropped, that of others is as without the mask. */
static void masked_weight_gradients(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"[net]\nbatch=2\nwidth=7\nheight=7\nchannels=3\n" FIRST CONVOLUTION END,
         "[net]\nbatch=2\nwidth=7\nheight=7\nchannels=3\nweight_gradient=mask\n" FIRST CONVOLUTION
             END},
        {"[net]\nbatch=2\nwidth=7\nheight=7\nchannels=3\n" FIRST CONNECTION END,
         "[net]\nbatch=2\nwidth=7\nheight=7\nchannels=3\nweight_gradient=mask\n" FIRST CONNECTION
             END}};
    for (int k = 0; k < 2; ++k) {
        network *all = started(texts[k][0], 44), *masked = started(texts[k][1], 44);
        backward_network(all);
        backward_network(masked);
        const layer *l = &masked->layers[1];
        const gdrq_quantised *q = gdrq_quantised_state(l);
        int dropped = 0;
        for (int i = 0; i < count_weights(l); ++i) {
            const float step = q->weight_steps[(size_t)i / weights_per_group(l, q)];
            const bool beyond = fabsf(l->weights[i]) > 7 * step;
            dropped += beyond;
            assert_float_equal(l->weight_updates[i], beyond ? 0 : all->layers[1].weight_updates[i],
                               1e-6);
        }
        assert_true(dropped > 0);
        free_network(all);
        free_network(masked);
    }
}

static void save(network *net, const char *path) {
    gdrq_error err = {{0}};
    if (gdrq_network_save(net, path, &err) != GDRQ_OK)
        fail_msg("%s", err.message);
}

/* What was learned is loaded again; where bits or groups differ, search has the word. */
static void thresholds_travel_with_the_weights(void **state) {
    (void)state;
    char *path = temporary_file("", 0);
    network *net = started(LAYERS[0], 45);
    backward_network(net);
    update_network(net);
    save(net, path);
    const gdrq_quantised *q = gdrq_quantised_state(&net->layers[1]);
    network *same = parse_text(LAYERS[0]);
    network *other = parse_text(NET "weight_bits=3\n" FIRST CONVOLUTION END);
    network *scaled =
        parse_text("[net]\nwidth=7\nheight=7\nchannels=3\nthreshold=scale\n" FIRST CONVOLUTION END);
    network *wide = parse_text(NET "k_activations=13\n" FIRST CONVOLUTION END);
    network *few = parse_text(NET "activation_bits=2\n" FIRST CONVOLUTION END);
    gdrq_error err;
    assert_int_equal(gdrq_network_load(wide, path, false, NULL, &err), GDRQ_OK);
    assert_int_equal(gdrq_network_load(few, path, false, NULL, &err), GDRQ_OK);
    /* What was learned does not follow k, and holds for its bits alone. */
    assert_true(gdrq_quantised_state(&wide->layers[1])->input->threshold ==
                gdrq_quantised_state(&net->layers[1])->input->threshold);
    assert_int_equal(gdrq_network_ready(few, &err), GDRQ_ERROR_STATE);
    free_network(wide);
    free_network(few);
    assert_int_equal(gdrq_network_load(same, path, false, NULL, &err), GDRQ_OK);
    assert_int_equal(gdrq_network_load(other, path, false, NULL, &err), GDRQ_OK);
    assert_int_equal(gdrq_network_load(scaled, path, false, NULL, &err), GDRQ_OK);
    const gdrq_quantised *p = gdrq_quantised_state(&same->layers[1]);
    assert_true(p->weight_thresholds_set);
    assert_memory_equal(p->weight_thresholds, q->weight_thresholds, 6 * sizeof(float));
    assert_true(p->input->threshold == q->input->threshold);
    assert_false(gdrq_quantised_state(&other->layers[1])->weight_thresholds_set);
    assert_null(gdrq_quantised_state(&scaled->layers[1])->weight_thresholds);
    /* Another file's weights have other thresholds. */
    save(scaled, path);
    assert_int_equal(gdrq_network_load(same, path, false, NULL, &err), GDRQ_OK);
    assert_false(p->weight_thresholds_set);
    unlink(path);
    free(path);
    free_network(net);
    free_network(same);
    free_network(other);
    free_network(scaled);
}

/* Writes `value` at `place` bytes before the file's end, mends the closing hash, and loads. */
static gdrq_status load_altered(network *net, const char *path, size_t place, uint32_t value,
                                gdrq_error *err) {
    unsigned char bytes[1 << 14];
    FILE *f = fopen(path, "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    memcpy(bytes + n - place, &value, sizeof value);
    const uint64_t hash = gdrq_hash(GDRQ_HASH, bytes, n - sizeof hash);
    memcpy(bytes + n - sizeof hash, &hash, sizeof hash);
    char *altered = temporary_file(bytes, n);
    const gdrq_status status = gdrq_network_load(net, altered, false, NULL, err);
    unlink(altered);
    free(altered);
    return status;
}

/* The trailer's end: count of layers, then layer, bits, groups and 6 thresholds, then the hash. */
static void damaged_tables_are_refused(void **state) {
    (void)state;
    enum { GROUPS = 8 + 6 * 4 + 4, BITS = GROUPS + 4, LAYER = BITS + 4, COUNT = LAYER + 4 };
    char *path = temporary_file("", 0);
    network *net = started(LAYERS[0], 49);
    save(net, path);
    gdrq_error err;
    assert_int_equal(load_altered(net, path, GROUPS, 6, &err), GDRQ_OK);
    static const struct {
        size_t place;
        uint32_t value;
        const char *message;
    } cases[] = {
        {GROUPS, 7, "don't fit its size"},
        {GROUPS, 5, "don't fit its size"},
        {GROUPS, UINT32_MAX, "don't fit its size"},
        {COUNT, 0, "don't fit its size"},
        {COUNT, 2, "don't fit its size"},
        {COUNT, UINT32_MAX, "don't fit its size"},
        {GROUPS - 4, 0x7fc00000, "no positive number"},
        {COUNT + 4, 3, "found by way 3"},
        {COUNT + 8, 9, "has 9 bits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        assert_int_equal(load_altered(net, path, cases[i].place, cases[i].value, &err),
                         GDRQ_ERROR_FORMAT);
        if (!strstr(err.message, cases[i].message))
            fail_msg("'%s' lacks '%s'", err.message, cases[i].message);
    }
    /* Of another cfg: no harm. */
    assert_int_equal(load_altered(net, path, LAYER, 77, &err), GDRQ_OK);
    assert_false(gdrq_quantised_state(&net->layers[1])->weight_thresholds_set);
    unlink(path);
    free(path);
    free_network(net);
}

/* Inference, saving and folding give the T that was learned: outputs are equal after a load. */
static void inference_uses_what_was_learned(void **state) {
    (void)state;
    char *path = temporary_file("", 0);
    network *net = started(LAYERS[0], 46), *loaded = parse_text(LAYERS[0]);
    for (int i = 0; i < 5; ++i) {
        forward_network(net);
        backward_network(net);
        update_network(net);
    }
    save(net, path);
    gdrq_error err;
    assert_int_equal(gdrq_network_load(loaded, path, false, NULL, &err), GDRQ_OK);
    memcpy(loaded->input, net->input, sizeof(float) * (size_t)(net->batch * net->inputs));
    const float *a = network_predict(net, net->input);
    const float *b = network_predict(loaded, loaded->input);
    const gdrq_quantised *q = gdrq_quantised_state(&net->layers[1]);
    assert_float_equal(q->weight_steps[2] * 7, q->weight_thresholds[2], 1e-6);
    assert_memory_equal(a, b, sizeof(float) * (size_t)(net->batch * net->layers[1].outputs));
    unlink(path);
    free(path);
    free_network(net);
    free_network(loaded);
}

/* A search is repeated when weights change, in whatever way, and its T's are the same to the bit.
 */
static void inference_keeps_what_it_searched(void **state) {
    (void)state;
    network *net = started(
        "[net]\nwidth=7\nheight=7\nchannels=3\nthreshold=search\n" FIRST CONVOLUTION END, 48);
    layer *l = &net->layers[1];
    gdrq_quantised *q = gdrq_quantised_state(l);
    network_predict(net, net->input);
    assert_true(q->searched.valid);
    const size_t n = (size_t)count_weights(l);
    float *codes = copy_of(q->weight_codes, (int)n), *steps = copy_of(q->weight_steps, 6);
    network_predict(net, net->input);
    assert_memory_equal(codes, q->weight_codes, n * sizeof *codes);
    assert_memory_equal(steps, q->weight_steps, 6 * sizeof *steps);
    /* Two weights of one filter change places. */
    const float swapped = l->weights[0];
    l->weights[0] = l->weights[1];
    l->weights[1] = swapped;
    network_predict(net, net->input);
    assert_true(q->weight_codes[0] == codes[1] && q->weight_codes[1] == codes[0]);
    for (int i = 0; i < 4; ++i)
        l->weights[i] *= 5;
    network_predict(net, net->input);
    assert_true(q->weight_steps[0] > 2 * steps[0]);
    free(codes);
    free(steps);
    free_network(net);
}

static void count_floats(void *user, float *data, size_t n) {
    (void)data;
    *(size_t *)user += n;
}

/* A training that goes on needs the momentum of thresholds, too. */
static void optimisers_are_among_the_arrays(void **state) {
    (void)state;
    network *learned = parse_text(LAYERS[0]);
    network *scaled =
        parse_text("[net]\nwidth=7\nheight=7\nchannels=3\nthreshold=scale\n" FIRST CONVOLUTION END);
    size_t of_learned = 0, of_scaled = 0;
    gdrq_network_arrays(learned, GDRQ_ARRAYS_OPTIMISER, count_floats, &of_learned);
    gdrq_network_arrays(scaled, GDRQ_ARRAYS_OPTIMISER, count_floats, &of_scaled);
    assert_int_equal(of_learned - of_scaled, 3 * (1 + 6));
    free_network(learned);
    free_network(scaled);
}

/* threshold=search: T of the weights follows them; that of activations is a mean of searched ones.
 */
static void searched_thresholds(void **state) {
    (void)state;
    network *net = started("[net]\nwidth=7\nheight=7\nchannels=3\nthreshold=search\n"
                           "search_norm=3\nactivation_momentum=.5\n" FIRST CONVOLUTION END,
                           47);
    const layer *l = &net->layers[1];
    gdrq_quantised *q = gdrq_quantised_state(l);
    const size_t n = weights_per_group(l, q);
    const gdrq_grid_family signed_codes = {4, GDRQ_RANGE_SIGNED, 0},
                           unsigned_codes = {4, GDRQ_RANGE_UNSIGNED, 0};
    const float first = gdrq_search_threshold(net->layers[0].output, 4 * 49, &unsigned_codes, 3);
    for (int i = 0; i < 3; ++i)
        l->weights[i] *= 3;
    random_pixels(net);
    forward_network(net);
    assert_float_equal(q->weight_steps[0] * 7,
                       gdrq_search_threshold(l->weights, n, &signed_codes, 3), 1e-6);
    assert_float_equal(q->input->threshold, first, 1e-6);
    const float second = gdrq_search_threshold(net->layers[0].output, 4 * 49, &unsigned_codes, 3);
    forward_network(net);
    assert_float_equal(q->input->threshold, .5f * (first + second), 1e-6);
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_thresholds),
        cmocka_unit_test(gradient_equals_finite_differences),
        cmocka_unit_test(learning_starts_from_search),
        cmocka_unit_test(thresholds_move_by_their_gradients),
        cmocka_unit_test(rate_and_decay_are_their_own),
        cmocka_unit_test(the_mask_is_the_default_of_learned_thresholds),
        cmocka_unit_test(masked_weight_gradients),
        cmocka_unit_test(thresholds_travel_with_the_weights),
        cmocka_unit_test(damaged_tables_are_refused),
        cmocka_unit_test(inference_uses_what_was_learned),
        cmocka_unit_test(inference_keeps_what_it_searched),
        cmocka_unit_test(optimisers_are_among_the_arrays),
        cmocka_unit_test(searched_thresholds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
