/*
 * What the tests of quantised layers share: gradients against finite differences where the function
 * is smooth, and against a double-precision statement of the straight-through rule where it rounds.
 */
#ifndef TESTS_QUANTISED_TEST_H
#define TESTS_QUANTISED_TEST_H

#include <math.h>

#include "small_network.h"
#include "train/quantised_layer.h"

static inline int count_weights(const layer *l) {
    return l->type == CONNECTED ? l->inputs * l->outputs : l->nweights;
}

static inline float *copy_of(const float *x, int n) {
    float *copy = malloc(sizeof(float) * (size_t)n);
    memcpy(copy, x, sizeof(float) * (size_t)n);
    return copy;
}

static inline void random_truth(network *net) {
    for (int i = 0; i < net->truths * net->batch; ++i)
        net->truth[i] = random_normal();
}

/* ---- finite differences, in the reshape stage with thresholds that clip nothing ---- */

/* Thresholds far above all values, that stay there. */
static inline void widen_thresholds(network *net) {
    for (int i = 0; i < net->n; ++i) {
        gdrq_quantised *state = gdrq_quantised_state(&net->layers[i]);
        if (state && !state->input->fixed) {
            state->input->fixed = true;
            state->input->range = GDRQ_RANGE_SIGNED;
            state->input->threshold = 50;
        }
    }
}

/* Half the squared distance to the truth: what the host's cost layer has the gradient of. */
static inline double loss(network *net) {
    net->train = 1;
    forward_network(net);
    const layer *out = &net->layers[net->n - 2];
    double sum = 0;
    for (int i = 0; i < out->outputs * out->batch; ++i)
        sum += .5 * pow((double)net->truth[i] - out->output[i], 2);
    return sum;
}

static inline double difference_by(network *net, float *parameter, float eps) {
    const float at = *parameter;
    *parameter = at + eps;
    const double above = loss(net), high = *parameter;
    *parameter = at - eps;
    const double below = loss(net), low = *parameter;
    *parameter = at;
    return (above - below) / (high - low);
}

static inline double difference(network *net, float *parameter) {
    return difference_by(net, parameter, 4e-3f);
}

