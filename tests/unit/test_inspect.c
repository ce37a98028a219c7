/* How the layers of a network quantise (gdrq_network_quantisation() and so on). */
#include "small_network.h"

static const char *const network_text =
    "[net]\nbatch=2\nwidth=12\nheight=10\nchannels=3\nthreshold=scale\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\n"
    "activation=relu\nweight_bits=8\nquant_groups=4\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[convolutional]\nfilters=6\nsize=1\nactivation=leaky\n"
    "[gdrq_connected]\noutput=9\nactivation=linear\nweight_bits=3\nactivation_bits=5\n"
    "[cost]\n";

static gdrq_quantisation quantisation(network *net, int i) {
    gdrq_quantisation q;
    assert_true(gdrq_network_quantisation(net, i, &q));
    return q;
}

/* Random pixels through the network, with thresholds from them. */
static void predict(network *net) {
    unsigned char codes[12 * 10 * 3];
    for (size_t i = 0; i < sizeof codes; i++)
        codes[i] = (unsigned char)random_int(0, 255);
    const gdrq_pixels pixels = {codes, 12, 10, 36, GDRQ_BGR};
    gdrq_error err;
    assert_int_equal(gdrq_network_predict_pixels(net, &pixels, NULL, &err), GDRQ_OK);
}

static void calibrate(network *net) {
    gdrq_error err;
    gdrq_network_calibrating(net, true);
    predict(net);
    gdrq_network_calibrating(net, false);
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_OK);
}

static void quantised_layers_say_how(void **state) {
    (void)state;
    seed_random(411);
    network *net = parse_text(network_text);
    randomise(net);
    gdrq_quantisation q;
    assert_false(gdrq_network_quantisation(net, -1, &q));
    assert_false(gdrq_network_quantisation(net, 1, &q));
    assert_false(gdrq_network_quantisation(net, 2, &q));
    assert_false(gdrq_network_quantisation(net, net->n, &q));
    q = quantisation(net, 0);
    assert_true(q.layer == 0 && !q.connected && q.filters == 8 && q.filter_size == 27);
    assert_true(q.weight_bits == 8 && q.groups == 4 && q.weights == net->layers[0].weights);
    assert_true(q.input_bits == 8 && q.input_min == 0 && q.input_max == 255 && q.has_threshold);
    assert_string_equal(q.input_range, "pixels");
    assert_float_equal(q.input_threshold, 1, 0);
    q = quantisation(net, 3);
    assert_true(q.layer == 3 && q.connected && q.filters == 9 && q.filter_size == 6 * 3 * 3);
    assert_true(q.weight_bits == 3 && q.groups == 9 && q.input_bits == 5 && !q.has_threshold);
    assert_string_equal(q.input_range, "offset");
    assert_true(q.input_step == 0);
    calibrate(net);
    q = quantisation(net, 3);
    assert_true(q.has_threshold && q.input_threshold > 0 && q.input_min == -3);
    assert_float_equal(q.input_step * (float)q.input_max, q.input_threshold,
                       1e-6 * q.input_threshold);
    free_network(net);
}

/* With k = 10 of 8-bit weights: T of each group, and the loss of rounding to its steps. */
static void weights_are_measured_in_their_groups(void **state) {
    (void)state;
    seed_random(412);
    network *net = parse_text(network_text);
    randomise(net);
    const gdrq_quantisation q = quantisation(net, 0);
    gdrq_distribution d;
    gdrq_error err;
    assert_int_equal(gdrq_weight_distribution(&q, &d, &err), GDRQ_OK);
    double lost = 0, squares = 0;
    for (int g = 0; g < 4; g++) {
        const float *w = net->layers[0].weights + g * 54;
        double mean = 0;
        for (int i = 0; i < 54; i++)
            mean += fabs((double)w[i]) / 54;
        assert_float_equal(q.weight_steps[g] * 127, 10 * mean, 1e-5 * mean);
        for (int i = 0; i < 54; i++) {
            const double step = 10 * mean / 127, error = w[i] - step * rint(w[i] / step);
            lost += error * error;
            squares += (double)w[i] * w[i];
        }
    }
    assert_int_equal(d.n, 216);
    assert_true(d.min == -127 && d.max == 127 && d.below + d.above == 0);
    assert_true(fabs(gdrq_distribution_loss(&d) - sqrt(lost / squares)) <
                1e-3 * sqrt(lost / squares));
    net->layers[0].weights[100] = NAN;
    const gdrq_quantisation bad = quantisation(net, 0);
    assert_int_equal(gdrq_weight_distribution(&bad, &d, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "layer 0 has weights that are not finite"));
    free_network(net);
}

static void inputs_add_up_over_pictures(void **state) {
    (void)state;
    seed_random(413);
    network *net = parse_text(network_text);
    randomise(net);
    calibrate(net);
    gdrq_distribution *inputs = calloc((size_t)net->n, sizeof *inputs);
    double lost = 0, squares = 0;
    gdrq_error err;
    for (int picture = 0; picture < 3; picture++) {
        predict(net);
        assert_int_equal(gdrq_network_add_inputs(net, inputs, &err), GDRQ_OK);
        const gdrq_quantisation q = quantisation(net, 3);
        for (int i = 0; i < 54; i++) {
            const double x = net->layers[2].output[i];
            const double code = fmin(fmax(rint(x / q.input_step), q.input_min), q.input_max);
            lost += pow(x - q.input_step * code, 2);
            squares += x * x;
        }
    }
    assert_int_equal(inputs[0].n, 3 * 360);
    assert_true(gdrq_distribution_loss(&inputs[0]) < 1e-6);
    assert_int_equal(inputs[3].n, 3 * 54);
    assert_true(fabs(gdrq_distribution_loss(&inputs[3]) - sqrt(lost / squares)) < 1e-5);
    assert_true(inputs[1].n == 0 && inputs[2].n == 0 && inputs[4].n == 0);
    net->layers[2].output[5] = INFINITY;
    assert_int_equal(gdrq_network_add_inputs(net, inputs, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "layer 3 reads values that are not finite"));
    free(inputs);
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantised_layers_say_how),
        cmocka_unit_test(weights_are_measured_in_their_groups),
        cmocka_unit_test(inputs_add_up_over_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
