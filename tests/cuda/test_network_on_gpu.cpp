/* What saving, loading, resuming and resizing do to a network whose arrays are on the GPU. */
#include <algorithm>
#include <functional>
#include <omp.h>

#include "layer_on_both.h"
#include "random_values.h"

extern "C" {
#include "host/cuda/gpu_network.h"
#include "host/cuda/statistics_gpu.h"
#include "host/free_layer.h"
#include "host/network_state.h"
#include "host/resize.h"
#include "host/statistics.h"
}

static const shape NORMALISED = {2, 3, 9, 7, 4, 1, 3, 1, 1, true, LEAKY};
static const shape GROUPED = {2, 4, 6, 8, 6, 2, 3, 2, 1, false, LEAKY};

static const shape DEPTHWISE = {2, 4, 9, 7, 4, 4, 3, 1, 1, true, LEAKY};

static gdrq_layer_options learning_options() {
    gdrq_layer_options o = default_options();
    o.threshold_weights = o.threshold_activations = GDRQ_THRESHOLD_LEARNED;
    o.quant_groups = 2;
    return o;
}

/* A network of one layer, which is parsed as far as its state goes. */
struct one_layer_network {
    subject s;
    network net;
    int seen;

    one_layer_network(const shape &of, const gdrq_layer_options &options) : s(of, options) {
        memset(&net, 0, sizeof net);
        net.n = 1;
        net.layers = &s.l;
        net.batch = of.batch;
        net.w = of.w, net.h = of.h, net.c = of.c;
        net.inputs = s.l.inputs;
        assert_non_null(gdrq_network_state_new(&net));
    }
    ~one_layer_network() {
        free(net.input);
        free(net.truth);
        gdrq_device_free(net.input_gpu);
        gdrq_device_free(net.truth_gpu);
        gdrq_device_free(net.workspace);
        gdrq_network_state_free(&net);
    }
};

static void count(void *user, float *, size_t n) {
    *(size_t *)user += n;
}

static void expect_sevens_and_double(void *, float *data, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        assert_true(data[i] == 7);
        data[i] = 14;
    }
}

static void set_all(float *array, size_t n, float value) {
    push(array, std::vector<float>(n, value));
}

static void assert_all(const float *array, size_t n, float value) {
    for (float v : pulled(array, n))
        assert_true(v == value);
}

static void weights_come_from_the_gpu_and_go_back(void **) {
    one_layer_network n(NORMALISED, default_options());
    layer &l = n.s.l;
    const size_t filters = l.n;
    const std::vector<std::pair<float *, size_t>> on_gpu = {{l.weights_gpu, l.nweights},
                                                            {l.biases_gpu, filters},
                                                            {l.scales_gpu, filters},
                                                            {l.rolling_mean_gpu, filters},
                                                            {l.rolling_variance_gpu, filters}};
    for (const auto &a : on_gpu)
        set_all(a.first, a.second, 7);
    size_t floats = 0;
    gdrq_network_arrays(&n.net, GDRQ_ARRAYS_WEIGHTS, count, &floats);
    assert_int_equal(floats, l.nweights + 4 * filters);
    gdrq_network_arrays(&n.net, GDRQ_ARRAYS_WEIGHTS, expect_sevens_and_double, nullptr);
    for (const auto &a : on_gpu)
        assert_all(a.first, a.second, 14);
}

static void expect_sevens(void *, const float *data, size_t n) {
    for (size_t i = 0; i < n; ++i)
        assert_true(data[i] == 7);
}

/* What is read comes from the GPU, once; nothing else does, and nothing goes back. */
static void reading_costs_one_copy(void **) {
    one_layer_network n(NORMALISED, learning_options());
    const layer &l = n.s.l;
    for (float *array : {l.weights_gpu, l.weight_updates_gpu})
        set_all(array, l.nweights, 7);
    for (float *array : {l.biases_gpu, l.scales_gpu, l.rolling_mean_gpu, l.rolling_variance_gpu})
        set_all(array, l.n, 7);
    const unsigned long before = waits_so_far();
    gdrq_network_read_arrays(&n.net, GDRQ_ARRAYS_WEIGHTS, expect_sevens, nullptr);
    assert_waits(before, 5);
    assert_true(l.weight_updates[0] == 0);
}

