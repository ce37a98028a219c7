/* [gdrq_connected]: as test_gdrq_convolutional.c, and what is different for matrices. */
#include <omp.h>

#include "primitives/batchnorm.h"
#include "quantised_test.h"

#define SMOOTH \
    "[net]\nbatch=5\nwidth=4\nheight=3\nchannels=3\nquantize_after=100000\nk_weights=1000\n"

/* Each ends in [cost]; activations are smooth. */
static const char *const SMOOTH_NETS[] = {
    /* pixels, batch norm, a plain one */
    SMOOTH "[gdrq_connected]\noutput=7\nactivation=logistic\n"
           "[gdrq_connected]\noutput=6\nactivation=tanh\nbatch_normalize=1\n"
           "[gdrq_connected]\noutput=4\nactivation=linear\n[cost]\n",
    /* an image before and behind */
    SMOOTH "[gdrq_convolutional]\nfilters=4\nsize=3\npad=1\nactivation=logistic\n"
           "[gdrq_connected]\noutput=6\nactivation=logistic\nbatch_normalize=1\n"
           "[gdrq_convolutional]\nfilters=3\nsize=1\nactivation=linear\n[cost]\n",
    /* its backward must add to what the shortcut left, and two layers read one tensor */
    SMOOTH "[connected]\noutput=6\nactivation=logistic\n"
           "[gdrq_connected]\noutput=6\nactivation=tanh\nbatch_normalize=1\n"
           "[shortcut]\nfrom=-2\nactivation=linear\n[route]\nlayers=0\n"
           "[gdrq_connected]\noutput=5\nactivation=logistic\n[route]\nlayers=-1,2\n"
           "[gdrq_connected]\noutput=3\nactivation=linear\n[cost]\n",
};

static void gradients_equal_finite_differences(void **state) {
    (void)state;
    seed_random(51);
    for (size_t k = 0; k < sizeof SMOOTH_NETS / sizeof *SMOOTH_NETS; ++k)
        check_smooth_network(SMOOTH_NETS[k]);
}

static void straight_through_is_as_stated(void **state) {
    (void)state;
    seed_random(52);
    const char *const ranges[] = {"unsigned", "signed", "offset"};
    const int groups[] = {1, 2, 3, 4, 6, 12};
    for (int trial = 0; trial < 36; ++trial) {
        char text[1024];
        snprintf(text, sizeof text,
                 "[net]\nbatch=%d\nwidth=%d\nheight=%d\nchannels=3\nthreshold=scale\n"
                 "[convolutional]\nfilters=4\nsize=1\nactivation=leaky\n"
                 "[gdrq_connected]\noutput=12\nactivation=linear\nweight_bits=%d\n"
                 "activation_bits=%d\nactivation_range=%s\nquant_groups=%d\nk_activations=2\n"
                 "[cost]\n",
                 random_int(1, 3), random_int(4, 9), random_int(4, 9), random_int(2, 8),
                 random_int(2, 8), ranges[trial % 3], groups[trial % 6]);
        check_straight_through(text);
    }
}

static void code_sums_are_exact(void **state) {
    (void)state;
    seed_random(53);
    check_exact_sums("[net]\nbatch=2\nwidth=9\nheight=8\nchannels=3\nquantize_after=5\n"
                     "[convolutional]\nfilters=64\nsize=1\nactivation=relu\n"
                     "[gdrq_connected]\noutput=16\nactivation=linear\n[cost]\n");
}

static void only_projection_reshapes_the_stored_weights(void **state) {
    (void)state;
    seed_random(54);
    check_projection("[net]\nbatch=1\nwidth=6\nheight=6\nchannels=3\nlearning_rate=.0001\n",
                     "[gdrq_connected]\noutput=8\nactivation=linear\n[cost]\n");
}

static void subdivisions_add_up(void **state) {
    (void)state;
    check_subdivisions("[gdrq_connected]\noutput=9\nactivation=leaky\n[cost]\n", 62);
}

/* ---- inference ---- */

static void calibrate(network *net) {
    gdrq_error err;
    net->train = 0;
    gdrq_network_calibrating(net, true);
    forward_network(net);
    gdrq_network_calibrating(net, false);
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_OK);
}

