/* What channels of an input count for, and the thresholds that come of it. */
#include "small_network.h"

#include "host/network_state.h"
#include "train/channel_weights.h"

enum { CHANNELS = 6, SIZE = 3, TAPS = SIZE * SIZE, MAX_FILTERS = 12 };

static float weights[MAX_FILTERS * CHANNELS * TAPS], biases[MAX_FILTERS], scales[MAX_FILTERS];
static float mean[MAX_FILTERS], variance[MAX_FILTERS];

static layer random_layer(int groups, int filters) {
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        weights[i] = random_normal();
    for (int f = 0; f < MAX_FILTERS; f++) {
        scales[f] = random_normal();
        variance[f] = (float)random_unit() + .01f;
    }
    return (layer){.type = CONVOLUTIONAL,
                   .c = CHANNELS,
                   .n = filters,
                   .groups = groups,
                   .size = SIZE,
                   .batch_normalize = 1,
                   .weights = weights,
                   .biases = biases,
                   .scales = scales,
                   .rolling_mean = mean,
                   .rolling_variance = variance};
}

static void find(const layer *l, float *found) {
    float scale[MAX_FILTERS], bias[MAX_FILTERS];
    gdrq_channel_weights(l, scale, bias, found);
}

/* The sum over outputs of (d output / d value of the channel)^2, batch norm being the last step. */
static double true_gain(const layer *l, int channel) {
    const int channels = CHANNELS / l->groups, filters = l->n / l->groups;
    double sum = 0;
    for (int f = 0; f < l->n; f++)
        for (int c = 0; c < channels; c++)
            for (int k = 0; k < TAPS; k++) {
                const double w = weights[(f * channels + c) * TAPS + k] *
                                 (l->batch_normalize ? scales[f] / sqrt(variance[f]) : 1);
                if (f / filters * channels + c == channel)
                    sum += w * w;
            }
    return sum;
}

static void channels_count_by_what_the_outputs_have_of_them(void **state) {
    (void)state;
    seed_random(8);
    const int shapes[][2] = {{1, 5}, {2, 4}, {3, 9}, {CHANNELS, CHANNELS}, {CHANNELS, MAX_FILTERS}};
    for (int i = 0; i < 10; i++) {
        layer l = random_layer(shapes[i / 2][0], shapes[i / 2][1]);
        l.batch_normalize = i % 2;
        float found[CHANNELS];
        double all = 0;
        find(&l, found);
        for (int c = 0; c < CHANNELS; c++)
            all += true_gain(&l, c) / CHANNELS;
        for (int c = 0; c < CHANNELS; c++) {
            const double expected = fmax(true_gain(&l, c) / all, GDRQ_LEAST_CHANNEL_WEIGHT);
            assert_true(fabs(found[c] / expected - 1) < 1e-4);
        }
    }
}

/* A filter of channel 2 whose values hardly ever changed. */
static void one_channel_leaves_the_others_something(void **state) {
    (void)state;
    seed_random(11);
    const layer l = random_layer(CHANNELS, CHANNELS);
    float found[CHANNELS];
    variance[2] = 0;
    find(&l, found);
    for (int c = 0; c < CHANNELS; c++)
        assert_float_equal(found[c], c == 2 ? CHANNELS : GDRQ_LEAST_CHANNEL_WEIGHT, 1e-4);
}

static void assert_all_alike(const layer *l) {
    float found[CHANNELS];
    find(l, found);
    for (int c = 0; c < CHANNELS; c++)
        assert_true(found[c] == 1);
}

/* Nothing is known of channels then. */
static void without_numbers_all_count_alike(void **state) {
    (void)state;
    seed_random(9);
    layer l = random_layer(1, 5);
    memset(weights, 0, sizeof weights);
    assert_all_alike(&l);
    l = random_layer(1, 5);
    weights[3] = NAN;
    assert_all_alike(&l);
    l = random_layer(1, 5);
    variance[2] = -1;
    assert_all_alike(&l);
}

/* Layer 0 writes 1 in channel 2 and 100 in all others; layer 1 reads them one by one. */
#define NETWORK                                                  \
    "[net]\nbatch=1\nwidth=5\nheight=4\nchannels=3\n"            \
    "[convolutional]\nfilters=6\nactivation=relu\n"              \
    "[gdrq_convolutional]\nfilters=6\ngroups=6\nsize=3\npad=1\n" \
    "activation=linear\nactivation_bits=8\nactivation_range=unsigned\n"

enum { READER = 1 };

/* T of what layer 1 reads, with a tenth of the values clipped. */
static float calibrate(network *net) {
    gdrq_error err;
    assert_int_equal(gdrq_network_counting(net, true, &err), GDRQ_OK);
    gdrq_network_unquantised(net, true);
    network_predict(net, net->input);
    gdrq_network_unquantised(net, false);
    assert_int_equal(gdrq_network_set_thresholds(net, GDRQ_CALIBRATE_PERCENTILE, .9, &err),
                     GDRQ_OK);
    assert_int_equal(gdrq_network_counting(net, false, &err), GDRQ_OK);
    return gdrq_quantised_state(&net->layers[READER])->input->threshold;
}

static void thresholds_suit_the_channels_that_count(void **state) {
    (void)state;
    network *net = parse_text(NETWORK);
    layer *writer = &net->layers[0], *reader = &net->layers[READER];
    memset(writer->weights, 0, (size_t)writer->nweights * sizeof(float));
    for (int c = 0; c < CHANNELS; c++)
        writer->biases[c] = c == 2 ? 1 : 100;
    for (int i = 0; i < reader->nweights; i++)
        reader->weights[i] = 1;
    assert_float_equal(calibrate(net), 100, 100. / 128);
    for (int i = 0; i < TAPS; i++)
        reader->weights[2 * TAPS + i] = 1000;
    assert_float_equal(calibrate(net), 1, 1. / 128);
    assert_null(gdrq_quantised_state(reader)->channel_weights);
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_count_by_what_the_outputs_have_of_them),
        cmocka_unit_test(one_channel_leaves_the_others_something),
        cmocka_unit_test(without_numbers_all_count_alike),
        cmocka_unit_test(thresholds_suit_the_channels_that_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
