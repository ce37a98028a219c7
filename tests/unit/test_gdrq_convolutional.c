/*
 * The quantised layer: gradients against finite differences where the function is smooth, against
 * a double-precision statement of the straight-through rule where it rounds; exact code sums.
 */
#include <math.h>

#include "quant/quantise.h"
#include "small_network.h"
#include "train/gdrq_convolutional_layer.h"

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

/* Thresholds far above all values, that stay there. */
static void widen_thresholds(network *net) {
    for (int i = 0; i < net->n; ++i) {
        gdrq_convolutional *state = gdrq_convolutional_state(&net->layers[i]);
        if (state && !state->input->fixed) {
            state->input->fixed = true;
            state->input->range = GDRQ_RANGE_SIGNED;
            state->input->threshold = 50;
        }
    }
}

/* Half the squared distance to the truth: what the host's cost layer has the gradient of. */
static double loss(network *net) {
    net->train = 1;
    forward_network(net);
    const layer *out = &net->layers[net->n - 2];
    double sum = 0;
    for (int i = 0; i < out->outputs * out->batch; ++i)
        sum += .5 * pow((double)net->truth[i] - out->output[i], 2);
    return sum;
}

static double difference(network *net, float *parameter) {
    const float at = *parameter, eps = 4e-3f;
    *parameter = at + eps;
    const double above = loss(net), high = *parameter;
    *parameter = at - eps;
    const double below = loss(net), low = *parameter;
    *parameter = at;
    return (above - below) / (high - low);
}

/* updates hold the negative gradient, as everywhere in the host. */
static void check_gradient(network *net, float *parameters, const float *updates, int n,
                           const char *what, int layer_index) {
    double largest = 0;
    for (int i = 0; i < n; ++i)
        largest = fmax(largest, fabs((double)updates[i]));
    for (int trial = 0; trial < 12; ++trial) {
        const int i = random_int(0, n - 1);
        const double numeric = difference(net, &parameters[i]);
        if (fabs(numeric + updates[i]) > 4e-3 * largest + 1e-4)
            fail_msg("layer %d %s[%d]: backward %g, finite difference %g", layer_index, what, i,
                     -(double)updates[i], numeric);
    }
}

static float *copy_of(const float *x, int n) {
    float *copy = malloc(sizeof(float) * (size_t)n);
    memcpy(copy, x, sizeof(float) * (size_t)n);
    return copy;
}

static void check_layer(network *net, int i) {
    layer *l = &net->layers[i];
    float *weights = copy_of(l->weight_updates, l->nweights),
          *biases = copy_of(l->bias_updates, l->n);
    float *scales = l->batch_normalize ? copy_of(l->scale_updates, l->n) : NULL;
    check_gradient(net, l->weights, weights, l->nweights, "weights", i);
    check_gradient(net, l->biases, biases, l->n, "biases", i);
    if (scales)
        check_gradient(net, l->scales, scales, l->n, "scales", i);
    free(weights);
    free(biases);
    free(scales);
}

static void gradients_equal_finite_differences(void **state) {
    (void)state;
    seed_random(11);
    for (size_t k = 0; k < sizeof SMOOTH_NETS / sizeof *SMOOTH_NETS; ++k) {
        network *net = parse_text(SMOOTH_NETS[k]);
        randomise(net);
        random_pixels(net);
        widen_thresholds(net);
        for (int i = 0; i < net->truths * net->batch; ++i)
            net->truth[i] = random_normal();
        loss(net);
        backward_network(net);
        for (int i = 0; i < net->n; ++i)
            if (net->layers[i].type == CONVOLUTIONAL)
                check_layer(net, i);
        free_network(net);
    }
}

/* ---- the straight-through rule, in the quantise stage ---- */

typedef struct reference {
    const layer *l;
    const gdrq_convolutional *q;
    double *wq, *xq; /* real values of the quantised weights and input */
} reference;

