/*
 * threshold=learned and search in layers: gradients of T, its updates, where it starts, and how it
 * travels with the weights.
 */
#include "base/hash.h"
#include "cmocka_all.h"
#include "host/network_state.h"
#include "quant/search.h"
#include "threshold_truth.h"

#define NET                                                                                    \
    "[net]\nbatch=2\nwidth=7\nheight=7\nchannels=3\nlearning_rate=.001\nmomentum=0\ndecay=0\n" \
    "threshold=learned\nweight_gradient=pass\n"
#define FIRST "[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=relu\n"
#define CONVOLUTION "[gdrq_convolutional]\nfilters=6\nsize=3\npad=1\nactivation=linear\n"
#define CONNECTION "[gdrq_connected]\noutput=6\nactivation=linear\n"
#define END "[cost]\n"

#define LEARNED NET FIRST CONVOLUTION END

static network *started(const char *text, uint64_t seed) {
    seed_random(seed);
    return forwarded(text);
}

static size_t weights_per_group(const layer *l, const gdrq_quantised *q) {
    return (size_t)(count_weights(l) / q->options.quant_groups);
}

/* ---- gradients ---- */

/* What writes the tensor whose T is learned, and the range that follows. */
typedef struct reading {
    const char *activation, *key;
    gdrq_range range;
} reading;

static const reading READINGS[] = {{"relu", "auto", GDRQ_RANGE_UNSIGNED},
                                   {"leaky", "auto", GDRQ_RANGE_OFFSET},
                                   {"linear", "auto", GDRQ_RANGE_SIGNED},
                                   {"leaky", "unsigned", GDRQ_RANGE_UNSIGNED}};
enum { N_READINGS = sizeof READINGS / sizeof *READINGS };

enum { CONVOLUTION_KIND, GROUPED_KIND, CONNECTED_KIND, KINDS };
static const char *const KIND_NAMES[] = {"convolution", "grouped convolution", "connected"};

enum { ONE_T, SOME_T, T_PER_FILTER, SHARINGS };

/* Layer 1 in a test of gradients; `sharing`: how many filters have one T. */
typedef struct learner {
    const reading *reads;
    int kind, batch_normalize, sharing;
} learner;

/* A T for some of the filters may be that of two groups of the convolution. */
static void describe_learner(const learner *c, char *text, size_t size) {
    const int groups = c->kind == GROUPED_KIND ? 2 : 1, taps = random_int(1, 3);
    const int parts = random_int(2, 4), filters = parts * (groups > 1 ? 2 : random_int(2, 3));
    const int quant_groups[] = {[ONE_T] = 1, [SOME_T] = parts, [T_PER_FILTER] = filters};
    char kind[200];
    if (c->kind == CONNECTED_KIND)
        snprintf(kind, sizeof kind, "[gdrq_connected]\noutput=%d\n", filters);
    else
        snprintf(kind, sizeof kind,
                 "[gdrq_convolutional]\nfilters=%d\nsize=%d\nstride=%d\npadding=%d\ngroups=%d\n",
                 filters, taps, random_int(1, 2), random_int(0, taps - 1), groups);
    snprintf(text, size,
             "%sactivation=linear\nbatch_normalize=%d\nquant_groups=%d\nweight_bits=%d\n"
             "activation_bits=%d\nactivation_range=%s\nweight_gradient=%s\n[cost]\n",
             kind, c->batch_normalize, quant_groups[c->sharing], random_int(2, 8), random_int(2, 8),
             c->reads->key, random_int(0, 1) ? "mask" : "pass");
}

/*
 * A network of three layers, the middle one of which is such a learner, of random shapes. Batch
 * norm has some values for each mean: from two or three nearly nothing comes back.
 */
static network *make_learner(const learner *c, const char *net_keys) {
    char of_layer[500], text[1000];
    const int batch = c->kind == CONNECTED_KIND ? random_int(6, 9) : random_int(2, 3);
    const int channels = c->kind == GROUPED_KIND ? 2 * random_int(2, 3) : random_int(2, 5);
    printf("%s behind %s (%s), batch norm %d, sharing %d\n", KIND_NAMES[c->kind],
           c->reads->activation, c->reads->key, c->batch_normalize, c->sharing);
    describe_learner(c, of_layer, sizeof of_layer);
    snprintf(text, sizeof text,
             "[net]\nbatch=%d\nwidth=%d\nheight=%d\nchannels=3\nthreshold=learned\n%s"
             "[convolutional]\nfilters=%d\nsize=3\npad=1\nactivation=%s\n%s",
             batch, random_int(5, 8), random_int(5, 8), net_keys, channels, c->reads->activation,
             of_layer);
    return forwarded(text);
}

typedef void check_learner(const learner *c);

static void for_each_learner(check_learner *check) {
    for (int r = 0; r < N_READINGS; ++r)
        for (int kind = 0; kind < KINDS; ++kind)
            for (int norm = 0; norm < 2; ++norm)
                for (int sharing = 0; sharing < SHARINGS; ++sharing)
                    check(&(learner){&READINGS[r], kind, norm, sharing});
}

/* Values of the tensors that were clipped at either end, by range. */
static int clipped[GDRQ_RANGE_OFFSET + 1][2];

static void count_clipped(const threshold_truth *t, gdrq_range range) {
    for (size_t i = 0; i < t->inputs; ++i) {
        clipped[range][0] += t->x[i] < t->input.min * t->input.step;
        clipped[range][1] += t->x[i] > t->input.max * t->input.step;
    }
}

