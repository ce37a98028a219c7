/* Measuring batch norm's statistics anew (gdrq_network_measuring()). */
#include "small_network.h"

#include "train/quantised_layer.h"

static const char *const network_text =
    "[net]\nbatch=3\nwidth=12\nheight=10\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
    "[gdrq_convolutional]\nbatch_normalize=1\nfilters=7\nsize=3\npad=1\nactivation=relu\n"
    "weight_bits=5\nactivation_bits=6\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[batchnorm]\n"
    "[convolutional]\nfilters=6\nsize=1\nactivation=linear\n"
    "[gdrq_connected]\nbatch_normalize=1\noutput=9\nactivation=leaky\n"
    "[connected]\nbatch_normalize=1\noutput=4\nactivation=linear\n"
    "[cost]\n";

static network *make_network(void) {
    network *net = parse_text(network_text);
    randomise(net);
    random_pixels(net);
    return net;
}

static float *copy_of(const float *x, size_t n) {
    float *copy = malloc(n * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

static void measuring(network *net, gdrq_measuring how) {
    gdrq_error err;
    assert_int_equal(gdrq_network_measuring(net, how, &err), GDRQ_OK);
}

/* Of one batch, the statistics are that batch's: what a training forward normalises by. */
static void one_batch_is_normalised_as_in_training(void **state) {
    (void)state;
    seed_random(301);
    network *net = make_network();
    net->train = 1;
    forward_network(net);
    const layer *last = &net->layers[net->n - 2];
    const size_t n = (size_t)last->batch * (size_t)last->outputs;
    float *expected = copy_of(last->output, n), *mean = copy_of(net->layers[1].mean, 7);
    measuring(net, GDRQ_MEASURE_ANEW);
    network_predict(net, net->input);
    for (size_t i = 0; i < n; i++)
        assert_float_equal(last->output[i], expected[i], 1e-4);
    for (int c = 0; c < 7; c++)
        assert_float_equal(net->layers[1].rolling_mean[c], mean[c], 1e-5);
    /* They stay, and are what inference then normalises by. */
    measuring(net, GDRQ_MEASURE_NOTHING);
    memset(last->output, 0, n * sizeof *expected);
    network_predict(net, net->input);
    for (size_t i = 0; i < n; i++)
        assert_float_equal(last->output[i], expected[i], 1e-4);
    free(expected);
    free(mean);
    free_network(net);
}

/* Mean and variance over all values of channel c of the sums of several forwards. */
static void check_joint_statistics(const layer *l, float *const *sums, int forwards) {
    const int plane = l->out_w * l->out_h, per_forward = l->batch * plane;
    for (int c = 0; c < l->out_c; c++) {
        double mean = 0, squares = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int k = 0; k < forwards * per_forward; k++) {
                const int b = k % per_forward / plane;
                const double x = sums[k / per_forward][(b * l->out_c + c) * plane + k % plane];
                if (pass == 0)
                    mean += x / (forwards * per_forward);
                else
                    squares += (x - mean) * (x - mean);
            }
        assert_float_equal(l->rolling_mean[c], mean, 1e-5);
        assert_float_equal(l->rolling_variance[c], squares / (forwards * per_forward - 1), 1e-5);
    }
}

static void several_forwards_add_up(void **state) {
    (void)state;
    seed_random(302);
    enum { FORWARDS = 4 };
    network *net = make_network();
    const layer *first = &net->layers[0];
    const size_t n = (size_t)first->batch * (size_t)first->outputs;
    float *sums[FORWARDS];
    gdrq_network_calibrating(net, true);
    measuring(net, GDRQ_MEASURE_ANEW);
    for (int i = 0; i < FORWARDS; i++) {
        random_pixels(net);
        for (int k = 0; k < net->inputs * net->batch; k++)
            net->input[k] *= (float)(i + 1); /* batches that differ */
        network_predict(net, net->input);
        sums[i] = copy_of(first->x, n);
    }
    gdrq_network_calibrating(net, false);
    check_joint_statistics(first, sums, FORWARDS);
    /* Turned on again, what was measured before counts no more. */
    measuring(net, GDRQ_MEASURE_ANEW);
    network_predict(net, net->input);
    check_joint_statistics(first, sums + FORWARDS - 1, 1);
    measuring(net, GDRQ_MEASURE_NOTHING);
    for (int i = 0; i < FORWARDS; i++)
        free(sums[i]);
    free_network(net);
}

typedef struct moments {
    double mean, variance;
} moments;

/* Of channel c of what layer 1's batch norm gets, over the batch. */
static moments moments_of_sums(const network *net, int c) {
    const layer *l = &net->layers[1];
    const double factor = gdrq_quantised_state(l)->factor[c];
    const int plane = l->out_w * l->out_h;
    double sum = 0, squares = 0;
    for (int b = 0; b < l->batch; b++)
        for (int k = 0; k < plane; k++) {
            const double x = factor * l->x[(b * l->out_c + c) * plane + k];
            sum += x;
            squares += x * x;
        }
    const double mean = sum / (l->batch * plane);
    return (moments){mean, squares / (l->batch * plane) - mean * mean};
}

/*
 * Statistics move by what quantising changes, and not at all where it changes nothing. With layer
 * 1's T at `share` of what it reads, which clips most; *bounded: channels whose variance then
 * changes by more than it may.
 */
static void check_shift(float share, int *bounded) {
    seed_random(303);
    network *net = make_network();
    gdrq_error err;
    gdrq_network_calibrating(net, true);
    network_predict(net, net->input);
    gdrq_network_calibrating(net, false);
    assert_int_equal(gdrq_network_ready(net, &err), GDRQ_OK);
    const layer *first = &net->layers[0], *quantised = &net->layers[1];
    const layer *connected = &net->layers[5];
    float *of_first = copy_of(first->rolling_mean, 8);
    float *of_connected = copy_of(connected->rolling_variance, 9);
    float *mean = copy_of(quantised->rolling_mean, 7);
    float *variance = copy_of(quantised->rolling_variance, 7);
    gdrq_network_unquantised(net, true);
    network_predict(net, net->input);
    gdrq_network_unquantised(net, false);
    gdrq_quantised_state(quantised)->input->threshold *= share;
    moments in_float[7];
    for (int c = 0; c < 7; c++)
        in_float[c] = moments_of_sums(net, c);
    measuring(net, GDRQ_MEASURE_SHIFT);
    network_predict(net, net->input);
    measuring(net, GDRQ_MEASURE_NOTHING);
    int moved = 0;
    for (int c = 0; c < 7; c++) {
        const moments now = moments_of_sums(net, c);
        const double shift = now.mean - in_float[c].mean;
        const double ratio = now.variance / in_float[c].variance;
        const double expected = variance[c] * fmin(fmax(ratio, .25), 4);
        assert_float_equal(quantised->rolling_mean[c], mean[c] + shift, 1e-5);
        assert_float_equal(quantised->rolling_variance[c], expected, 1e-4 * expected);
        moved += fabs(shift) > 1e-4 && quantised->rolling_variance[c] != variance[c];
        *bounded += ratio < .25 || ratio > 4;
    }
    assert_true(moved > 3);
    /* The first layer is not quantised. */
    assert_memory_equal(first->rolling_mean, of_first, 8 * sizeof *of_first);
    /* Three values, one per image, say nothing about a variance. */
    assert_memory_equal(connected->rolling_variance, of_connected, 9 * sizeof *of_connected);
    free(of_first);
    free(of_connected);
    free(mean);
    free(variance);
    free_network(net);
}

static void shifts_by_what_quantising_changes(void **state) {
    (void)state;
    int bounded = 0;
    check_shift(1, &bounded);
    assert_int_equal(bounded, 0);
    check_shift(.02f, &bounded);
    assert_int_equal(bounded, 7);
}

/* Pictures that differ are no shift: a network that quantises nothing keeps its statistics. */
static void differing_pictures_are_no_shift(void **state) {
    (void)state;
    seed_random(304);
    enum { FORWARDS = 12 };
    network *net = make_network();
    const layer *last = &net->layers[net->n - 2];
    float *mean = copy_of(last->rolling_mean, 4), *variance = copy_of(last->rolling_variance, 4);
    float *inputs[FORWARDS];
    const size_t n = (size_t)(net->inputs * net->batch);
    for (int i = 0; i < FORWARDS; i++) {
        random_pixels(net);
        for (size_t k = 0; k < n; k++)
            net->input[k] *= (float)(i + 1);
        inputs[i] = copy_of(net->input, n);
    }
    gdrq_network_unquantised(net, true);
    measuring(net, GDRQ_MEASURE_SHIFT);
    for (int i = 0; i < FORWARDS; i++)
        network_predict(net, inputs[i]);
    measuring(net, GDRQ_MEASURE_NOTHING);
    for (int c = 0; c < 4; c++) {
        assert_float_equal(last->rolling_mean[c], mean[c], 1e-6);
        assert_float_equal(last->rolling_variance[c], variance[c], 1e-6 * variance[c]);
    }
    for (int i = 0; i < FORWARDS; i++)
        free(inputs[i]);
    free(mean);
    free(variance);
    free_network(net);
}

static void a_network_freed_while_measuring_leaks_nothing(void **state) {
    (void)state;
    network *net = make_network();
    measuring(net, GDRQ_MEASURE_ANEW);
    free_network(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_batch_is_normalised_as_in_training),
        cmocka_unit_test(several_forwards_add_up),
        cmocka_unit_test(shifts_by_what_quantising_changes),
        cmocka_unit_test(differing_pictures_are_no_shift),
        cmocka_unit_test(a_network_freed_while_measuring_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