/* Momentum, and what learned thresholds keep. */
static void optimisers_come_from_the_gpu_and_go_back(void **) {
    one_layer_network n(NORMALISED, learning_options());
    layer &l = n.s.l;
    gdrq_quantised *q = gdrq_quantised_state(&l);
    q->weight_thresholds_set = true;
    set_all(l.weight_updates_gpu, l.nweights, 7);
    set_all(l.bias_updates_gpu, l.n, 7);
    set_all(l.scale_updates_gpu, l.n, 7);
    push(q->gpu->optimisers, std::vector<gdrq_threshold_optimiser>(2, {7, 7, 7}));
    gdrq_network_arrays(&n.net, GDRQ_ARRAYS_OPTIMISER, expect_sevens_and_double, nullptr);
    assert_all(l.weight_updates_gpu, l.nweights, 14);
    assert_all(l.scale_updates_gpu, l.n, 14);
    assert_true(pulled(q->gpu->optimisers, 2)[1].v == 14);
}

static void thresholds_are_pulled_and_pushed(void **) {
    one_layer_network n(NORMALISED, learning_options());
    gdrq_quantised *q = gdrq_quantised_state(&n.s.l);
    gdrq_error err;
    q->weight_thresholds_set = true;
    push(q->gpu->thresholds, std::vector<float>{.25f, .75f});
    gdrq_running_threshold *const on_gpu = n.s.input.on_gpu;
    gdrq_running_threshold moved = n.s.input;
    moved.threshold = 1.5f;
    moved.moves = 12;
    push(on_gpu, std::vector<gdrq_running_threshold>{moved});
    ASSERT_OK(gdrq_gpu_pull(&n.net, &err));
    assert_true(q->weight_thresholds[0] == .25f && q->weight_thresholds[1] == .75f);
    assert_true(n.s.input.threshold == 1.5f && n.s.input.moves == 12);
    assert_ptr_equal(n.s.input.on_gpu, on_gpu);
    q->weight_thresholds[1] = .5f;
    n.s.input.threshold = 2;
    ASSERT_OK(gdrq_gpu_push(&n.net, &err));
    assert_true(pulled(q->gpu->thresholds, 2)[1] == .5f && pulled(on_gpu, 1)[0].threshold == 2);
}

/* Their numbers would be those of the host, which the GPU neither fills nor reads. */
static void what_is_for_the_cpu_is_refused(void **) {
    one_layer_network n(NORMALISED, default_options());
    gdrq_distribution *inputs = (gdrq_distribution *)calloc(1, sizeof *inputs);
    gdrq_error e;
    n.s.input.moves = 1;
    ASSERT_OK(gdrq_network_ready(&n.net, &e));
    gdrq_network_unquantised(&n.net, true);
    const std::vector<std::function<gdrq_status()>> calls = {
        [&] { return gdrq_network_ready(&n.net, &e); },
        [&] { return gdrq_network_counting(&n.net, true, &e); },
        [&] { return gdrq_network_set_thresholds(&n.net, GDRQ_CALIBRATE_SEARCH, 0, &e); },
        [&] { return gdrq_network_set_bits(&n.net, 0, 3, 0, &e); },
        [&] { return gdrq_network_add_inputs(&n.net, inputs, &e); },
        [&] { return gdrq_network_forget_thresholds(&n.net, &e); },
    };
    for (const auto &call : calls) {
        e.message[0] = '\0';
        assert_int_equal(call(), GDRQ_ERROR_STATE);
        assert_non_null(strstr(e.message, "-nogpu"));
    }
    const gdrq_quantised *q = gdrq_quantised_state(&n.s.l);
    assert_int_equal(q->options.weight_bits, 4);
    assert_int_equal(q->options.threshold_weights, GDRQ_THRESHOLD_SCALE);
    ASSERT_OK(gdrq_network_counting(&n.net, false, &e));
    gdrq_network_unquantised(&n.net, false);
    ASSERT_OK(gdrq_network_ready(&n.net, &e));
    free(inputs);
}

