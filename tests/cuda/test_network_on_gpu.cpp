/* What saving, loading, resuming and measuring do to a network whose arrays are on the GPU. */
#include <functional>
#include <omp.h>

#include "one_layer_network.h"
#include "random_values.h"

extern "C" {
#include "host/cuda/gpu_network.h"
#include "host/cuda/statistics_gpu.h"
#include "host/free_layer.h"
#include "host/statistics.h"
}

static void count(void *user, float *, size_t n) {
    *(size_t *)user += n;
}

static void expect_sevens_and_double(void *, float *data, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        assert_true(data[i] == 7);
        data[i] = 14;
    }
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
        cmocka_unit_test(statistics_are_measured_as_on_the_cpu),
        cmocka_unit_test(statistics_of_float_layers),
        cmocka_unit_test(what_the_host_forgets_is_freed_on_the_gpu),
    };
    omp_set_num_threads(1); /* for arrays as small as these */
    seed_random(20184);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
