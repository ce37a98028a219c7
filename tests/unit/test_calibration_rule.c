/*
 * Thresholds by each tensor's own rule, from values that were counted: for k*mean|x| what training
 * and `calibrate -method mean` give on the same values, whatever channels count for.
 */
#include "small_network.h"

#include "host/network_state.h"

/* Layer 0 is in float, so that layer 1 reads the same values however the network runs. */
#define NETWORK(activation, range, rule)                                \
    "[net]\nbatch=1\nwidth=9\nheight=7\nchannels=3\n" rule              \
    "[convolutional]\nfilters=6\nsize=3\npad=1\nactivation=" activation \
    "\n[gdrq_convolutional]\nfilters=6\ngroups=6\nsize=3\npad=1\n"      \
    "activation=linear\nactivation_range=" range "\n"

static const char *const ranges[] = {
    NETWORK("relu", "unsigned", "threshold=scale\nk_activations=2\n"),
    NETWORK("leaky", "offset", "threshold=scale\nk_activations=2\n"),
    NETWORK("linear", "signed", "threshold=scale\nk_activations=2\n"),
};

enum { READER = 1, PICTURES = 3 };

/* With random pixels, and weights of which some channels make 1000 times as much as others. */
static network *make_network(const char *text) {
    network *net = parse_text(text);
    randomise(net);
    layer *reader = &net->layers[READER];
    for (int i = 0; i < reader->nweights / 2; i++)
        reader->weights[i] *= 1000;
    return net;
}

static void predict_all(network *net) {
    seed_random(3);
    for (int i = 0; i < PICTURES; i++) {
        random_pixels(net);
        network_predict(net, net->input);
    }
}

static float threshold(const network *net) {
    return gdrq_quantised_state(&net->layers[READER])->input->threshold;
}

static float set_from_counts(network *net, gdrq_calibration how) {
    gdrq_error err;
    assert_int_equal(gdrq_network_counting(net, true, &err), GDRQ_OK);
    gdrq_network_unquantised(net, true);
    predict_all(net);
    gdrq_network_unquantised(net, false);
    assert_int_equal(gdrq_network_set_thresholds(net, how, 0, &err), GDRQ_OK);
    assert_int_equal(gdrq_network_counting(net, false, &err), GDRQ_OK);
    return threshold(net);
}

/* The last picture's move takes effect with the next forward. */
static float set_by_calibrating(network *net) {
    gdrq_error err;
    assert_int_equal(gdrq_network_forget_thresholds(net, &err), GDRQ_OK);
    gdrq_network_calibrating(net, true);
    predict_all(net);
    gdrq_network_calibrating(net, false);
    network_predict(net, net->input);
    return threshold(net);
}

static void scale_is_that_of_training_in_each_range(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        seed_random(2);
        network *net = make_network(ranges[i]);
        const float counted = set_from_counts(net, GDRQ_CALIBRATE_BY_RULE);
        const float searched = set_from_counts(net, GDRQ_CALIBRATE_SEARCH);
        const float trained = set_by_calibrating(net);
        assert_true(counted > 0 && fabsf(searched / counted - 1) > .1f);
        assert_true(fabsf(counted / trained - 1) < 1e-5f);
        free_network(net);
    }
}

static void search_and_learned_are_searched(void **state) {
    (void)state;
    static const char *const rules[] = {NETWORK("relu", "unsigned", "threshold=search\n"),
                                        NETWORK("relu", "unsigned", "threshold=learned\n")};
    for (int i = 0; i < 2; i++) {
        seed_random(4);
        network *net = make_network(rules[i]);
        const float by_rule = set_from_counts(net, GDRQ_CALIBRATE_BY_RULE);
        assert_true(by_rule > 0);
        assert_true(by_rule == set_from_counts(net, GDRQ_CALIBRATE_SEARCH));
        free_network(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scale_is_that_of_training_in_each_range),
        cmocka_unit_test(search_and_learned_are_searched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