/* A training moves weights and T on the GPU alone. */
static void quantisation_is_that_of_the_gpu(void **) {
    one_layer_network n(NORMALISED, default_options());
    const layer &l = n.s.l;
    std::vector<float> weights(l.nweights);
    for (float &w : weights)
        w = random_normal();
    push(l.weights_gpu, weights);
    gdrq_running_threshold moved = n.s.input;
    moved.threshold = 1.5f;
    moved.moves = 12;
    push(n.s.input.on_gpu, std::vector<gdrq_running_threshold>{moved});
    gdrq_quantisation q;
    assert_true(gdrq_network_quantisation(&n.net, 0, &q));
    assert_memory_equal(q.weights, weights.data(), weights.size() * sizeof(float));
    for (size_t i = 0; i < weights.size(); ++i)
        if (fabsf(q.weight_codes[i]) < 7)
            assert_true(fabsf(q.weight_codes[i] * q.weight_steps[0] - weights[i]) <=
                        .5001f * q.weight_steps[0]);
    assert_true(q.has_threshold && q.input_threshold == 1.5f);
}

/* Behind a reshape stage thresholds of weights are learned anew, without momentum. */
static void a_restart_forgets_what_was_learned_on_the_gpu(void **) {
    gdrq_layer_options options = learning_options();
    options.quantize_after = 100;
    one_layer_network n(NORMALISED, options);
    gdrq_quantised *q = gdrq_quantised_state(&n.s.l);
    int updates = 0;
    n.net.t = &updates;
    q->weight_thresholds_set = true;
    push(q->gpu->optimisers, std::vector<gdrq_threshold_optimiser>(2, {7, 7, 7}));
    push(n.s.input.on_gpu, std::vector<gdrq_running_threshold>{n.s.input});
    gdrq_network_restart(&n.net);
    assert_false(q->weight_thresholds_set);
    assert_true(pulled(q->gpu->optimisers, 2)[1].m == 0);
    assert_true(q->weight_optimisers[0].v == 0);
}

/* What counts is on the GPUs: weights, statistics, momentum and learned thresholds of both. */
static void networks_on_gpus_become_their_mean(void **) {
    one_layer_network a(NORMALISED, learning_options()), b(NORMALISED, learning_options());
    network *const nets[] = {&a.net, &b.net};
    for (int i = 0; i < 2; ++i) {
        const layer &l = nets[i]->layers[0];
        gdrq_quantised *q = gdrq_quantised_state(&l);
        const float value = i ? 9 : 5;
        q->weight_thresholds_set = true;
        set_all(l.weights_gpu, l.nweights, value);
        set_all(l.rolling_mean_gpu, l.n, value);
        set_all(l.rolling_variance_gpu, l.n, value);
        set_all(l.weight_updates_gpu, l.nweights, value);
        set_all(q->gpu->thresholds, 2, value);
        push(q->gpu->optimisers, std::vector<gdrq_threshold_optimiser>(2, {value, value, value}));
    }
    gdrq_error err;
    ASSERT_OK(gdrq_networks_average(nets, 2, &err));
    for (const network *net : nets) {
        const layer &l = net->layers[0];
        const gdrq_quantised *q = gdrq_quantised_state(&l);
        assert_all(l.weights_gpu, l.nweights, 7);
        assert_all(l.rolling_mean_gpu, l.n, 7);
        assert_all(l.rolling_variance_gpu, l.n, 7);
        assert_all(l.weight_updates_gpu, l.nweights, 7);
        assert_all(q->gpu->thresholds, 2, 7);
        assert_true(pulled(q->gpu->optimisers, 2)[1].m == 7);
    }
}

/* The arrays that a resize replaces belong to the layer; `subject` frees what it has now. */
static void adopt(subject *s, const layer &before) {
    const layer &l = s->l;
    const std::pair<float *, float *> host[] = {
        {before.output, l.output}, {before.delta, l.delta}, {before.x, l.x}};
    const std::pair<float *, float *> gpu[] = {{before.output_gpu, l.output_gpu},
                                               {before.delta_gpu, l.delta_gpu},
                                               {before.x_gpu, l.x_gpu},
                                               {before.x_norm_gpu, l.x_norm_gpu}};
    for (const auto &p : host)
        std::replace(s->arrays.begin(), s->arrays.end(), p.first, p.second);
    for (const auto &p : gpu)
        std::replace(s->on_gpu.begin(), s->on_gpu.end(), p.first, p.second);
}

