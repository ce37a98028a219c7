/* What the values of a layer's input count for: by what the layer makes of their channels. */
#include <string.h>

#include "cmocka_all.h"
#include "random_data.h"
#include "train/count_input.h"

enum { CHANNELS = 6, SIDE = 3, SPATIAL = SIDE * SIDE, BATCH = 2, SIZE = 3, TAPS = SIZE * SIZE };
enum { INPUTS = CHANNELS * SPATIAL, MAX_FILTERS = 12 };

static float weights[MAX_FILTERS * CHANNELS * TAPS], scales[MAX_FILTERS], variance[MAX_FILTERS];
static float input[BATCH * INPUTS];

/* All values of a channel are the same, and of a bin of their own. */
static float value_of(int channel) {
    return (float)(1 << channel);
}

static layer random_layer(int groups, int filters) {
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        weights[i] = (float)(random_unit() - .5);
    for (int f = 0; f < MAX_FILTERS; f++) {
        scales[f] = (float)(random_unit() * 3 - 1);
        variance[f] = (float)random_unit() + .01f;
    }
    for (int i = 0; i < BATCH * INPUTS; i++)
        input[i] = value_of(i / SPATIAL % CHANNELS);
    return (layer){.type = CONVOLUTIONAL,
                   .batch = BATCH,
                   .c = CHANNELS,
                   .h = SIDE,
                   .w = SIDE,
                   .n = filters,
                   .groups = groups,
                   .size = SIZE,
                   .inputs = INPUTS,
                   .batch_normalize = 1,
                   .weights = weights,
                   .scales = scales,
                   .rolling_variance = variance};
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

/* What one value of each channel counts. */
static void count(const layer *l, double *weight) {
    gdrq_histogram *h = calloc(1, sizeof *h);
    assert_non_null(h);
    gdrq_count_input(h, l, input);
    assert_true(fabs(h->total / (BATCH * INPUTS) - 1) < 1e-9);
    for (int c = 0; c < CHANNELS; c++) {
        const float value = value_of(c);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        weight[c] = h->counts[bits >> 16] / (BATCH * SPATIAL);
    }
    free(h);
}

static void channels_count_by_what_the_outputs_have_of_them(void **state) {
    (void)state;
    seed_random(8);
    const int shapes[][2] = {{1, 5}, {2, 4}, {3, 9}, {CHANNELS, CHANNELS}, {CHANNELS, MAX_FILTERS}};
    for (int i = 0; i < 10; i++) {
        layer l = random_layer(shapes[i / 2][0], shapes[i / 2][1]);
        l.batch_normalize = i % 2;
        double weight[CHANNELS], mean = 0;
        count(&l, weight);
        for (int c = 0; c < CHANNELS; c++)
            mean += true_gain(&l, c) / CHANNELS;
        for (int c = 0; c < CHANNELS; c++)
            assert_true(fabs(weight[c] * mean / true_gain(&l, c) - 1) < 1e-4);
    }
}

static void assert_all_alike(const layer *l) {
    double weight[CHANNELS];
    count(l, weight);
    for (int c = 0; c < CHANNELS; c++)
        assert_true(weight[c] == 1);
}

/* Nothing is known of channels then. */
static void without_gains_all_values_count_once(void **state) {
    (void)state;
    seed_random(9);
    layer l = random_layer(1, 5);
    l.type = CONNECTED;
    assert_all_alike(&l);
    l = random_layer(1, 5);
    memset(weights, 0, sizeof weights);
    assert_all_alike(&l);
    l = random_layer(1, 5);
    weights[3] = NAN;
    assert_all_alike(&l);
    l = random_layer(1, 5);
    variance[2] = -1;
    assert_all_alike(&l);
}

/* Sums of fractions that come to less than the total, or more. */
static void the_highest_percentile_is_the_highest_value(void **state) {
    (void)state;
    seed_random(10);
    for (int trial = 0; trial < 50; trial++) {
        gdrq_histogram *h = calloc(1, sizeof *h);
        assert_non_null(h);
        float highest = 0;
        for (int i = random_int(1, 40); i > 0; i--) {
            const float x = (float)random_unit() + .01f;
            highest = x > highest ? x : highest;
            gdrq_histogram_add(h, &x, 1, random_unit() / 3);
        }
        assert_true(fabs(gdrq_histogram_percentile(h, 1) / highest - 1) < 1. / 128);
        free(h);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_count_by_what_the_outputs_have_of_them),
        cmocka_unit_test(without_gains_all_values_count_once),
        cmocka_unit_test(the_highest_percentile_is_the_highest_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
