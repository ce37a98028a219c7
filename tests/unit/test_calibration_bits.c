/*
 * What other bits of single layers cost: gdrq_network_set_bits() and gdrq_network_predict_again(),
 * against networks whose cfgs have these bits.
 */
#include "small_network.h"

#include "host/network_state.h"

enum { SIDE = 16 };

/* Layers 1 and 5 read what layer 0 writes. */
#define NETWORK(bits, more)                                                                 \
    "[net]\nbatch=2\nwidth=16\nheight=16\nchannels=3\nlearning_rate=.01\n"                  \
    "weight_bits=" bits "\nactivation_bits=" bits "\n" more                                 \
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=6\nsize=3\npad=1\nactivation=leaky\n" \
    "[gdrq_convolutional]\nfilters=8\nsize=3\npad=1\nactivation=relu\n"                     \
    "[maxpool]\nsize=2\nstride=2\n"                                                         \
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=5\nactivation=leaky\n"                \
    "[route]\nlayers=0\n"                                                                   \
    "[gdrq_convolutional]\nfilters=4\nsize=3\npad=1\nstride=2\nactivation=linear\n"         \
    "[route]\nlayers=-1,-3\n"                                                               \
    "[gdrq_connected]\noutput=7\nactivation=linear\n"

static unsigned char pixels[SIDE * SIDE * 3];
static const gdrq_pixels shown = {
    .data = pixels, .w = SIDE, .h = SIDE, .stride = SIDE * 3, .order = GDRQ_RGB};
static const int quantised[] = {0, 1, 3, 5, 7};
enum { QUANTISED = sizeof quantised / sizeof *quantised, TENSOR = 1, SECOND_READER = 5 };

static network *make_network(const char *text) {
    network *net = parse_text(text);
    seed_random(7);
    randomise(net);
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (unsigned char)random_int(0, 255);
    return net;
}

static void must(gdrq_status status, const gdrq_error *err) {
    if (status != GDRQ_OK)
        fail_msg("%s", err->message);
}

static void predict(network *net) {
    gdrq_error err;
    must(gdrq_network_predict_pixels(net, &shown, NULL, &err), &err);
}

static void predict_again(network *net, int first) {
    gdrq_error err;
    must(gdrq_network_predict_again(net, first, &err), &err);
}

static void set_bits(network *net, int layer, int weight_bits, int activation_bits) {
    gdrq_error err;
    must(gdrq_network_set_bits(net, layer, weight_bits, activation_bits, &err), &err);
}

static void set_all(network *net, int weight_bits, int activation_bits) {
    for (int i = 0; i < QUANTISED; i++)
        set_bits(net, quantised[i], weight_bits, activation_bits);
}

/* Counts the values of the picture. */
static void count(network *net) {
    gdrq_error err;
    must(gdrq_network_counting(net, true, &err), &err);
    gdrq_network_unquantised(net, true);
    predict(net);
    gdrq_network_unquantised(net, false);
}

static network *make_counted(const char *text) {
    gdrq_error err;
    network *net = make_network(text);
    count(net);
    must(gdrq_network_set_thresholds(net, GDRQ_CALIBRATE_SEARCH, 0, &err), &err);
    return net;
}

static float *copy_output(const network *net) {
    float *copy = malloc(sizeof(float) * (size_t)net->outputs);
    memcpy(copy, net->output, sizeof(float) * (size_t)net->outputs);
    return copy;
}

static double distance(const network *net, const float *expected) {
    double sum = 0;
    for (int i = 0; i < net->outputs; i++)
        sum += pow((double)net->output[i] - expected[i], 2);
    return sum;
}

static void assert_output(const network *net, const float *expected) {
    assert_memory_equal(net->output, expected, sizeof(float) * (size_t)net->outputs);
}

static float *float_output(network *net) {
    gdrq_network_unquantised(net, true);
    predict(net);
    gdrq_network_unquantised(net, false);
    return copy_output(net);
}

static void no_bits_are_floats(void **state) {
    (void)state;
    network *net = make_network(NETWORK("4", ""));
    float *expected = float_output(net);
    count(net);
    gdrq_error err;
    must(gdrq_network_set_thresholds(net, GDRQ_CALIBRATE_SEARCH, 0, &err), &err);
    predict(net);
    assert_true(distance(net, expected) > 0);
    set_all(net, 0, 0);
    predict(net);
    /* Pixels are taken as codes and a step, which rounds otherwise. */
    assert_true(distance(net, expected) < 1e-9);
    assert_int_equal(net->batch, 2);
    free(expected);
    free_network(net);
}