/* After it, a forward of larger images works, and gives what the CPU gives. */
static void check_resize(const shape &of) {
    one_layer_network n(of, default_options());
    layer &l = n.s.l;
    const layer before = l;
    gdrq_error err;
    ASSERT_OK(gdrq_resize(&n.net, 13, 12, &err));
    adopt(&n.s, before);
    assert_int_equal(l.w, 13);
    assert_int_equal(l.workspace_size, gdrq_convolutional_workspace_gpu(&l));
    assert_true(l.workspace_size == 0 || is_device_memory(n.net.workspace));
    const size_t inputs = (size_t)l.batch * l.inputs, outputs = (size_t)l.batch * l.outputs;
    device_array<float> x_on_gpu(inputs);
    std::vector<float> x(inputs), workspace(l.nweights);
    for (float &v : x)
        v = random_normal();
    x_on_gpu.push(x);
    network net = n.net;
    net.train = 1;
    net.input = x.data();
    net.input_gpu = x_on_gpu;
    const gdrq_running_threshold before_forward = n.s.input;
    l.forward_gpu(l, net);
    n.s.input = before_forward;
    net.workspace = workspace.data();
    l.forward(l, net);
    assert_close_on_gpu(l.output_gpu, l.output, outputs, l.batch_normalize ? 1e-3 : 1e-5, "output");
}

static void networks_are_resized(void **) {
    check_resize(NORMALISED);
    check_resize(GROUPED);
    check_resize(DEPTHWISE);
}

/* The host's [batchnorm] layers have what their forward copies to on the GPU alone. */
static void batch_norm_is_resized(void **) {
    network net;
    layer l;
    memset(&net, 0, sizeof net);
    memset(&l, 0, sizeof l);
    l.type = BATCHNORM;
    l.batch = net.batch = 2;
    l.w = l.out_w = net.w = 5;
    l.h = l.out_h = net.h = 4;
    l.c = l.out_c = net.c = 3;
    l.inputs = l.outputs = net.inputs = 5 * 4 * 3;
    net.n = 1;
    net.layers = &l;
    const size_t before = (size_t)l.batch * l.outputs;
    l.output = (float *)calloc(before, sizeof(float));
    for (float **array : {&l.output_gpu, &l.x_gpu, &l.x_norm_gpu})
        ASSERT_OK(gdrq_device_alloc((void **)array, before, sizeof(float), "a test", &err));
    for (float *array : {l.output_gpu, l.x_gpu, l.x_norm_gpu})
        set_all(array, before, 0);
    assert_non_null(gdrq_network_state_new(&net));
    ASSERT_OK(gdrq_resize(&net, 13, 12, &err));
    const size_t after = 2 * 3 * 13 * 12;
    assert_int_equal(l.batch * l.outputs, after);
    for (float *array : {l.output_gpu, l.x_gpu, l.x_norm_gpu}) {
        assert_true(is_device_memory(array + after - 1));
        assert_all(array, after, 0);
        gdrq_device_free(array);
    }
    assert_null(l.x);
    free(l.output);
    free(net.input);
    free(net.truth);
    for (float *array : {net.input_gpu, net.truth_gpu, net.workspace})
        gdrq_device_free(array);
    gdrq_network_state_free(&net);
}

/* The layer as it was but for where its arrays on the GPU lie. */
static void assert_unchanged(const layer &before, layer now) {
    now.output_gpu = before.output_gpu, now.delta_gpu = before.delta_gpu;
    now.x_gpu = before.x_gpu, now.x_norm_gpu = before.x_norm_gpu;
    assert_memory_equal(&before, &now, sizeof before);
}

