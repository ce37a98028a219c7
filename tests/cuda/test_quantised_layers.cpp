/*
 * [gdrq_convolutional] and [gdrq_connected] on the GPU, an emulated or a real one, against the
 * CPU's functions, on the same struct layer: forward, backward and update, over some iterations.
 * Nothing in them may wait for the GPU.
 */
#include <omp.h>

#include "layer_on_both.h"

extern "C" {
#include "primitives/connected_layer.h"
#include "primitives/convolutional_layer.h"
#include "train/cuda/float_layers_gpu.h"
}

static const shape SHAPES[] = {
    {2, 3, 9, 7, 8, 1, 3, 1, 1, false, LINEAR},
    {2, 4, 6, 6, 4, 1, 1, 1, 0, false, LEAKY},
    {1, 4, 8, 8, 6, 2, 3, 2, 1, false, RELU},
    {3, 6, 5, 5, 6, 6, 3, 1, 1, false, LEAKY},
    {2, 4, 9, 6, 4, 4, 3, 2, 1, true, LEAKY},
    {3, 2, 7, 8, 2, 2, 5, 2, 2, false, RELU},
    {1, 3, 9, 9, 3, 3, 7, 1, 3, true, LINEAR},
    {2, 4, 6, 5, 8, 4, 3, 1, 1, false, LEAKY}, /* two filters a channel */
    {2, 5, 7, 7, 4, 1, 1, 2, 0, false, LEAKY},
    {1, 2, 6, 5, 3, 1, 2, 1, 0, false, LINEAR},
    {3, 4, 8, 9, 4, 1, 3, 1, 1, true, LEAKY},
    {2, 6, 12, 12, 5, 1, 1, 1, 0, true, RELU},
    {5, 19, 1, 1, 7, 0, 0, 0, 0, false, LEAKY},
    {40, 33, 1, 1, 6, 0, 0, 0, 0, true, RELU},
    /* More weights than a group that is one block's. */
    {2, 48, 3, 3, 48, 1, 3, 1, 1, false, LEAKY},
};

/* Batch norm on the GPU adds 1e-5 to the variance, on the CPU 1e-6 to its root. */
static double tolerance_of(const layer &l) {
    return l.batch_normalize ? 1e-3 : 1e-5;
}

/* The variance is over N - 1, which the host's backward, of float layers, takes for N. */
static double gradient_tolerance_of(const layer &l) {
    return l.batch_normalize && !gdrq_quantised_state(&l) ? 2. / (l.batch * l.out_w * l.out_h)
                                                          : tolerance_of(l);
}

/* What the next forward allocates: in training, the weights as it uses them, if it is the first. */
static size_t memory_for_forward(const subject &s, bool train) {
    const bool needs = train && s.l.type == CONVOLUTIONAL;
    return needs && !gdrq_quantised_state(&s.l)->gpu->used_weights ? s.l.nweights * sizeof(float)
                                                                   : 0;
}

static void forward_both(subject *s, bool train) {
    s->l.forward(s->l, s->net(train, false));
    gdrq_quantised *q = gdrq_quantised_state(&s->l);
    const gdrq_running_threshold of_cpu = s->input;
    const bool set = q->weight_thresholds_set;
    const unsigned long waits = waits_so_far();
    const size_t memory = memory_in_use() + memory_for_forward(*s, train);
    s->l.forward_gpu(s->l, s->net(train, true));
    assert_waits(waits, 0);
    assert_memory_in_use(memory);
    s->input = of_cpu;
    q->weight_thresholds_set = set;
    assert_close_on_gpu(s->l.output_gpu, s->l.output, s->outputs(), tolerance_of(s->l), "output");
}

/* The codes of both are the same numbers. */
static void check_codes(const subject &s) {
    const gdrq_quantised *q = gdrq_quantised_state(&s.l);
    const std::vector<float> inputs = pulled(q->gpu->input_codes, s.inputs()),
                             weights = pulled(q->gpu->weight_codes, s.l.nweights);
    for (size_t i = 0; i < inputs.size(); ++i)
        assert_true(q->input_codes[i] == inputs[i]);
    for (size_t i = 0; i < weights.size(); ++i)
        assert_true(q->weight_codes[i] == weights[i]);
}