/* Leaves the first layer's delta as the second one passes it, which its own backward overwrites. */
static void backward_of_last_two(const network *net) {
    for (int i = 2; i > 0; --i) {
        network part = *net;
        part.input = net->layers[i - 1].output;
        part.delta = net->layers[i - 1].delta;
        net->layers[i].backward(net->layers[i], part);
    }
}

static void check_rounded_gradients(const learner *c) {
    network *net = make_learner(c, "");
    const gdrq_quantised *q = gdrq_quantised_state(&net->layers[1]);
    /* The next forward runs with the T that the first one found; let it clip. */
    forward_network(net);
    q->input->threshold *= .6f;
    for (int g = 0; g < q->options.quant_groups; ++g)
        q->weight_thresholds[g] *= .8f;
    forward_network(net);
    threshold_truth t = true_backward(net, c->reads->range);
    count_clipped(&t, c->reads->range);
    backward_of_last_two(net);
    check_learning_backward(&t, net->layers[0].delta);
    free_truth(&t);
    free_network(net);
}

static void gradients_of_thresholds(void **state) {
    (void)state;
    seed_random(11);
    memset(clipped, 0, sizeof clipped);
    for_each_learner(check_rounded_gradients);
    assert_true(clipped[GDRQ_RANGE_UNSIGNED][0] > 0 && clipped[GDRQ_RANGE_UNSIGNED][1] > 0);
    assert_true(clipped[GDRQ_RANGE_SIGNED][0] > 0 && clipped[GDRQ_RANGE_SIGNED][1] > 0);
    assert_true(clipped[GDRQ_RANGE_OFFSET][0] > 0 && clipped[GDRQ_RANGE_OFFSET][1] > 0);
}

/* By size, the largest first. */
static int compare_kinks(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/*
 * A T that clips some values, in the middle of the widest gap between those at which a value begins
 * to be clipped: there the loss has kinks. *room: how far they are.
 */
static float threshold_off_kinks(const float *x, int n, const true_grid *g, float *room) {
    float *kinks = calloc((size_t)n, sizeof *kinks), best = 0;
    *room = 0;
    for (int i = 0; i < n; ++i)
        kinks[i] = x[i] > 0 ? x[i] : g->min < 0 ? x[i] * (float)g->max / (float)g->min : 0;
    qsort(kinks, (size_t)n, sizeof *kinks, compare_kinks);
    for (int i = 4; i < n && kinks[i] > .3f * kinks[0]; ++i)
        if (kinks[i - 1] - kinks[i] > 2 * *room) {
            *room = (kinks[i - 1] - kinks[i]) / 2;
            best = (kinks[i - 1] + kinks[i]) / 2;
        }
    free(kinks);
    assert_true(best > 0);
    return best;
}

static void set_weight_thresholds(const network *net, float threshold) {
    gdrq_quantised *q = gdrq_quantised_state(&net->layers[1]);
    for (int g = 0; g < q->options.quant_groups; ++g)
        q->weight_thresholds[g] = threshold;
    q->weight_thresholds_set = true;
}

/* In the reshape stage nothing is rounded, and dL/dT is a plain derivative. */
static void check_clipped_gradient(const learner *c) {
    network *net = make_learner(c, "quantize_after=9\nk_weights=50\n");
    const layer *l = &net->layers[1];
    const gdrq_quantised *q = gdrq_quantised_state(l);
    gdrq_running_threshold *t = q->input;
    forward_network(net);
    const true_grid g = make_true_grid(c->reads->range, q->options.activation_bits, 1);
    float room;
    t->threshold = threshold_off_kinks(net->layers[0].output, l->batch * l->inputs, &g, &room);
    /* Scale-Clip is what clips weights in this stage, even if a training before left them T's. */
    assert_false(q->weight_thresholds_set);
    set_weight_thresholds(net, .1f);
    loss(net);
    backward_network(net);
    /* Richardson's extrapolation: behind batch norm the loss bends. */
    const float eps = fminf(.9f * room, 1e-2f);
    const double coarse = difference_by(net, &t->threshold, eps);
    const double numeric = (4 * difference_by(net, &t->threshold, eps / 2) - coarse) / 3;
    const double got = t->optimiser.update / (g.max * sqrt((double)g.max / l->inputs));
    if (!(fabs(got + numeric) <= 1e-2 * fabs(numeric) + 5e-3))
        fail_msg("T: %g instead of %g", -got, numeric);
    for (int k = 0; k < q->options.quant_groups; ++k)
        assert_true(q->weight_optimisers[k].update == 0);
    free_network(net);
}

static void gradient_equals_finite_differences(void **state) {
    (void)state;
    seed_random(31);
    for_each_learner(check_clipped_gradient);
}

/* ---- T's life ---- */

/* The first training forward's T is the searched one, of weights and activations. */
static void learning_starts_from_search(void **state) {
    (void)state;
    network *net = started(LEARNED, 41);
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
    network *net = started(LEARNED, 42);
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
    network *net = started(LEARNED, 45);
    backward_network(net);
    update_network(net);
    save(net, path);
    const gdrq_quantised *q = gdrq_quantised_state(&net->layers[1]);
    network *same = parse_text(LEARNED);
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
    network *net = started(LEARNED, 49);
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
    network *net = started(LEARNED, 46), *loaded = parse_text(LEARNED);
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
    network *learned = parse_text(LEARNED);
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
