/* What a resize does to a network whose arrays are on the GPU. */
#include <algorithm>
#include <omp.h>

#include "one_layer_network.h"

extern "C" {
#include "host/resize.h"
}

static const shape GROUPED = {2, 4, 6, 8, 6, 2, 3, 2, 1, false, LEAKY};
static const shape DEPTHWISE = {2, 4, 9, 7, 4, 4, 3, 1, 1, true, LEAKY};

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

static void nothing_is_left_on_the_gpu(void **) {
    const size_t before = memory_in_use();
    check_resize(NORMALISED);
    assert_memory_in_use(before);
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_resized),
        cmocka_unit_test(batch_norm_is_resized),
        cmocka_unit_test(networks_stay_as_they_are_without_memory),
        cmocka_unit_test(a_size_that_is_not_the_largest_takes_no_memory),
        cmocka_unit_test(a_network_grows_where_it_does_not_fit_twice),
        cmocka_unit_test(shared_arrays_are_followed),
        cmocka_unit_test(nothing_is_left_on_the_gpu),
    };
    omp_set_num_threads(1); /* for arrays as small as these */
    seed_random(20188);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