/* To the bit what a network gives that has these bits from its cfg on. */
static void bits_are_those_of_a_cfg(void **state) {
    (void)state;
    static const char *const others[] = {
        NETWORK("2", "threshold_weights=search\n"), NETWORK("3", "threshold_weights=search\n"),
        NETWORK("5", "threshold_weights=search\n"), NETWORK("8", "threshold_weights=search\n")};
    static const int bits[] = {2, 3, 5, 8};
    network *net = make_counted(NETWORK("4", "k_weights=3\nk_activations=5\n"));
    set_all(net, 0, 0);
    for (int i = 0; i < 4; i++) {
        network *other = make_counted(others[i]);
        predict(other);
        set_all(net, bits[i], bits[i]);
        predict(net);
        assert_output(net, other->output);
        free_network(other);
    }
    free_network(net);
}

/* The cfg's bits, too, get a threshold that is searched, whatever was in effect before. */
static void thresholds_are_searched_at_the_bits_of_the_cfg(void **state) {
    (void)state;
    network *other = make_counted(NETWORK("4", "threshold_weights=search\n"));
    predict(other);
    network *net = make_network(NETWORK("4", ""));
    count(net);
    gdrq_error err;
    /* Far from what a search finds. */
    must(gdrq_network_set_thresholds(net, GDRQ_CALIBRATE_PERCENTILE, .3, &err), &err);
    set_all(net, 4, 4);
    predict(net);
    assert_output(net, other->output);
    free_network(net);
    free_network(other);
    /* Without any threshold before. */
    net = make_network(NETWORK("4", ""));
    count(net);
    set_all(net, 4, 4);
    predict(net);
    free_network(net);
}

static double error_with(network *net, int layer, int weight_bits, int activation_bits,
                         const float *expected) {
    set_bits(net, layer, weight_bits, activation_bits);
    predict(net);
    const double error = distance(net, expected);
    set_bits(net, layer, 0, 0);
    return error;
}

static void more_bits_cost_less(void **state) {
    (void)state;
    network *net = make_counted(NETWORK("4", ""));
    float *expected = float_output(net);
    set_all(net, 0, 0);
    for (int i = 0; i < QUANTISED; i++) {
        const int l = quantised[i];
        assert_true(error_with(net, l, 8, 0, expected) < .2 * error_with(net, l, 4, 0, expected));
        assert_true(error_with(net, l, 4, 0, expected) < error_with(net, l, 2, 0, expected));
        if (l == 0)
            continue; /* pixels */
        assert_true(error_with(net, l, 0, 8, expected) < .2 * error_with(net, l, 0, 4, expected));
        assert_true(error_with(net, l, 0, 4, expected) < error_with(net, l, 0, 2, expected));
    }
    free(expected);
    free_network(net);
}

static void readers_of_a_tensor_share_its_bits(void **state) {
    (void)state;
    network *net = make_counted(NETWORK("4", ""));
    set_all(net, 0, 0);
    set_bits(net, TENSOR, 0, 3);
    predict(net);
    float *expected = copy_output(net);
    set_bits(net, TENSOR, 0, 0);
    set_bits(net, SECOND_READER, 0, 3);
    predict(net);
    assert_output(net, expected);
    gdrq_quantisation first, second;
    assert_true(gdrq_network_quantisation(net, TENSOR, &first));
    assert_true(gdrq_network_quantisation(net, SECOND_READER, &second));
    assert_int_equal(first.input_bits, 3);
    assert_int_equal(second.input_bits, 3);
    assert_int_equal(first.input_reader, TENSOR);
    assert_int_equal(second.input_reader, TENSOR);
    free(expected);
    free_network(net);
}

static void learned_thresholds_of_weights_make_way(void **state) {
    (void)state;
    network *net = make_counted(NETWORK("4", "threshold_weights=learned\n"));
    network *other = make_counted(NETWORK("4", "threshold_weights=search\n"));
    gdrq_quantised *q = gdrq_quantised_state(&net->layers[1]);
    for (int g = 0; g < q->options.quant_groups; g++)
        q->weight_thresholds[g] = .01f;
    q->weight_thresholds_set = true;
    predict(net);
    predict(other);
    assert_true(distance(net, other->output) > 0);
    set_all(net, 4, 4);
    predict(net);
    assert_output(net, other->output);
    free_network(net);
    free_network(other);
}