static double *quantised_weights(const layer *l, const gdrq_convolutional *q) {
    const int per_group = l->nweights / q->options.quant_groups;
    double *wq = malloc(sizeof(double) * (size_t)l->nweights);
    for (int g = 0; g < q->options.quant_groups; ++g) {
        double sum = 0;
        for (int i = 0; i < per_group; ++i)
            sum += fabs((double)l->weights[g * per_group + i]);
        const int top = (1 << (q->options.weight_bits - 1)) - 1;
        const double step = q->options.k_weights * sum / per_group / top;
        for (int i = 0; i < per_group; ++i) {
            const double code = rint(l->weights[g * per_group + i] / step);
            wq[g * per_group + i] = step * fmin(fmax(code, -top), top);
        }
    }
    return wq;
}

static double *quantised_input(const float *x, int n, const gdrq_grid *grid) {
    double *xq = malloc(sizeof(double) * (size_t)n);
    for (int i = 0; i < n; ++i)
        xq[i] = grid->step * fmin(fmax(rint(x[i] * grid->inv_step), grid->min), grid->max);
    return xq;
}

/* Calls at(sum index, weight index, input index) for every product of the convolution. */
typedef void at_product(void *user, int out, int weight, int in);
static void for_each_product(const layer *l, at_product *at, void *user) {
    const int cg = l->c / l->groups, ng = l->n / l->groups;
    for (int b = 0; b < l->batch; ++b)
        for (int f = 0; f < l->n; ++f)
            for (int y = 0; y < l->out_h; ++y)
                for (int x = 0; x < l->out_w; ++x)
                    for (int c = 0; c < cg; ++c)
                        for (int i = 0; i < l->size; ++i)
                            for (int j = 0; j < l->size; ++j) {
                                const int iy = y * l->stride + i - l->pad;
                                const int ix = x * l->stride + j - l->pad;
                                if (iy < 0 || ix < 0 || iy >= l->h || ix >= l->w)
                                    continue;
                                const int channel = f / ng * cg + c;
                                at(user, ((b * l->n + f) * l->out_h + y) * l->out_w + x,
                                   ((f * cg + c) * l->size + i) * l->size + j,
                                   ((b * l->c + channel) * l->h + iy) * l->w + ix);
                            }
}

typedef struct products {
    const double *wq, *xq, *dy;
    double *y, *dw, *dx;
} products;

static void forward_product(void *user, int out, int weight, int in) {
    products *p = user;
    p->y[out] += p->wq[weight] * p->xq[in];
}

static void backward_product(void *user, int out, int weight, int in) {
    products *p = user;
    p->dw[weight] += p->dy[out] * p->xq[in];
    p->dx[in] += p->dy[out] * p->wq[weight];
}

static void assert_close(const float *got, const double *expected, int n, const char *what) {
    double largest = 1e-6;
    for (int i = 0; i < n; ++i)
        largest = fmax(largest, fabs(expected[i]));
    for (int i = 0; i < n; ++i)
        if (!(fabs(got[i] - expected[i]) <= 2e-5 * largest))
            fail_msg("%s[%d]: %g instead of %g (largest %g)", what, i, (double)got[i], expected[i],
                     largest);
}