/* updates hold the negative gradient, as everywhere in the host. */
static inline void check_gradient(network *net, float *parameters, const float *updates, int n,
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

static inline void check_layer_gradients(network *net, int i) {
    layer *l = &net->layers[i];
    const int n = count_weights(l);
    float *weights = copy_of(l->weight_updates, n), *biases = copy_of(l->bias_updates, l->out_c);
    float *scales = l->batch_normalize ? copy_of(l->scale_updates, l->out_c) : NULL;
    check_gradient(net, l->weights, weights, n, "weights", i);
    check_gradient(net, l->biases, biases, l->out_c, "biases", i);
    if (scales)
        check_gradient(net, l->scales, scales, l->out_c, "scales", i);
    free(weights);
    free(biases);
    free(scales);
}

/* For a network that ends in [cost] and whose activations are smooth. */
static inline void check_smooth_network(const char *text) {
    network *net = parse_text(text);
    randomise(net);
    random_pixels(net);
    widen_thresholds(net);
    random_truth(net);
    loss(net);
    backward_network(net);
    for (int i = 0; i < net->n; ++i)
        if (net->layers[i].type == CONVOLUTIONAL || net->layers[i].type == CONNECTED)
            check_layer_gradients(net, i);
    free_network(net);
}

/* ---- the straight-through rule, in the quantise stage ---- */

/* Real values of the quantised weights. */
static inline double *quantised_weights(const layer *l, const gdrq_quantised *q) {
    const int per_group = count_weights(l) / q->options.quant_groups;
    double *wq = malloc(sizeof(double) * (size_t)count_weights(l));
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

/* Real values of the quantised input. */
static inline double *quantised_input(const float *x, int n, const gdrq_grid *grid) {
    double *xq = malloc(sizeof(double) * (size_t)n);
    for (int i = 0; i < n; ++i)
        xq[i] = grid->step * fmin(fmax(rint(x[i] * grid->inv_step), grid->min), grid->max);
    return xq;
}

/* Calls at(sum index, weight index, input index) for every product of the layer. */
typedef void at_product(void *user, int out, int weight, int in);

static inline void for_each_convolution_product(const layer *l, at_product *at, void *user) {
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

static inline void for_each_product(const layer *l, at_product *at, void *user) {
    if (l->type == CONVOLUTIONAL)
        for_each_convolution_product(l, at, user);
    for (int b = 0; l->type == CONNECTED && b < l->batch; ++b)
        for (int o = 0; o < l->outputs; ++o)
            for (int i = 0; i < l->inputs; ++i)
                at(user, b * l->outputs + o, o * l->inputs + i, b * l->inputs + i);
}

typedef struct products {
    const double *wq, *xq, *dy;
    double *y, *dw, *dx;
} products;

static inline void forward_product(void *user, int out, int weight, int in) {
    products *p = user;
    p->y[out] += p->wq[weight] * p->xq[in];
}

static inline void backward_product(void *user, int out, int weight, int in) {
    products *p = user;
    p->dw[weight] += p->dy[out] * p->xq[in];
    p->dx[in] += p->dy[out] * p->wq[weight];
}

static inline void assert_close(const float *got, const double *expected, int n, const char *what) {
    double largest = 1e-6;
    for (int i = 0; i < n; ++i)
        largest = fmax(largest, fabs(expected[i]));
    for (int i = 0; i < n; ++i)
        if (!(fabs(got[i] - expected[i]) <= 2e-5 * largest))
            fail_msg("%s[%d]: %g instead of %g (largest %g)", what, i, (double)got[i], expected[i],
                     largest);
}

/* A network of random weights behind a training forward of random pixels. */
static inline network *forwarded(const char *text) {
    network *net = parse_text(text);
    randomise(net);
    random_pixels(net);
    random_truth(net);
    net->train = 1;
    forward_network(net);
    return net;
}

/*
 * A network of three layers: layer 1 is quantised, linear and without batch norm, layer 2 is
 * [cost], whose delta is truth - output. Checks layer 1's forward and backward; some of its input
 * must lie beyond T.
 */
static inline void check_straight_through(const char *text) {
    network *net = forwarded(text);

    const layer *l = &net->layers[1];
    const float *x = net->layers[0].output;
    const gdrq_quantised *q = gdrq_quantised_state(l);
    const int n_in = l->batch * l->inputs, n_out = l->batch * l->outputs;
    products p = {.wq = quantised_weights(l, q), .xq = quantised_input(x, n_in, &q->grid)};
    p.y = calloc((size_t)n_out, sizeof(double));
    p.dw = calloc((size_t)count_weights(l), sizeof(double));
    p.dx = calloc((size_t)n_in, sizeof(double));
    for_each_product(l, forward_product, &p);
    for (int i = 0; i < n_out; ++i)
        p.y[i] += l->biases[i / (l->out_w * l->out_h) % l->out_c];
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
    assert_close(l->weight_updates, p.dw, count_weights(l), "weight gradient");
    assert_close(net->layers[0].delta, p.dx, n_in, "input gradient");
    free((void *)p.wq);
    free((void *)p.xq);
    free(p.y);
    free(p.dw);
    free(p.dx);
    free(dy);
    free_network(net);
}

/*
 * At inference, layer 1 (linear, without batch norm): sums are whole numbers, in the reshape stage
 * too, and the output is factor * sum + bias to the bit.
 */
static inline void check_exact_sums(const char *text) {
    network *net = parse_text(text);
    randomise(net);
    random_pixels(net);
    const layer *l = &net->layers[1];
    gdrq_quantised *q = gdrq_quantised_state(l);
    q->input->fixed = true;
    q->input->threshold = 3;
    net->train = 0;
    forward_network(net);
    const int n_out = l->outputs * l->batch, n_in = l->inputs * l->batch;
    double *w = malloc(sizeof(double) * (size_t)count_weights(l)),
           *x = malloc(sizeof(double) * (size_t)n_in);
    products p = {.wq = w, .xq = x, .y = calloc((size_t)n_out, sizeof(double))};
    for (int i = 0; i < count_weights(l); ++i)
        w[i] = q->weight_codes[i];
    for (int i = 0; i < n_in; ++i)
        x[i] = q->input_codes[i];
    for_each_product(l, forward_product, &p);
    for (int i = 0; i < n_out; ++i) {
        const int f = i / (l->out_w * l->out_h) % l->out_c;
        assert_true(p.y[i] == rint(p.y[i]));
        assert_true(l->output[i] == q->factor[f] * (float)p.y[i] + l->biases[f]);
    }
    free(w);
    free(x);
    free(p.y);
    free_network(net);
}

/* ---- the reshape stage ---- */

/* The largest weight of a filter over its mean magnitude, over all filters of a layer. */
static inline double largest_ratio(const layer *l) {
    const int per_filter = count_weights(l) / l->out_c;
    double ratio = 0;
    for (int f = 0; f < l->out_c; ++f) {
        double sum = 0, most = 0;
        for (int k = 0; k < per_filter; ++k) {
            sum += fabs((double)l->weights[f * per_filter + k]);
            most = fmax(most, fabs((double)l->weights[f * per_filter + k]));
        }
        ratio = fmax(ratio, most / (sum / per_filter));
    }
    return ratio;
}

/*
 * One update in the reshape stage, which lasts one iteration, clips the stored weights of layer 0
 * with reshape=project, and not with copy. The filters are large enough that some weight lies
 * beyond T. `net_options` and `layers` surround what is tested.
 */
static inline void check_projection(const char *net_options, const char *layers) {
    for (int copy = 0; copy < 2; ++copy) {
        char text[512];
        snprintf(text, sizeof text, "%squantize_after=1\nreshape=%s\n%s", net_options,
                 copy ? "copy" : "project", layers);
        network *net = parse_text(text);
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

/*
 * Two sub-batches make one update, and it is that of their joint gradient. `layers` is a layer that
 * reads the pixels, and [cost].
 */
static inline void check_subdivisions(const char *layers, uint64_t seed) {
    network *nets[2];
    for (int k = 0; k < 2; ++k) {
        char text[512];
        snprintf(text, sizeof text,
                 "[net]\nbatch=2\nsubdivisions=%d\nwidth=6\nheight=6\nchannels=3\n"
                 "learning_rate=.01\n%s",
                 k + 1, layers);
        nets[k] = parse_text(text);
        seed_random(seed);
        randomise(nets[k]);
    }
    network *whole = nets[0], *parts = nets[1];
    random_pixels(whole);
    random_truth(whole);
    const int weights = count_weights(&whole->layers[0]);
    float *before = copy_of(whole->layers[0].weights, weights);
    train_network_datum(whole);
    for (int part = 0; part < 2; ++part) {
        memcpy(parts->input, whole->input + part * whole->inputs,
               sizeof(float) * (size_t)whole->inputs);
        memcpy(parts->truth, whole->truth + part * whole->truths,
               sizeof(float) * (size_t)whole->truths);
        train_network_datum(parts);
    }
    double moved = 0;
    for (int i = 0; i < weights; ++i) {
        assert_float_equal(whole->layers[0].weights[i], parts->layers[0].weights[i], 1e-5);
        moved = fmax(moved, fabs((double)whole->layers[0].weights[i] - before[i]));
    }
    assert_true(moved > 1e-3);
    free(before);
    free_network(whole);
    free_network(parts);
}

#endif