/* From any layer on, the layers before it being as they were. */
static void running_again_is_running_the_rest(void **state) {
    (void)state;
    network *net = make_counted(NETWORK("4", ""));
    predict(net);
    float *expected = copy_output(net);
    for (int first = net->n - 1; first >= 0; first--) {
        predict_again(net, first);
        assert_output(net, expected);
        assert_int_equal(net->batch, 2);
    }
    free(expected);
    free_network(net);
}

/* Layer by layer from the last one on, behind one run in float, as against a run for each. */
static void one_run_serves_all_layers(void **state) {
    (void)state;
    network *net = make_counted(NETWORK("4", "")), *other = make_counted(NETWORK("4", ""));
    set_all(net, 0, 0);
    set_all(other, 0, 0);
    predict(net);
    for (int i = QUANTISED - 1; i >= 0; i--)
        for (int bits = 2; bits <= 8; bits += 3) {
            set_bits(net, quantised[i], bits, 0);
            predict_again(net, quantised[i]);
            set_bits(net, quantised[i], 0, 0);
            set_bits(other, quantised[i], bits, 0);
            predict(other);
            set_bits(other, quantised[i], 0, 0);
            assert_output(net, other->output);
        }
    free_network(net);
    free_network(other);
}

static void assert_no_bits(network *net, int layer, int weights, int activations,
                           gdrq_status status, const char *says) {
    gdrq_error err = {""};
    assert_int_equal(gdrq_network_set_bits(net, layer, weights, activations, &err), status);
    if (!strstr(err.message, says))
        fail_msg("%s", err.message);
}

static void what_can_not_be_set_is_told(void **state) {
    (void)state;
    network *net = make_network(NETWORK("4", ""));
    static const int not_quantised[] = {-1, 2, 4, 6, 8};
    for (int i = 0; i < 5; i++)
        assert_no_bits(net, not_quantised[i], 4, 4, GDRQ_ERROR_ARGUMENT, "only quantised ones can");
    static const int no_bits[] = {-1, 1, 9};
    for (int i = 0; i < 3; i++) {
        assert_no_bits(net, 1, no_bits[i], 4, GDRQ_ERROR_ARGUMENT, "from 2 to 8");
        assert_no_bits(net, 1, 4, no_bits[i], GDRQ_ERROR_ARGUMENT, "from 2 to 8");
    }
    assert_no_bits(net, 1, 7, 5, GDRQ_ERROR_STATE, "layer 1: its input's values were not counted");
    gdrq_quantisation q;
    assert_true(gdrq_network_quantisation(net, 1, &q));
    assert_int_equal(q.weight_bits, 4);
    assert_int_equal(q.input_bits, 4);
    set_bits(net, 0, 5, 5); /* pixels need no values */
    gdrq_error err;
    must(gdrq_network_counting(net, true, &err), &err);
    assert_no_bits(net, 1, 4, 5, GDRQ_ERROR_STATE, "not counted, or none was finite");
    assert_int_equal(gdrq_network_predict_again(net, 0, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "never set"));
    free_network(net);
    net = make_counted(NETWORK("4", ""));
    assert_int_equal(gdrq_network_predict_again(net, -1, &err), GDRQ_ERROR_ARGUMENT);
    assert_int_equal(gdrq_network_predict_again(net, net->n, &err), GDRQ_ERROR_ARGUMENT);
    free_network(net);
}

static void bytes_are_those_of_the_file(void **state) {
    (void)state;
    network *net = make_network(NETWORK("4", ""));
    gdrq_quantisation q;
    assert_true(gdrq_network_quantisation(net, 0, &q));
    /* 6 filters of 27 weights: a filter begins at a byte. */
    assert_int_equal(gdrq_quantisation_bytes(&q, 8), 6 * (27 + 8));
    assert_int_equal(gdrq_quantisation_bytes(&q, 3), 6 * (11 + 8));
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bits_are_floats),
        cmocka_unit_test(bits_are_those_of_a_cfg),
        cmocka_unit_test(thresholds_are_searched_at_the_bits_of_the_cfg),
        cmocka_unit_test(more_bits_cost_less),
        cmocka_unit_test(readers_of_a_tensor_share_its_bits),
        cmocka_unit_test(learned_thresholds_of_weights_make_way),
        cmocka_unit_test(running_again_is_running_the_rest),
        cmocka_unit_test(one_run_serves_all_layers),
        cmocka_unit_test(what_can_not_be_set_is_told),
        cmocka_unit_test(bytes_are_those_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