static void backward_both(subject *s) {
    fill(s->l.delta, s->l.delta_gpu, s->outputs(), 1);
    fill(s->delta, s->delta_gpu, s->inputs(), 1); /* a shortcut's, which must stay (trap 1) */
    const unsigned long waits = waits_so_far();
    s->l.backward(s->l, s->net(true, false));
    s->l.backward_gpu(s->l, s->net(true, true));
    assert_waits(waits, 0);
    const layer &l = s->l;
    const double tolerance = gradient_tolerance_of(l);
    assert_close_on_gpu(l.weight_updates_gpu, l.weight_updates, l.nweights, tolerance,
                        "weight updates");
    assert_close_on_gpu(l.bias_updates_gpu, l.bias_updates, l.n, tolerance, "bias updates");
    if (l.scales)
        assert_close_on_gpu(l.scale_updates_gpu, l.scale_updates, l.n, tolerance, "scale updates");
    assert_close_on_gpu(s->delta_gpu, s->delta, s->inputs(), tolerance, "delta");
}

/* From here on both go on from the CPU's numbers, lest small differences become other codes. */
static void copy_to_gpu(subject *s) {
    const layer &l = s->l;
    const size_t weights = l.nweights * sizeof(float), filters = l.n * sizeof(float);
    ASSERT_OK(gdrq_device_push(l.weights_gpu, l.weights, weights, &err));
    ASSERT_OK(gdrq_device_push(l.weight_updates_gpu, l.weight_updates, weights, &err));
    ASSERT_OK(gdrq_device_push(l.biases_gpu, l.biases, filters, &err));
    ASSERT_OK(gdrq_device_push(l.bias_updates_gpu, l.bias_updates, filters, &err));
    if (l.scales) {
        ASSERT_OK(gdrq_device_push(l.scales_gpu, l.scales, filters, &err));
        ASSERT_OK(gdrq_device_push(l.scale_updates_gpu, l.scale_updates, filters, &err));
    }
    ASSERT_OK(gdrq_quantised_gpu_push(gdrq_quantised_state(&l), &err));
}

static void assert_same_thresholds(subject *s, double tolerance) {
    gdrq_quantised *q = gdrq_quantised_state(&s->l);
    const gdrq_running_threshold of_cpu = s->input;
    const int groups = q->weight_thresholds ? q->options.quant_groups : 0;
    const std::vector<float> weights(q->weight_thresholds, q->weight_thresholds + groups);
    ASSERT_OK(gdrq_quantised_gpu_pull(q, &err));
    assert_close(&s->input.threshold, &of_cpu.threshold, 1, tolerance, "T of the input");
    /* A sum of terms that nearly cancel out each other. */
    const double gradient = s->input.optimiser.update, expected = of_cpu.optimiser.update;
    assert_true(fabs(gradient - expected) <= 20 * tolerance * (1 + fabs(expected)));
    assert_int_equal(s->input.moves, of_cpu.moves);
    for (int g = 0; g < groups; ++g)
        assert_close(&q->weight_thresholds[g], &weights[g], 1, tolerance, "T of weights");
    s->input = of_cpu;
    std::copy(weights.begin(), weights.end(), q->weight_thresholds);
}

static update_args args_of(int iteration) {
    update_args a;
    memset(&a, 0, sizeof a);
    a.batch = 2;
    a.learning_rate = .01f;
    a.momentum = .9f;
    a.decay = .0005f;
    a.t = iteration + 1;
    return a;
}

static void update_both(subject *s, int iteration) {
    update_args a = args_of(iteration);
    gdrq_training training = s->training;
    s->l.update(s->l, a);
    std::swap(training, s->training);
    const unsigned long waits = waits_so_far();
    s->l.update_gpu(s->l, a);
    assert_waits(waits, 0);
    assert_int_equal(training.iteration, s->training.iteration);
    assert_close_on_gpu(s->l.weights_gpu, s->l.weights, s->l.nweights, tolerance_of(s->l),
                        "weights");
}

/* What a backward replaces must not matter, whatever it is. */
static void spoil_weight_gradient(const subject &s) {
    float *gradient = gdrq_quantised_state(&s.l)->gpu->weight_gradient;
    if (gradient)
        push(gradient, std::vector<float>(s.l.nweights, NAN));
}

/* Some iterations, the first `reshaping` of which only clip. */
static void train_both(const shape &s, gdrq_layer_options options, bool exact) {
    subject both(s, options);
    for (int i = 0; i < 4; ++i) {
        fill(both.x, both.x_gpu, both.inputs(), 1 + .2f * (float)i);
        forward_both(&both, true);
        if (exact && i == 0)
            check_codes(both);
        spoil_weight_gradient(both);
        backward_both(&both);
        assert_same_thresholds(&both, gradient_tolerance_of(both.l));
        copy_to_gpu(&both);
        update_both(&both, i);
        assert_same_thresholds(&both, 1e-5);
        copy_to_gpu(&both);
    }
    fill(both.x, both.x_gpu, both.inputs(), 1);
    forward_both(&both, false);
}

