/* A quantised layer on the host and on the device, made without a cfg. */
#ifndef TESTS_CUDA_LAYER_ON_BOTH_H
#define TESTS_CUDA_LAYER_ON_BOTH_H

#include <math.h>
#include <string.h>

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <curand.h>

#include "device_watch.h"

extern "C" {
#include "train/cuda/gdrq_convolutional_layer_gpu.h"
#include "train/cuda/quantised_gpu.h"
#include "train/gdrq_connected_layer.h"
#include "train/gdrq_convolutional_layer.h"
}
#include "random_data.h"

static gdrq_error err;

/* groups 0: connected, with c inputs. */
struct shape {
    int batch, c, h, w, n, groups, size, stride, pad;
    bool batch_normalize;
    ACTIVATION activation;
};

/* A layer with its arrays twice, on the host and on the device, and what it reads and hands on. */
struct subject {
    layer l;
    gdrq_training training;
    gdrq_running_threshold input;
    std::vector<float *> arrays, on_gpu;
    float *x, *delta, *x_gpu, *delta_gpu;
    std::vector<float> workspace;
    float *workspace_gpu = nullptr;

    float *make(size_t n, float deviation, float **copy) {
        float *array = random_array(n, deviation);
        arrays.push_back(array);
        ASSERT_OK(gdrq_device_alloc((void **)copy, n, sizeof(float), "a test", &err));
        ASSERT_OK(gdrq_device_push(*copy, array, n * sizeof(float), &err));
        on_gpu.push_back(*copy);
        return array;
    }

    subject(const shape &s, const gdrq_layer_options &options);
    ~subject();
    size_t inputs() const {
        return (size_t)l.batch * l.inputs;
    }
    size_t outputs() const {
        return (size_t)l.batch * l.outputs;
    }
    /* What the layer says that it needs on the GPU; the CPU's functions need it for something else.
     */
    void make_workspaces() {
        const size_t n = l.workspace_size / sizeof(float) + l.nweights;
        workspace.resize(n);
        gdrq_device_free(workspace_gpu);
        ASSERT_OK(gdrq_device_alloc((void **)&workspace_gpu, n, sizeof(float), "a test", &err));
    }
    network net(bool train, bool on_gpu) {
        network net;
        memset(&net, 0, sizeof net);
        net.train = train;
        net.input = x;
        net.delta = delta;
        net.input_gpu = x_gpu;
        net.delta_gpu = delta_gpu;
        net.workspace = on_gpu ? workspace_gpu : workspace.data();
        return net;
    }
};

inline subject::subject(const shape &s, const gdrq_layer_options &options) {
    memset(&l, 0, sizeof l);
    memset(&training, 0, sizeof training);
    memset(&input, 0, sizeof input);
    const bool connected = s.groups == 0;
    l.type = connected ? CONNECTED : CONVOLUTIONAL;
    l.batch = s.batch, l.c = s.c, l.h = s.h, l.w = s.w, l.n = s.n, l.groups = s.groups;
    l.size = s.size, l.stride = s.stride, l.pad = s.pad, l.activation = s.activation;
    l.batch_normalize = s.batch_normalize;
    l.nweights = connected ? s.c * s.n : s.c / s.groups * s.n * s.size * s.size;
    l.nbiases = l.out_c = s.n;
    l.out_h = connected ? 1 : (s.h + 2 * s.pad - s.size) / s.stride + 1;
    l.out_w = connected ? 1 : (s.w + 2 * s.pad - s.size) / s.stride + 1;
    l.outputs = l.out_h * l.out_w * l.n;
    l.inputs = s.h * s.w * s.c;
    l.learning_rate_scale = 1;
    const size_t n = s.n;
    l.weights = make(l.nweights, .4f, &l.weights_gpu);
    l.weight_updates = make(l.nweights, 0, &l.weight_updates_gpu);
    l.biases = make(n, .2f, &l.biases_gpu);
    l.bias_updates = make(n, 0, &l.bias_updates_gpu);
    l.output = make(outputs(), 0, &l.output_gpu);
    l.delta = make(outputs(), 0, &l.delta_gpu);
    if (s.batch_normalize) {
        l.scales = make(n, 1, &l.scales_gpu);
        l.scale_updates = make(n, 0, &l.scale_updates_gpu);
        l.mean = make(n, 0, &l.mean_gpu);
        l.variance = make(n, 0, &l.variance_gpu);
        l.mean_delta = make(n, 0, &l.mean_delta_gpu);
        l.variance_delta = make(n, 0, &l.variance_delta_gpu);
        l.rolling_mean = make(n, .1f, &l.rolling_mean_gpu);
        l.rolling_variance = make(n, 0, &l.rolling_variance_gpu);
        for (size_t i = 0; i < n; ++i)
            l.rolling_variance[i] = 1;
        ASSERT_OK(
            gdrq_device_push(l.rolling_variance_gpu, l.rolling_variance, n * sizeof(float), &err));
        l.x = make(outputs(), 0, &l.x_gpu);
        make(outputs(), 0, &l.x_norm_gpu);
    }
    x = make(inputs(), 1, &x_gpu);
    delta = make(inputs(), 1, &delta_gpu);
    input.bits = options.activation_bits;
    input.range = GDRQ_RANGE_OFFSET;
    input.slope = .1f;
    input.how = options.threshold_activations;
    input.k = options.k_activations;
    input.momentum = .1f;
    input.norm = options.search_norm;
    const auto make_layer = connected ? make_gdrq_connected_layer : make_gdrq_convolutional_layer;
    ASSERT_OK(make_layer(&l, 0, &options, &input, &training, &err));
    make_workspaces();
}

inline subject::~subject() {
    gdrq_device_free(workspace_gpu);
    gdrq_device_free(input.on_gpu);
    gdrq_quantised_free(&l);
    for (float *array : arrays)
        free(array);
    for (float *array : on_gpu)
        gdrq_device_free(array);
}

static inline gdrq_layer_options default_options() {
    gdrq_layer_options o;
    memset(&o, 0, sizeof o);
    o.weight_bits = o.activation_bits = 4;
    o.quant_groups = 1;
    o.k_weights = 2;
    o.k_activations = 3;
    o.search_norm = 2;
    o.threshold_rate = 1;
    o.threshold_decay = .0005f;
    o.activation_momentum = .1f;
    o.activation_range = GDRQ_RANGE_OFFSET;
    return o;
}

static inline void assert_close(const float *got, const float *expected, size_t n, double tolerance,
                                const char *what) {
    double largest = 1e-6;
    for (size_t i = 0; i < n; ++i)
        largest = fmax(largest, fabs((double)expected[i]));
    for (size_t i = 0; i < n; ++i)
        if (!(fabs((double)got[i] - expected[i]) <= tolerance * largest))
            fail_msg("%s[%zu]: %g instead of %g (largest %g)", what, i, (double)got[i],
                     (double)expected[i], largest);
}

/* What is on the GPU. */
static inline void assert_close_on_gpu(const float *got, const float *expected, size_t n,
                                       double tolerance, const char *what) {
    assert_close(pulled(got, n).data(), expected, n, tolerance, what);
}

static inline void fill(float *array, float *copy, size_t n, float deviation) {
    for (size_t i = 0; i < n; ++i)
        array[i] = deviation * random_normal();
    ASSERT_OK(gdrq_device_push(copy, array, n * sizeof(float), &err));
}

#endif