/* A layer without batch norm and with linear activation in front of [cost]: delta = truth - out. */
static void check_straight_through(int bits_w, int bits_x, const char *range, int groups) {
    char text[1024];
    const int size = random_int(1, 4), stride = random_int(1, 3), g = random_int(1, 2);
    snprintf(text, sizeof text,
             "[net]\nbatch=2\nwidth=%d\nheight=%d\nchannels=3\n"
             "[convolutional]\nfilters=4\nsize=1\nactivation=leaky\n"
             "[gdrq_convolutional]\nfilters=6\nsize=%d\nstride=%d\npadding=%d\ngroups=%d\n"
             "activation=linear\nweight_bits=%d\nactivation_bits=%d\nactivation_range=%s\n"
             "quant_groups=%d\nk_activations=2\n[cost]\n",
             random_int(4, 9), random_int(4, 9), size, stride, random_int(0, size - 1), g, bits_w,
             bits_x, range, groups);
    network *net = parse_text(text);
    randomise(net);
    random_pixels(net);
    for (int i = 0; i < net->truths * net->batch; ++i)
        net->truth[i] = random_normal();
    net->train = 1;
    forward_network(net);

    const layer *l = &net->layers[1];
    const float *x = net->layers[0].output;
    const gdrq_convolutional *q = gdrq_convolutional_state(l);
    const int n_in = l->batch * l->inputs, n_out = l->batch * l->outputs;
    products p = {.wq = quantised_weights(l, q), .xq = quantised_input(x, n_in, &q->grid)};
    p.y = calloc((size_t)n_out, sizeof(double));
    p.dw = calloc((size_t)l->nweights, sizeof(double));
    p.dx = calloc((size_t)n_in, sizeof(double));
    for_each_product(l, forward_product, &p);
    for (int i = 0; i < n_out; ++i)
        p.y[i] += l->biases[i / (l->out_w * l->out_h) % l->n];
    assert_close(l->output, p.y, n_out, "output");

    double *dy = malloc(sizeof(double) * (size_t)n_out);
    for (int i = 0; i < n_out; ++i)
        dy[i] = net->layers[2].delta[i];
    p.dy = dy;
    for_each_product(l, backward_product, &p);
    const double low = q->grid.min * (double)q->grid.step,
                 high = q->grid.max * (double)q->grid.step;
    int masked = 0;
    for (int i = 0; i < n_in; ++i)
        if (x[i] < low || x[i] > high) {
            p.dx[i] = 0;
            ++masked;
        }
    assert_true(masked > 0);
    /* Run the two last layers' backward only: the first one would scale its delta in place. */
    network part = *net;
    part.input = net->layers[1].output;
    part.delta = net->layers[1].delta;
    net->layers[2].backward(net->layers[2], part);
    part.input = net->layers[0].output;
    part.delta = net->layers[0].delta;
    net->layers[1].backward(net->layers[1], part);
    assert_close(l->weight_updates, p.dw, l->nweights, "weight gradient");
    assert_close(net->layers[0].delta, p.dx, n_in, "input gradient");
    free((void *)p.wq);
    free((void *)p.xq);
    free(p.y);
    free(p.dw);
    free(p.dx);
    free(dy);
    free_network(net);
}

static void straight_through_is_as_stated(void **state) {
    (void)state;
    seed_random(12);
    const char *const ranges[] = {"unsigned", "signed", "offset"};
    const int groups[] = {1, 2, 3, 6};
    for (int trial = 0; trial < 24; ++trial)
        check_straight_through(random_int(2, 8), random_int(2, 8), ranges[trial % 3],
                               groups[trial % 4]);
}

/* ---- exactness ---- */

/* At inference with unit steps the output is the integer sum itself. */
static void code_sums_are_exact(void **state) {
    (void)state;
    seed_random(13);
    network *net =
        parse_text("[net]\nbatch=1\nwidth=9\nheight=8\nchannels=3\n"
                   "[convolutional]\nfilters=64\nsize=1\nactivation=relu\n"
                   "[gdrq_convolutional]\nfilters=16\nsize=3\npad=1\nactivation=linear\n[cost]\n");
    randomise(net);
    random_pixels(net);
    gdrq_convolutional *q = gdrq_convolutional_state(&net->layers[1]);
    q->input->fixed = true;
    q->input->threshold = 3;
    net->train = 0;
    forward_network(net);
    const layer *l = &net->layers[1];
    const int n_out = l->outputs, n_in = l->inputs;
    double *w = malloc(sizeof(double) * (size_t)l->nweights),
           *x = malloc(sizeof(double) * (size_t)n_in);
    products p = {.wq = w, .xq = x, .y = calloc((size_t)n_out, sizeof(double))};
    for (int i = 0; i < l->nweights; ++i)
        w[i] = q->weight_codes[i];
    for (int i = 0; i < n_in; ++i)
        x[i] = q->input_codes[i];
    for_each_product(l, forward_product, &p);
    for (int i = 0; i < n_out; ++i) {
        const int f = i / (l->out_w * l->out_h);
        assert_true(p.y[i] == rint(p.y[i]));
        assert_true(l->output[i] == q->factor[f] * (float)p.y[i] + l->biases[f]);
    }
    free(w);
    free(x);
    free(p.y);
    free_network(net);
}