static void trains_with_scaled_thresholds(void **) {
    for (const shape &s : SHAPES)
        for (int groups : {1, s.n}) {
            gdrq_layer_options options = default_options();
            options.quant_groups = groups;
            train_both(s, options, true);
        }
}

static void reshapes(void **) {
    for (const shape &s : SHAPES) {
        gdrq_layer_options options = default_options();
        options.quantize_after = 2;
        options.quant_groups = s.n % 2 == 0 ? 2 : 1;
        options.reshape = s.groups > 1 ? GDRQ_RESHAPE_COPY : GDRQ_RESHAPE_PROJECT;
        train_both(s, options, false);
    }
}

static void trains_with_searched_thresholds(void **) {
    for (const shape &s : SHAPES) {
        gdrq_layer_options options = default_options();
        options.threshold_weights = options.threshold_activations = GDRQ_THRESHOLD_SEARCH;
        train_both(s, options, true);
    }
}

static void thresholds_learn(void **) {
    for (const shape &s : SHAPES)
        for (int stage = 0; stage < 2; ++stage) {
            gdrq_layer_options options = default_options();
            options.threshold_weights = options.threshold_activations = GDRQ_THRESHOLD_LEARNED;
            options.quant_groups = s.n;
            options.quantize_after = stage;
            train_both(s, options, false);
        }
}

static void weight_gradients_are_masked(void **) {
    for (const shape &s : SHAPES) {
        gdrq_layer_options options = default_options();
        options.k_weights = 1.2f;
        options.weight_gradient = GDRQ_WEIGHT_GRADIENT_MASK;
        train_both(s, options, false);
    }
}

/* The host's float layer, in a network with a shortcut: what stands in delta before must stay. */
static void float_convolutions_add_their_gradient(void **) {
    static const shape FLOAT[] = {
        {2, 3, 9, 8, 3, 3, 3, 2, 1, false, LEAKY}, {2, 4, 6, 7, 4, 4, 5, 1, 2, true, LINEAR},
        {2, 4, 6, 5, 3, 1, 1, 1, 0, false, LEAKY}, {2, 6, 7, 7, 4, 2, 1, 2, 0, false, LINEAR},
        {1, 4, 5, 5, 4, 1, 1, 2, 1, false, RELU},  {3, 4, 8, 8, 5, 1, 1, 1, 0, true, LEAKY}};
    for (const shape &p : FLOAT) {
        subject s(p, default_options());
        gdrq_quantised_free(&s.l);
        gdrq_replace_float_layer_gpu(&s.l);
        assert_ptr_equal(s.l.backward_gpu, p.size == 1 ? gdrq_backward_pointwise_layer_gpu
                                                       : gdrq_backward_depthwise_layer_gpu);
        s.make_workspaces();
        s.l.forward = gdrq_forward_convolutional_layer;
        s.l.backward = gdrq_backward_convolutional_layer;
        s.l.forward(s.l, s.net(true, false));
        s.l.forward_gpu(s.l, s.net(true, true));
        assert_close_on_gpu(s.l.output_gpu, s.l.output, s.outputs(), tolerance_of(s.l), "output");
        backward_both(&s);
    }
}

/* Gradients of more than 1, too, as large losses give: the host clips them. */
static void float_connected_layers_keep_their_gradient(void **) {
    static const shape CONNECTED_SHAPES[] = {{3, 20, 1, 1, 7, 0, 1, 1, 0, false, LEAKY},
                                             {5, 12, 1, 1, 9, 0, 1, 1, 0, false, LINEAR}};
    for (const shape &p : CONNECTED_SHAPES) {
        subject s(p, default_options());
        gdrq_quantised_free(&s.l);
        gdrq_replace_float_layer_gpu(&s.l);
        s.l.forward = gdrq_forward_connected_layer;
        s.l.backward = gdrq_backward_connected_layer;
        s.l.forward(s.l, s.net(true, false));
        ASSERT_OK(gdrq_device_push(s.l.output_gpu, s.l.output, s.outputs() * sizeof(float), &err));
        backward_both(&s);
    }
}

/* Those that only infer, which nothing tells from others as they are made. */
static void networks_that_infer_keep_no_weights(void **) {
    subject s(SHAPES[0], default_options());
    s.input.fixed = true;
    s.input.threshold = 1;
    ASSERT_OK(gdrq_quantised_gpu_push(gdrq_quantised_state(&s.l), &err));
    forward_both(&s, false);
    assert_null(gdrq_quantised_state(&s.l)->gpu->used_weights);
    forward_both(&s, true);
    assert_non_null(gdrq_quantised_state(&s.l)->gpu->used_weights);
}