/* What deployment computes: act(A * sum + B), A and B from the function that folding uses. */
static void inference_is_the_folded_formula(void **state) {
    (void)state;
    seed_random(55);
    network *net = parse_text(
        "[net]\nbatch=3\nwidth=5\nheight=6\nchannels=3\n"
        "[convolutional]\nfilters=8\nsize=1\nactivation=relu\n"
        "[gdrq_connected]\noutput=33\nactivation=leaky\nbatch_normalize=1\nquant_groups=3\n");
    randomise(net);
    random_pixels(net);
    calibrate(net);
    forward_network(net);
    const layer *l = &net->layers[1];
    const gdrq_quantised *q = gdrq_quantised_state(l);
    const size_t n = (size_t)l->outputs;
    float *scale = malloc(n * sizeof(float)), *bias = malloc(n * sizeof(float));
    gdrq_batchnorm_fold(l->outputs, q->factor, l->scales, l->biases, l->rolling_mean,
                        l->rolling_variance, scale, bias);
    int negative = 0;
    for (int b = 0; b < l->batch; ++b)
        for (int o = 0; o < l->outputs; ++o) {
            float sum = 0;
            for (int i = 0; i < l->inputs; ++i)
                sum += q->weight_codes[o * l->inputs + i] * q->input_codes[b * l->inputs + i];
            const float y = scale[o] * sum + bias[o], expected = y > 0 ? y : .1f * y;
            negative += y < 0;
            assert_true(l->output[b * l->outputs + o] == expected);
        }
    assert_true(negative > 0 && negative < l->batch * l->outputs);
    free(scale);
    free(bias);
    free_network(net);
}

/* Thresholds are moved by training and calibrating, statistics by training only. */
static void calibrating_sets_thresholds_alone(void **state) {
    (void)state;
    seed_random(56);
    network *net = parse_text("[net]\nbatch=2\nwidth=6\nheight=6\nchannels=3\nthreshold=scale\n"
                              "[gdrq_connected]\noutput=8\nactivation=relu\nbatch_normalize=1\n"
                              "[gdrq_connected]\noutput=4\nactivation=linear\n[cost]\n");
    randomise(net);
    random_pixels(net);
    const layer *l = &net->layers[0];
    const gdrq_quantised *pixels = gdrq_quantised_state(l);
    const gdrq_quantised *second = gdrq_quantised_state(&net->layers[1]);
    assert_true(pixels->input->fixed && pixels->input->threshold == 1);
    assert_int_equal(second->input->range, GDRQ_RANGE_UNSIGNED);
    gdrq_error err;
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "layer 1 "));
    const float mean = l->rolling_mean[3], variance = l->rolling_variance[3];
    calibrate(net);
    assert_true(second->input->moves == 1);
    assert_true(l->rolling_mean[3] == mean && l->rolling_variance[3] == variance);
    /* A pixel's code is its value: x*255. */
    for (int i = 0; i < l->inputs * l->batch; ++i)
        assert_true(pixels->input_codes[i] == rintf(net->input[i] * 255));
    net->train = 1;
    forward_network(net);
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_OK);
    assert_true(second->input->moves == 2);
    assert_true(l->rolling_mean[3] != mean && l->rolling_variance[3] != variance);
    free_network(net);
}

/* ---- with layers of the other type, and inputs that are no pixels ---- */

#define BOTH(bits)                                                     \
    "[net]\nbatch=2\nwidth=8\nheight=8\nchannels=3\n"                  \
    "[convolutional]\nfilters=4\nsize=1\nactivation=relu\n"            \
    "[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=relu\n"       \
    "[route]\nlayers=0\n[maxpool]\nsize=2\nstride=2\n[gdrq_connected]" \
    "\noutput=5\nactivation=linear\n" bits "[cost]\n"

static void readers_of_both_types_share_one_threshold(void **state) {
    (void)state;
    network *net = parse_text(BOTH(""));
    const gdrq_quantised *a = gdrq_quantised_state(&net->layers[1]);
    const gdrq_quantised *b = gdrq_quantised_state(&net->layers[4]);
    assert_ptr_equal(a->input, b->input);
    assert_null(gdrq_quantised_state(&net->layers[0]));
    free_network(net);
    const gdrq_error err = parse_bad_text(BOTH("activation_bits=8\n"));
    assert_non_null(strstr(err.message, "activation_bits"));
    assert_non_null(strstr(err.message, "layer 1 (line 10)"));
    assert_non_null(strstr(err.message, "layer 4 (line 19)"));
}

