/* Channels before depthwise layers get the same reach (gdrq_network_equalising()). */
#include "small_network.h"

#include "train/quantised_layer.h"

#define HEAD "[net]\nbatch=2\nwidth=9\nheight=7\nchannels=3\nweight_bits=8\nactivation_bits=8\n%s\n"
#define DEPTHWISE                                                                    \
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=%d\ngroups=6\nsize=3\npad=1\n" \
    "activation=leaky\n"

/* Layer 1 reads layer 0, and layer 3 reads layer 2: a filter per channel, then two. */
static const char *const plain_text =
    HEAD "[gdrq_convolutional]\nbatch_normalize=1\nfilters=6\nsize=1\nactivation=leaky\n" DEPTHWISE
         "[convolutional]\nfilters=6\nsize=1\nactivation=linear\n" DEPTHWISE
         "[convolutional]\nfilters=5\nsize=1\nactivation=linear\n";

/* Layer 0 has a second reader, and layer 3 reads what is not homogeneous. */
static const char *const other_text =
    HEAD "[convolutional]\nbatch_normalize=1\nfilters=6\nsize=1\nactivation=relu\n" DEPTHWISE
         "[convolutional]\nfilters=6\nsize=1\nactivation=logistic\n" DEPTHWISE
         "[shortcut]\nfrom=0\nactivation=linear\n";

static network *make(const char *format, const char *keys, int second) {
    char text[1200];
    snprintf(text, sizeof text, format, keys, 6, second);
    network *net = parse_text(text);
    randomise(net);
    random_pixels(net);
    return net;
}

static void predict(network *net) {
    network_predict(net, net->input);
}

/* The furthest a channel of layer i reaches, as T would have to, per image on average. */
static double reach(const layer *l, int c, const gdrq_running_threshold *t) {
    const gdrq_grid g = gdrq_activation_grid(t->bits, t->range, t->slope, 1);
    const int plane = l->out_w * l->out_h;
    double sum = 0;
    for (int b = 0; b < l->batch; b++) {
        double most = 0;
        for (int k = 0; k < plane; k++) {
            const double x = l->output[(b * l->out_c + c) * plane + k];
            most = fmax(most, x > 0 ? x : g.min < 0 ? -x * ((double)g.max / -g.min) : 0);
        }
        sum += most / l->batch;
    }
    return sum;
}

static int equalise(network *net) {
    gdrq_error err;
    int tensors = -1;
    assert_int_equal(gdrq_network_equalising(net, true, &err), GDRQ_OK);
    predict(net);
    assert_int_equal(gdrq_network_equalise(net, &tensors, &err), GDRQ_OK);
    assert_int_equal(gdrq_network_equalising(net, false, &err), GDRQ_OK);
    return tensors;
}

static void channels_reach_equally_far_and_outputs_stay(void **state) {
    (void)state;
    seed_random(611);
    network *net = make(plain_text, "", 12);
    gdrq_network_unquantised(net, true);
    predict(net);
    const layer *last = &net->layers[net->n - 1];
    const int n = last->batch * last->outputs;
    float *before = malloc((size_t)n * sizeof *before);
    assert_non_null(before);
    memcpy(before, last->output, (size_t)n * sizeof *before);
    const gdrq_running_threshold *first = gdrq_quantised_state(&net->layers[1])->input;
    const double spread = reach(&net->layers[0], 0, first) / reach(&net->layers[0], 1, first);
    assert_true(fabs(spread - 1) > .01);
    assert_int_equal(equalise(net), 2);
    predict(net);
    for (int i = 0; i < n; i++)
        assert_float_equal(last->output[i], before[i], 1e-4 * (1 + fabsf(before[i])));
    for (int i = 0; i <= 2; i += 2) {
        const gdrq_running_threshold *t = gdrq_quantised_state(&net->layers[i + 1])->input;
        for (int c = 1; c < 6; c++)
            assert_float_equal(reach(&net->layers[i], c, t), reach(&net->layers[i], 0, t),
                               1e-4 * reach(&net->layers[i], 0, t));
    }
    /* What reaches equally far already stays as it is. */
    const float scale = net->layers[0].scales[3];
    assert_int_equal(equalise(net), 2);
    assert_float_equal(net->layers[0].scales[3], scale, 1e-4 * fabsf(scale));
    free(before);
    free_network(net);
}