/* Each allocation in its turn fails, and then nothing has changed. */
static void networks_stay_as_they_are_without_memory(void **) {
    skip_on_a_real_device();
    one_layer_network n(NORMALISED, default_options());
    const layer first = n.s.l;
    const size_t memory = memory_in_use(), outputs = n.s.outputs();
    gdrq_error err;
    gdrq_status status = GDRQ_ERROR_MEMORY;
    int failures = 0;
    for (float *array : {first.output_gpu, first.delta_gpu, first.x_gpu, first.x_norm_gpu})
        set_all(array, outputs, 7);
    for (size_t more = 0; status != GDRQ_OK; more += 300) {
        const layer before = n.s.l;
        /* What grew stays. */
        limit_memory(memory_in_use() + more);
        status = gdrq_resize(&n.net, 13, 12, &err);
        adopt(&n.s, before);
        if (status == GDRQ_OK)
            break;
        ++failures;
        assert_int_equal(status, GDRQ_ERROR_MEMORY);
        assert_non_null(strstr(err.message, "layer 0"));
        assert_unchanged(first, n.s.l);
        const layer &l = n.s.l;
        for (float *array : {l.output_gpu, l.delta_gpu, l.x_gpu, l.x_norm_gpu})
            assert_all(array, outputs, 7);
        assert_true(memory_in_use() >= memory);
    }
    limit_memory(SIZE_MAX);
    assert_true(failures > 5);
    assert_true(memory_in_use() > memory);
}

static void resize_adopted(one_layer_network *n, int w, int h) {
    const layer before = n->s.l;
    gdrq_error err;
    ASSERT_OK(gdrq_resize(&n->net, w, h, &err));
    adopt(&n->s, before);
    assert_true(n->s.l.w == w && n->s.l.h == h);
}

/* As a training with random=1 does. */
static void a_size_that_is_not_the_largest_takes_no_memory(void **) {
    skip_on_a_real_device();
    one_layer_network n(NORMALISED, default_options());
    resize_adopted(&n, 13, 12);
    const size_t memory = memory_in_use();
    limit_memory(memory);
    for (int size : {5, 12, 9, 12})
        resize_adopted(&n, size, size);
    assert_memory_in_use(memory);
    limit_memory(SIZE_MAX);
}

/* The largest, too, takes what it is larger by, and for a moment an array that is replaced. */
static void a_network_grows_where_it_does_not_fit_twice(void **) {
    skip_on_a_real_device();
    size_t after, array;
    {
        one_layer_network n(NORMALISED, default_options());
        array = n.s.outputs() * sizeof(float);
        resize_adopted(&n, 13, 12);
        after = memory_in_use();
    }
    one_layer_network n(NORMALISED, default_options());
    limit_memory(after + array);
    resize_adopted(&n, 13, 12);
    assert_memory_in_use(after);
    limit_memory(SIZE_MAX);
}

/* [dropout] and the network share the arrays of the layer before, also when a resize has moved
   these and then failed. */
static void shared_arrays_are_followed(void **) {
    skip_on_a_real_device();
    one_layer_network n(NORMALISED, default_options());
    layer layers[2] = {n.s.l, n.s.l};
    memset(&layers[1], 0, sizeof layers[1]);
    layers[1].type = DROPOUT;
    layers[1].batch = n.net.batch;
    layers[1].inputs = layers[1].outputs = n.s.l.outputs;
    layers[1].output_gpu = n.net.output_gpu = layers[0].output_gpu;
    layers[1].delta_gpu = layers[0].delta_gpu;
    n.net.layers = layers;
    n.net.n = 2;
    gdrq_error err;
    gdrq_status status = GDRQ_ERROR_MEMORY;
    for (size_t more = 0; status != GDRQ_OK; more += 300) {
        const layer before = layers[0];
        limit_memory(memory_in_use() + more);
        status = gdrq_resize(&n.net, 13, 12, &err);
        n.s.l = layers[0];
        adopt(&n.s, before);
        for (float *array : {layers[1].output_gpu, n.net.output_gpu})
            assert_ptr_equal(array, layers[0].output_gpu);
        assert_ptr_equal(layers[1].delta_gpu, layers[0].delta_gpu);
        assert_int_equal(layers[1].outputs, layers[0].outputs);
    }
    limit_memory(SIZE_MAX);
}

/* The statistics over some batches of pictures, and what the layer makes of the last with them. */
struct measured {
    std::vector<float> mean, variance, output;
};