/* Of the input, which the weights give as the training forward used them: clipped, not rounded. */
static std::vector<float> input_gradient_of(subject *s) {
    push(s->delta_gpu, std::vector<float>(s->inputs(), 0.f));
    ASSERT_OK(gdrq_device_push(s->l.delta_gpu, s->l.delta, s->outputs() * sizeof(float), &err));
    s->l.backward_gpu(s->l, s->net(true, true));
    return pulled(s->delta_gpu, s->inputs());
}

static void weights_of_a_backward_are_its_forwards(void **) {
    for (const shape &of : {SHAPES[0], SHAPES[1], SHAPES[2]}) {
        gdrq_layer_options options = default_options();
        options.quantize_after = 1;
        subject s(of, options);
        fill(s.x, s.x_gpu, s.inputs(), 1);
        fill(s.l.delta, s.l.delta_gpu, s.outputs(), 1);
        s.l.forward_gpu(s.l, s.net(true, true));
        const std::vector<float> expected = input_gradient_of(&s),
                                 output = pulled(s.l.output_gpu, s.outputs());
        gdrq_quantised *q = gdrq_quantised_state(&s.l);
        const gdrq_grid grid = pulled(q->gpu->input.grid, 1)[0];
        gdrq_quantised_gpu_pull_weights(q, &s.l);
        s.l.forward_gpu(s.l, s.net(false, true)); /* rounds */
        push(q->gpu->input.grid, std::vector<gdrq_grid>{grid});
        push(s.l.output_gpu, output);
        assert_true(input_gradient_of(&s) == expected);
    }
}

static void running_out_of_memory_names_the_layer(void **) {
    skip_on_a_real_device();
    const gdrq_layer_options options = default_options();
    subject s(SHAPES[0], options);
    const size_t before = memory_in_use();
    /* Each allocation in its turn is the one that fails. */
    bool enough = false;
    for (size_t more = 0; !enough; more += 40) {
        layer l = s.l;
        gdrq_running_threshold input = s.input;
        input.on_gpu = nullptr;
        limit_memory(before + more);
        gdrq_training training;
        memset(&training, 0, sizeof training);
        l.self_layer = nullptr;
        err.message[0] = 0;
        const gdrq_status status =
            make_gdrq_convolutional_layer(&l, 7, &options, &input, &training, &err);
        enough = status == GDRQ_OK;
        if (!enough) {
            assert_int_equal(status, GDRQ_ERROR_MEMORY);
            assert_non_null(strstr(err.message, "layer 7"));
            assert_non_null(strstr(err.message, "subdivisions="));
        }
        gdrq_quantised_free(&l);
        gdrq_device_free(input.on_gpu);
        assert_memory_in_use(before);
        limit_memory(SIZE_MAX);
    }
    assert_int_equal(cudaGetLastError(), cudaSuccess);
}

static void buffers_grow(void **) {
    skip_on_a_real_device();
    subject s(SHAPES[0], default_options());
    gdrq_quantised *q = gdrq_quantised_state(&s.l);
    const size_t before = memory_in_use();
    ASSERT_OK(gdrq_quantised_gpu_resize(q, s.l.batch, s.l.inputs - 1, &err));
    assert_memory_in_use(before);
    ASSERT_OK(gdrq_quantised_gpu_resize(q, s.l.batch, s.l.inputs + 1, &err));
    assert_memory_in_use(before + s.l.batch * sizeof(float));
    limit_memory(memory_in_use());
    assert_int_equal(gdrq_quantised_gpu_resize(q, s.l.batch, 2 * s.l.inputs, &err),
                     GDRQ_ERROR_MEMORY);
    limit_memory(SIZE_MAX);
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trains_with_scaled_thresholds),
        cmocka_unit_test(reshapes),
        cmocka_unit_test(trains_with_searched_thresholds),
        cmocka_unit_test(thresholds_learn),
        cmocka_unit_test(weight_gradients_are_masked),
        cmocka_unit_test(float_convolutions_add_their_gradient),
        cmocka_unit_test(float_connected_layers_keep_their_gradient),
        cmocka_unit_test(networks_that_infer_keep_no_weights),
        cmocka_unit_test(weights_of_a_backward_are_its_forwards),
        cmocka_unit_test(running_out_of_memory_names_the_layer),
        cmocka_unit_test(buffers_grow),
    };
    omp_set_num_threads(1); /* for arrays as small as these */
    seed_random(20182);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
