/*
 * The quantised layer: gradients against finite differences where the function is smooth, against
 * a double-precision statement of the straight-through rule where it rounds; exact code sums.
 */
#include "quant/quantise.h"
#include "quantised_test.h"

/* ---- finite differences, in the reshape stage with thresholds that clip nothing ---- */

#define NET "[net]\nbatch=2\nwidth=7\nheight=6\nchannels=3\nquantize_after=100000\nk_weights=1000\n"

/* Each ends in [cost]; activations are smooth. */
static const char *const SMOOTH_NETS[] = {
    /* plain, batch norm, stride, even size */
    NET "[gdrq_convolutional]\nfilters=4\nsize=3\npad=1\nactivation=logistic\nbatch_normalize=1\n"
        "[gdrq_convolutional]\nfilters=5\nsize=2\nstride=2\nactivation=tanh\n"
        "[gdrq_convolutional]\nfilters=3\nsize=1\nactivation=linear\nbatch_normalize=1\n[cost]\n",
    /* a 1x1 between a residual's ends: its backward must add to what the shortcut left */
    NET "[gdrq_convolutional]\nfilters=4\nsize=3\npad=1\nactivation=logistic\n"
        "[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=logistic\nbatch_normalize=1\n"
        "[shortcut]\nfrom=-2\nactivation=linear\n"
        "[gdrq_convolutional]\nfilters=2\nsize=1\nactivation=linear\n[cost]\n",
    /* the same with a stock 1x1 */
    NET "[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=logistic\n"
        "[convolutional]\nfilters=4\nsize=1\nactivation=logistic\nbatch_normalize=1\n"
        "[shortcut]\nfrom=-2\nactivation=linear\n"
        "[convolutional]\nfilters=2\nsize=1\nactivation=linear\n[cost]\n",
    /* several readers of one tensor through routes, one of them 1x1 */
    NET
    "[gdrq_convolutional]\nfilters=4\nsize=3\npad=1\nactivation=logistic\n"
    "[gdrq_convolutional]\nfilters=3\nsize=1\nactivation=logistic\n"
    "[route]\nlayers=-2\n[gdrq_convolutional]\nfilters=2\nsize=3\npad=1\nactivation=logistic\n"
    "[route]\nlayers=-1,-3\n[gdrq_convolutional]\nfilters=2\nsize=1\nactivation=linear\n[cost]\n",
    /* groups and depthwise */
    NET "[gdrq_convolutional]\nfilters=6\nsize=3\npad=1\nactivation=logistic\n"
        "[gdrq_convolutional]\nfilters=6\nsize=3\nstride=2\npad=1\ngroups=6\nactivation=logistic\n"
        "[gdrq_convolutional]\nfilters=4\nsize=1\ngroups=2\nactivation=linear\n[cost]\n",
};

static void gradients_equal_finite_differences(void **state) {
    (void)state;
    seed_random(11);
    for (size_t k = 0; k < sizeof SMOOTH_NETS / sizeof *SMOOTH_NETS; ++k)
        check_smooth_network(SMOOTH_NETS[k]);
}

/* ---- the straight-through rule, in the quantise stage ---- */

static void check_random_convolution(int bits_w, int bits_x, const char *range, int groups) {
    char text[1024];
    const int size = random_int(1, 4), stride = random_int(1, 3), g = random_int(1, 2);
    snprintf(text, sizeof text,
             "[net]\nbatch=2\nwidth=%d\nheight=%d\nchannels=3\nthreshold=scale\n"
             "[convolutional]\nfilters=4\nsize=1\nactivation=leaky\n"
             "[gdrq_convolutional]\nfilters=6\nsize=%d\nstride=%d\npadding=%d\ngroups=%d\n"
             "activation=linear\nweight_bits=%d\nactivation_bits=%d\nactivation_range=%s\n"
             "quant_groups=%d\nk_activations=2\n[cost]\n",
             random_int(4, 9), random_int(4, 9), size, stride, random_int(0, size - 1), g, bits_w,
             bits_x, range, groups);
    check_straight_through(text);
}

static void straight_through_is_as_stated(void **state) {
    (void)state;
    seed_random(12);
    const char *const ranges[] = {"unsigned", "signed", "offset"};
    const int groups[] = {1, 2, 3, 6};
    for (int trial = 0; trial < 24; ++trial)
        check_random_convolution(random_int(2, 8), random_int(2, 8), ranges[trial % 3],
                                 groups[trial % 4]);
}

/* ---- exactness ---- */

static void code_sums_are_exact(void **state) {
    (void)state;
    seed_random(13);
    check_exact_sums(
        "[net]\nbatch=1\nwidth=9\nheight=8\nchannels=3\nquantize_after=5\n"
        "[convolutional]\nfilters=64\nsize=1\nactivation=relu\n"
        "[gdrq_convolutional]\nfilters=16\nsize=3\npad=1\nactivation=linear\n[cost]\n");
}