static measured measure(one_layer_network *n, const std::vector<std::vector<float>> &batches) {
    const layer &l = n->s.l;
    const bool on_gpu = n->net.gpu_index >= 0;
    const size_t channels = l.out_c, outputs = (size_t)l.batch * l.outputs;
    gdrq_statistics *statistics;
    gdrq_error err;
    ASSERT_OK(gdrq_statistics_new(&n->net, GDRQ_MEASURE_ANEW, &statistics, &err));
    for (std::vector<float> input : batches)
        gdrq_statistics_predict(statistics, input.data());
    gdrq_statistics_free(statistics);
    if (on_gpu)
        return {pulled(l.rolling_mean_gpu, channels), pulled(l.rolling_variance_gpu, channels),
                pulled(l.output_gpu, outputs)};
    const float *mean = l.rolling_mean, *variance = l.rolling_variance;
    return {std::vector<float>(mean, mean + channels),
            std::vector<float>(variance, variance + channels),
            std::vector<float>(l.output, l.output + outputs)};
}

static void assert_all_near(const std::vector<float> &got, const std::vector<float> &expected,
                            const char *what) {
    for (size_t i = 0; i < expected.size(); ++i)
        assert_near((double)got[i], (double)expected[i], 1e-4, 1, what);
}

/* For the mean of weights, whose statistics are no mean of statistics. */
static void statistics_are_measured_as_on_the_cpu(void **) {
    one_layer_network n(NORMALISED, default_options());
    layer &l = n.s.l;
    gdrq_quantised *q = gdrq_quantised_state(&l);
    const size_t inputs = (size_t)l.batch * l.inputs;
    std::vector<std::vector<float>> batches;
    gdrq_error err;
    for (int i = 0; i < 3; ++i)
        batches.push_back(random_values(inputs, 1 + (float)i));
    device_array<float> input(inputs), workspace_on_gpu(l.workspace_size / sizeof(float) + 1);
    std::vector<float> workspace(l.nweights + 1);
    float cost;
    n.net.cost = &cost;
    q->training = &gdrq_network_state_find(&n.net)->training;
    n.s.input.threshold = 3;
    n.s.input.moves = 1;
    ASSERT_OK(gdrq_quantised_gpu_push(q, &err));
    n.net.input_gpu = input;
    n.net.workspace = workspace_on_gpu;
    const measured on_gpu = measure(&n, batches);
    n.net.input_gpu = n.net.workspace = nullptr;
    n.net.gpu_index = -1;
    n.net.workspace = workspace.data();
    const measured on_cpu = measure(&n, batches);
    n.net.gpu_index = 0;
    n.net.workspace = nullptr;
    assert_all_near(on_gpu.mean, on_cpu.mean, "mean");
    assert_all_near(on_gpu.variance, on_cpu.variance, "variance");
    assert_all_near(on_gpu.output, on_cpu.output, "output");
}

/* A [batchnorm] of the host's, behind its forward. */
static void statistics_of_float_layers(void **) {
    enum { BATCH = 3, C = 4, SPATIAL = 5, N = BATCH * C * SPATIAL };
    const std::vector<float> x = random_values(N, 2), ones(C, 1.f), twos(C, 2.f);
    std::vector<float> mean(C), variance(C);
    device_array<float> x_gpu(x), output(N), scales(twos), biases(ones), mean_gpu(C),
        variance_gpu(C), rolling_mean(C), rolling_variance(C);
    layer l;
    memset(&l, 0, sizeof l);
    l.type = BATCHNORM;
    l.batch = BATCH, l.out_c = C, l.outputs = C * SPATIAL;
    l.x_gpu = x_gpu, l.output_gpu = output, l.scales_gpu = scales, l.biases_gpu = biases;
    l.mean_gpu = mean_gpu, l.variance_gpu = variance_gpu;
    l.rolling_mean = mean.data(), l.rolling_variance = variance.data();
    l.rolling_mean_gpu = rolling_mean, l.rolling_variance_gpu = rolling_variance;
    void *room;
    gdrq_error err;
    ASSERT_OK(gdrq_statistics_gpu_room(C, &room, &err));
    ASSERT_OK(gdrq_statistics_gpu_measure(&l, room, mean.data(), variance.data(), &err));
    ASSERT_OK(gdrq_statistics_gpu_renew(&l, &err));
    gdrq_device_free(room);
    const std::vector<float> y = output.pull();
    for (int c = 0; c < C; ++c) {
        double sums[2] = {0, 0};
        for (int i = 0; i < N; ++i)
            sums[0] += i / SPATIAL % C == c ? (double)x[i] : 0;
        sums[0] /= BATCH * SPATIAL;
        for (int i = 0; i < N; ++i)
            sums[1] += i / SPATIAL % C == c ? pow((double)x[i] - sums[0], 2) : 0;
        sums[1] /= BATCH * SPATIAL - 1;
        assert_near((double)mean[c], sums[0], 1e-5, 1, "mean");
        assert_near((double)variance[c], sums[1], 1e-5, 1, "variance");
        for (int i = 0; i < N; ++i)
            if (i / SPATIAL % C == c)
                assert_near((double)y[i], 1 + 2 * ((double)x[i] - sums[0]) / sqrt(sums[1] + 1e-5),
                            1e-5, 1, "output");
    }
}