/* A class's T is moved once per training forward by all its readers, and not at inference. */
static void readers_share_one_threshold(void **state) {
    (void)state;
    seed_random(14);
    network *net = parse_text(
        "[net]\nbatch=2\nwidth=8\nheight=8\nchannels=3\nk_activations=5\n"
        "[convolutional]\nfilters=4\nsize=1\nactivation=relu\n"
        "[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=relu\nbatch_normalize=1\n"
        "[route]\nlayers=0\n"
        "[maxpool]\nsize=2\nstride=2\n[gdrq_convolutional]\nfilters=4\nsize=1\nactivation=relu\n"
        "[cost]\n");
    randomise(net);
    random_pixels(net);
    const gdrq_convolutional *a = gdrq_convolutional_state(&net->layers[1]);
    const gdrq_convolutional *b = gdrq_convolutional_state(&net->layers[4]);
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

/* The largest weight of a filter over its mean magnitude, over all filters of a layer. */
static double largest_ratio(const layer *l) {
    const int per_filter = l->nweights / l->n;
    double ratio = 0;
    for (int f = 0; f < l->n; ++f) {
        double sum = 0, most = 0;
        for (int k = 0; k < per_filter; ++k) {
            sum += fabs((double)l->weights[f * per_filter + k]);
            most = fmax(most, fabs((double)l->weights[f * per_filter + k]));
        }
        ratio = fmax(ratio, most / (sum / per_filter));
    }
    return ratio;
}

/* One update in the reshape stage clips the stored weights with project, and not with copy. */
static void only_projection_reshapes_the_stored_weights(void **state) {
    (void)state;
    for (int copy = 0; copy < 2; ++copy) {
        char text[512];
        snprintf(text, sizeof text,
                 "[net]\nbatch=1\nwidth=6\nheight=6\nchannels=3\nlearning_rate=.0001\n"
                 "quantize_after=1\nreshape=%s\n"
                 "[gdrq_convolutional]\nfilters=8\nsize=3\nactivation=linear\n[cost]\n",
                 copy ? "copy" : "project");
        network *net = parse_text(text);
        seed_random(16);
        randomise(net);
        random_pixels(net);
        assert_int_equal(gdrq_network_stage(net), GDRQ_STAGE_RESHAPE);
        assert_true(largest_ratio(&net->layers[0]) > 2.6);
        train_network_datum(net);
        assert_int_equal(gdrq_network_stage(net), GDRQ_STAGE_QUANTISE);
        const double ratio = largest_ratio(&net->layers[0]);
        assert_true(copy ? ratio > 2.6 : ratio < 2.6);
        free_network(net);
    }
}

/* Two sub-batches make one update and two moves of T; the update is that of their joint gradient.
 */
static void subdivisions_add_up(void **state) {
    (void)state;
    network *nets[2];
    for (int k = 0; k < 2; ++k) {
        char text[512];
        snprintf(text, sizeof text,
                 "[net]\nbatch=2\nsubdivisions=%d\nwidth=6\nheight=6\nchannels=3\n"
                 "learning_rate=.01\n"
                 "[gdrq_convolutional]\nfilters=4\nsize=3\nactivation=leaky\n[cost]\n",
                 k + 1);
        nets[k] = parse_text(text);
        seed_random(17);
        randomise(nets[k]);
    }
    network *whole = nets[0], *parts = nets[1];
    random_pixels(whole);
    for (int i = 0; i < 2 * whole->truths; ++i)
        whole->truth[i] = random_normal();
    float *before = copy_of(whole->layers[0].weights, whole->layers[0].nweights);
    train_network_datum(whole);
    for (int part = 0; part < 2; ++part) {
        memcpy(parts->input, whole->input + part * whole->inputs,
               sizeof(float) * (size_t)whole->inputs);
        memcpy(parts->truth, whole->truth + part * whole->truths,
               sizeof(float) * (size_t)whole->truths);
        train_network_datum(parts);
    }
    double moved = 0;
    for (int i = 0; i < whole->layers[0].nweights; ++i) {
        assert_float_equal(whole->layers[0].weights[i], parts->layers[0].weights[i], 1e-5);
        moved = fmax(moved, fabs((double)whole->layers[0].weights[i] - before[i]));
    }
    assert_true(moved > 1e-3);
    free(before);
    free_network(whole);
    free_network(parts);
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
    for (int i = 0; i < net->truths * net->batch; ++i)
        net->truth[i] = random_normal();
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