/* Values of an input that is no image may be anything: their threshold is measured like others. */
static void inputs_that_are_no_pixels_get_a_threshold(void **state) {
    (void)state;
    seed_random(57);
    const char text[] = "[net]\nbatch=2\ninputs=40\nk_activations=4\nthreshold=scale\n"
                        "[gdrq_connected]\noutput=8\nactivation=linear\n[cost]\n";
    network *net = parse_text(text), *other = parse_text(text);
    randomise(net);
    for (int i = 0; i < 80; ++i)
        net->input[i] = 10 * random_normal();
    gdrq_quantised *q = gdrq_quantised_state(&net->layers[0]);
    assert_int_equal(q->input->range, GDRQ_RANGE_SIGNED);
    assert_int_equal(q->input->bits, 4);
    assert_false(q->input->fixed);
    calibrate(net);
    double sum = 0;
    for (int i = 0; i < 80; ++i)
        sum += fabs((double)net->input[i]);
    assert_float_equal(q->input->threshold, 4 * sum / 80, 1e-4);
    char *path = temporary_file("", 0);
    gdrq_error err;
    gdrq_load_report report;
    assert_int_equal(gdrq_network_save(net, path, &err), GDRQ_OK);
    assert_int_equal(gdrq_network_load(other, path, false, &report, &err), GDRQ_OK);
    assert_true(report.has_thresholds);
    assert_true(gdrq_quantised_state(&other->layers[0])->input->threshold == q->input->threshold);
    discard(path);
    free_network(net);
    free_network(other);
}

/* A recurrent layer's output is a tensor like any other; the layers inside of it stay float. */
static void recurrent_layers_can_be_read(void **state) {
    (void)state;
    seed_random(58);
    network *net = parse_text("[net]\nbatch=2\ntime_steps=3\ninputs=10\n[gru]\noutput=6\n"
                              "[gdrq_connected]\noutput=4\nactivation=linear\n[cost]\n");
    randomise(net);
    for (int i = 0; i < net->inputs * net->batch; ++i)
        net->input[i] = random_normal();
    assert_null(gdrq_quantised_state(&net->layers[0]));
    assert_int_equal(gdrq_quantised_state(&net->layers[1])->input->range, GDRQ_RANGE_SIGNED);
    random_truth(net);
    for (int i = 0; i < 3; ++i)
        assert_true(isfinite(train_network_datum(net)));
    free_network(net);
}

/* ---- threads, batches, training ---- */

/* Output, gradient of the weights and that of the input of one training pass, in that order. */
static float *pass(const char *text, int threads, size_t *n) {
    seed_random(59);
    network *net = parse_text(text);
    randomise(net);
    random_pixels(net);
    random_truth(net);
    omp_set_num_threads(threads);
    net->train = 1;
    forward_network(net);
    backward_network(net);
    const layer *in = &net->layers[0], *l = &net->layers[1];
    const size_t weights = (size_t)count_weights(l), outputs = (size_t)(l->outputs * l->batch);
    const size_t inputs = (size_t)(l->inputs * l->batch);
    *n = weights + outputs + inputs;
    float *all = malloc(*n * sizeof(float));
    memcpy(all, l->output, outputs * sizeof(float));
    memcpy(all + outputs, l->weight_updates, weights * sizeof(float));
    /* The layer before has multiplied it by its activation's slope. */
    memcpy(all + outputs + weights, in->delta, inputs * sizeof(float));
    free_network(net);
    return all;
}

static void any_number_of_threads_gives_the_same(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    for (int after = 0; after < 2; ++after) {
        char text[512];
        snprintf(text, sizeof text,
                 "[net]\nbatch=4\nwidth=13\nheight=11\nchannels=3\nquantize_after=%d\n"
                 "[convolutional]\nfilters=8\nsize=1\nactivation=leaky\n"
                 "[gdrq_connected]\noutput=301\nactivation=leaky\nbatch_normalize=1\n[cost]\n",
                 after);
        size_t n;
        float *one = pass(text, 1, &n);
        for (int threads = 2; threads <= 4; ++threads) {
            float *more = pass(text, threads, &n);
            assert_memory_equal(one, more, n * sizeof(float));
            free(more);
        }
        free(one);
    }
    omp_set_num_threads(before);
}