/* A class's T is moved once per training forward by all its readers, and not at inference. */
static void readers_share_one_threshold(void **state) {
    (void)state;
    seed_random(14);
    network *net = parse_text(
        "[net]\nbatch=2\nwidth=8\nheight=8\nchannels=3\nk_activations=5\nthreshold=scale\n"
        "[convolutional]\nfilters=4\nsize=1\nactivation=relu\n"
        "[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=relu\nbatch_normalize=1\n"
        "[route]\nlayers=0\n"
        "[maxpool]\nsize=2\nstride=2\n[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=relu\n"
        "[cost]\n");
    randomise(net);
    random_pixels(net);
    const gdrq_quantised *a = gdrq_quantised_state(&net->layers[1]);
    const gdrq_quantised *b = gdrq_quantised_state(&net->layers[4]);
    assert_ptr_equal(a->input, b->input);
    gdrq_error err;
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_ERROR_STATE);
    assert_non_null(strstr(err.message, "layer 1 "));
    assert_non_null(strstr(err.message, "calibrate"));
    for (int pass = 1; pass <= 3; ++pass) {
        net->train = 1;
        forward_network(net);
        assert_int_equal(gdrq_network_ready(net, &err), GDRQ_OK);
        assert_int_equal(a->input->moves, pass);
    }
    const layer *first = &net->layers[0], *pooled = &net->layers[3];
    const int n = 2 * first->outputs, m = 2 * pooled->outputs;
    const double mean =
        (gdrq_sum_abs(first->output, (size_t)n) + gdrq_sum_abs(pooled->output, (size_t)m)) /
        (n + m);
    assert_float_equal(a->input->threshold, 5 * mean, 1e-4 * mean);
    net->train = 0;
    forward_network(net);
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_OK);
    assert_int_equal(a->input->moves, 3);
    gdrq_network_calibrating(net, true);
    const float mean_before = net->layers[1].rolling_mean[0];
    const float variance_before = net->layers[1].rolling_variance[0];
    forward_network(net);
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_OK);
    assert_int_equal(a->input->moves, 4);
    assert_true(net->layers[1].rolling_mean[0] == mean_before);
    assert_true(net->layers[1].rolling_variance[0] == variance_before);
    net->train = 1;
    forward_network(net);
    assert_true(net->layers[1].rolling_mean[0] != mean_before);
    free_network(net);
}

static void readers_that_disagree_are_an_error(void **state) {
    (void)state;
    const gdrq_error err = parse_bad_text(
        "[net]\nbatch=1\nwidth=8\nheight=8\nchannels=3\n"
        "[convolutional]\nfilters=4\nsize=1\nactivation=relu\n"
        "[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=relu\nactivation_bits=8\n"
        "[route]\nlayers=0\n[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=relu\n");
    assert_non_null(strstr(err.message, "activation_bits"));
    assert_non_null(strstr(err.message, "layer 1 (line 10)"));
    assert_non_null(strstr(err.message, "layer 3 (line 17)"));
}

static void only_projection_reshapes_the_stored_weights(void **state) {
    (void)state;
    seed_random(16);
    check_projection("[net]\nbatch=1\nwidth=6\nheight=6\nchannels=3\nlearning_rate=.0001\n",
                     "[gdrq_convolutional]\nfilters=8\nsize=3\nactivation=linear\n[cost]\n");
}

static void subdivisions_add_up(void **state) {
    (void)state;
    check_subdivisions("[gdrq_convolutional]\nfilters=4\nsize=3\nactivation=leaky\n[cost]\n", 17);
}

/* Projection keeps the stored weights inside T in the reshape stage; training lowers the loss. */
static void training_lowers_the_loss_through_both_stages(void **state) {
    (void)state;
    seed_random(15);
    network *net = parse_text(
        "[net]\nbatch=4\nwidth=10\nheight=10\nchannels=3\nlearning_rate=.02\nmomentum=.9\n"
        "decay=0\nquantize_after=40\nmax_batches=1000\n"
        "[gdrq_convolutional]\nfilters=16\nsize=3\npad=1\nactivation=leaky\nbatch_normalize=1\n"
        "[gdrq_convolutional]\nfilters=16\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
        "batch_normalize=1\n[gdrq_convolutional]\nfilters=2\nsize=1\nactivation=linear\n[cost]\n");
    randomise(net);
    random_pixels(net);
    random_truth(net);
    double first = 0, last = 0;
    for (int i = 0; i < 120; ++i) {
        assert_int_equal(gdrq_network_stage(net),
                         i < 40 ? GDRQ_STAGE_RESHAPE : GDRQ_STAGE_QUANTISE);
        const double cost = train_network_datum(net);
        if (i == 0)
            first = cost;
        last = cost;
        /* Clipping lowers the mean, so T afterwards is a little below what was clipped to. */
        if (i == 20)
            assert_true(largest_ratio(&net->layers[1]) <= 2.2);
    }
    printf("loss %g -> %g\n", first, last);
    assert_true(last < .6 * first);
    gdrq_network_restart(net);
    assert_int_equal(gdrq_network_stage(net), GDRQ_STAGE_RESHAPE);
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_equal_finite_differences),
        cmocka_unit_test(straight_through_is_as_stated),
        cmocka_unit_test(code_sums_are_exact),
        cmocka_unit_test(readers_share_one_threshold),
        cmocka_unit_test(readers_that_disagree_are_an_error),
        cmocka_unit_test(only_projection_reshapes_the_stored_weights),
        cmocka_unit_test(subdivisions_add_up),
        cmocka_unit_test(training_lowers_the_loss_through_both_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