/* A channel of zeros says nothing about its reach. */
static void a_channel_of_zeros_stays(void **state) {
    (void)state;
    seed_random(612);
    network *net = make(plain_text, "", 6);
    gdrq_network_unquantised(net, true);
    layer *l = &net->layers[0];
    l->scales[2] = l->biases[2] = 0;
    const float weight = net->layers[1].weights[2 * 9];
    assert_int_equal(equalise(net), 2);
    assert_true(l->scales[2] == 0 && l->biases[2] == 0);
    assert_true(net->layers[1].weights[2 * 9] == weight);
    free_network(net);
}

/* Nearly 0: as large as all else, it would be made of rounding. */
static void an_almost_empty_channel_stays_small(void **state) {
    (void)state;
    seed_random(615);
    network *net = make(plain_text, "", 6);
    gdrq_network_unquantised(net, true);
    layer *l = &net->layers[0];
    l->scales[2] = 0;
    l->biases[2] = 1e-36f;
    assert_int_equal(equalise(net), 2);
    assert_float_equal(l->biases[2], 256e-36f, 1e-38);
    free_network(net);
}

static void other_tensors_stay(void **state) {
    (void)state;
    gdrq_error err;
    int tensors = -1;
    seed_random(613);
    network *net = make(other_text, "", 6);
    gdrq_network_unquantised(net, true);
    const float scale = net->layers[0].scales[1];
    assert_int_equal(equalise(net), 0);
    assert_true(net->layers[0].scales[1] == scale);
    /* Nor is there anything to do where nothing was predicted. */
    free_network(net);
    net = make(plain_text, "", 6);
    assert_int_equal(gdrq_network_equalise(net, &tensors, &err), GDRQ_OK);
    assert_int_equal(tensors, 0);
    assert_int_equal(gdrq_network_equalising(net, true, &err), GDRQ_OK);
    assert_int_equal(gdrq_network_equalise(net, &tensors, &err), GDRQ_OK);
    assert_int_equal(tensors, 0);
    free_network(net);
    /* Weights that share their steps would lose what the tensor gains. */
    net = make(plain_text, "quant_groups=1", 6);
    gdrq_network_unquantised(net, true);
    assert_int_equal(equalise(net), 0);
    free_network(net);
}

/* What was seen is used once: the channels are others after that. */
static void twice_is_as_once(void **state) {
    (void)state;
    gdrq_error err;
    int tensors = -1;
    seed_random(616);
    network *net = make(plain_text, "", 6);
    gdrq_network_unquantised(net, true);
    assert_int_equal(gdrq_network_equalising(net, true, &err), GDRQ_OK);
    predict(net);
    assert_int_equal(gdrq_network_equalise(net, &tensors, &err), GDRQ_OK);
    assert_int_equal(tensors, 2);
    const float scale = net->layers[0].scales[1];
    assert_int_equal(gdrq_network_equalise(net, &tensors, &err), GDRQ_OK);
    assert_int_equal(tensors, 0);
    assert_true(net->layers[0].scales[1] == scale);
    free_network(net);
}

static void learned_thresholds_are_refused(void **state) {
    (void)state;
    gdrq_error err;
    int tensors = -1;
    seed_random(614);
    network *net = make(plain_text, "threshold=learned", 6);
    net->train = 1;
    forward_network(net);
    net->train = 0;
    const float scale = net->layers[0].scales[1];
    assert_int_equal(gdrq_network_equalising(net, true, &err), GDRQ_OK);
    predict(net);
    assert_int_equal(gdrq_network_equalise(net, &tensors, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "layer 0: the thresholds of its weights were learned"));
    assert_int_equal(tensors, 0);
    assert_true(net->layers[0].scales[1] == scale);
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_reach_equally_far_and_outputs_stay),
        cmocka_unit_test(a_channel_of_zeros_stays),
        cmocka_unit_test(an_almost_empty_channel_stays_small),
        cmocka_unit_test(other_tensors_stay),
        cmocka_unit_test(twice_is_as_once),
        cmocka_unit_test(learned_thresholds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