/* A larger batch, after a resize, and again after one in which it was small. */
static void the_batch_may_grow(void **state) {
    (void)state;
    seed_random(60);
    network *net = parse_text("[net]\nbatch=1\nwidth=8\nheight=8\nchannels=3\n"
                              "[gdrq_convolutional]\nfilters=6\nsize=3\nactivation=relu\n"
                              "[gdrq_connected]\noutput=9\nactivation=leaky\nbatch_normalize=1\n"
                              "[gdrq_connected]\noutput=5\nactivation=linear\n[cost]\n");
    randomise(net);
    random_pixels(net);
    calibrate(net);
    float *single = copy_of(network_predict(net, net->input), 5);
    float *pixels = copy_of(net->input, net->inputs);
    gdrq_error err;
    for (int round = 0; round < 2; ++round) {
        set_batch_network(net, 3);
        if (round == 0)
            assert_int_equal(gdrq_network_resize(net, 8, 8, &err), GDRQ_OK);
        for (int b = 0; b < 3; ++b)
            memcpy(net->input + b * net->inputs, pixels, sizeof(float) * (size_t)net->inputs);
        net->train = 0;
        forward_network(net);
        for (int b = 0; b < 3; ++b)
            assert_memory_equal(net->layers[2].output + 5 * b, single, 5 * sizeof(float));
        train_network_datum(net);
        /* That moved the statistics and weights. */
        free(single);
        set_batch_network(net, 1);
        single = copy_of(network_predict(net, pixels), 5);
        assert_int_equal(gdrq_network_resize(net, 8, 8, &err), GDRQ_OK);
    }
    assert_int_equal(gdrq_network_resize(net, 16, 16, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "layer 1"));
    free(single);
    free(pixels);
    free_network(net);
}

static void training_lowers_the_loss_through_both_stages(void **state) {
    (void)state;
    for (int adam = 0; adam < 2; ++adam) {
        seed_random(61);
        char text[512];
        snprintf(text, sizeof text,
                 "[net]\nbatch=8\nwidth=6\nheight=6\nchannels=3\nlearning_rate=%g\nmomentum=.9\n"
                 "decay=0\nquantize_after=40\nadam=%d\n"
                 "[gdrq_connected]\noutput=32\nactivation=leaky\nbatch_normalize=1\n"
                 "[dropout]\nprobability=.05\n"
                 "[gdrq_connected]\noutput=32\nactivation=relu\n"
                 "[gdrq_connected]\noutput=4\nactivation=linear\n[cost]\n",
                 adam ? .01 : .02, adam);
        network *net = parse_text(text);
        randomise(net);
        random_pixels(net);
        random_truth(net);
        double first = 0, last = 0;
        for (int i = 0; i < 160; ++i) {
            assert_int_equal(gdrq_network_stage(net),
                             i < 40 ? GDRQ_STAGE_RESHAPE : GDRQ_STAGE_QUANTISE);
            last = train_network_datum(net);
            first = i ? first : last;
            /* Clipping lowers the mean, so T afterwards is a little below what was clipped to. */
            if (i == 20)
                assert_true(largest_ratio(&net->layers[2]) <= 2.2);
        }
        printf("adam %d: loss %g -> %g\n", adam, first, last);
        assert_true(last < .5 * first);
        gdrq_network_restart(net);
        assert_int_equal(gdrq_network_stage(net), GDRQ_STAGE_RESHAPE);
        free_network(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_equal_finite_differences),
        cmocka_unit_test(straight_through_is_as_stated),
        cmocka_unit_test(code_sums_are_exact),
        cmocka_unit_test(only_projection_reshapes_the_stored_weights),
        cmocka_unit_test(subdivisions_add_up),
        cmocka_unit_test(inference_is_the_folded_formula),
        cmocka_unit_test(calibrating_sets_thresholds_alone),
        cmocka_unit_test(readers_of_both_types_share_one_threshold),
        cmocka_unit_test(inputs_that_are_no_pixels_get_a_threshold),
        cmocka_unit_test(recurrent_layers_can_be_read),
        cmocka_unit_test(any_number_of_threads_gives_the_same),
        cmocka_unit_test(the_batch_may_grow),
        cmocka_unit_test(training_lowers_the_loss_through_both_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