static void nothing_is_left_on_the_gpu(void **) {
    const size_t before = memory_in_use();
    check_resize(NORMALISED);
    assert_memory_in_use(before);
}

/* In the place of the host's free_layer(), which frees other arrays. */
static void free_nothing(layer) {
}

static layer layer_of_type(LAYER_TYPE type, const std::vector<float * layer::*> &arrays) {
    layer l;
    memset(&l, 0, sizeof l);
    l.type = type;
    for (float *layer::*array : arrays)
        ASSERT_OK(gdrq_device_alloc((void **)&(l.*array), 10, sizeof(float), "a test", &err));
    return l;
}

/* Of adam, also inside of recurrent layers, and of an LSTM's cells and gates. */
static void what_the_host_forgets_is_freed_on_the_gpu(void **) {
    const std::vector<float *layer::*> moments = {&layer::bias_m_gpu, &layer::bias_v_gpu,
                                                  &layer::scale_m_gpu, &layer::scale_v_gpu},
                                       cells = {&layer::prev_cell_gpu, &layer::cell_gpu,
                                                &layer::f_gpu,         &layer::i_gpu,
                                                &layer::g_gpu,         &layer::o_gpu,
                                                &layer::c_gpu,         &layer::temp_gpu,
                                                &layer::temp2_gpu,     &layer::temp3_gpu,
                                                &layer::dc_gpu,        &layer::dh_gpu};
    const size_t before = memory_in_use();
    for (LAYER_TYPE type : {CONVOLUTIONAL, DECONVOLUTIONAL, CONNECTED}) {
        const layer l = layer_of_type(type, moments);
        gdrq_free_layer(&l, free_nothing);
    }
    layer lstm = layer_of_type(LSTM, cells);
    for (layer **inner :
         {&lstm.uf, &lstm.ui, &lstm.ug, &lstm.uo, &lstm.wf, &lstm.wi, &lstm.wg, &lstm.wo}) {
        *inner = (layer *)malloc(sizeof(layer));
        **inner = layer_of_type(CONNECTED, moments);
    }
    gdrq_free_layer(&lstm, free_nothing);
    assert_memory_in_use(before);
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_come_from_the_gpu_and_go_back),
        cmocka_unit_test(reading_costs_one_copy),
        cmocka_unit_test(optimisers_come_from_the_gpu_and_go_back),
        cmocka_unit_test(thresholds_are_pulled_and_pushed),
        cmocka_unit_test(what_is_for_the_cpu_is_refused),
        cmocka_unit_test(quantisation_is_that_of_the_gpu),
        cmocka_unit_test(a_restart_forgets_what_was_learned_on_the_gpu),
        cmocka_unit_test(networks_on_gpus_become_their_mean),
        cmocka_unit_test(networks_are_resized),
        cmocka_unit_test(batch_norm_is_resized),
        cmocka_unit_test(networks_stay_as_they_are_without_memory),
        cmocka_unit_test(statistics_are_measured_as_on_the_cpu),
        cmocka_unit_test(statistics_of_float_layers),
        cmocka_unit_test(a_size_that_is_not_the_largest_takes_no_memory),
        cmocka_unit_test(a_network_grows_where_it_does_not_fit_twice),
        cmocka_unit_test(shared_arrays_are_followed),
        cmocka_unit_test(nothing_is_left_on_the_gpu),
        cmocka_unit_test(what_the_host_forgets_is_freed_on_the_gpu),
    };
    omp_set_num_threads(1); /* for arrays as small as these */
    seed_random(20184);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
