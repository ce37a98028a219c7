/* Folded networks as the GPU runs them against the CPU: every tensor in every form that both have,
   to the bit. */
#include "device_watch.h"
#include "guarded_array.h"
#include "random_codes.h"

#include "infer/cuda/gpu_plan.h"

using std::vector;

static gdrq_error err;

static void halve(float *x, size_t n, int which) {
    for (size_t i = 0; i < n; ++i)
        x[i] = x[i] / 2 + (float)which;
}

/* In the place of a function that queues a kernel. */
static void halve_on_gpu(float *x, size_t n, int which) {
    vector<float> values = pulled(x, n);
    halve(values.data(), n, which);
    push(x, values);
}

static gdrq_int_activation on_gpu(gdrq_int_activation activation) {
    if (activation.function)
        activation.function = halve_on_gpu;
    return activation;
}

/* A network that grows layer by layer, with the numbers of both devices. */
struct network {
    int capability = code_capability();
    gdrq_tensor_shape input;
    vector<gdrq_node> nodes, gpu_nodes;
    vector<vector<int>> reads;
    vector<gdrq_node_weights> weights;
    vector<gdrq_cuda_weights> gpu_weights;
    vector<gdrq_grid> grids;
    gdrq_plan *plan = nullptr;
    gdrq_cuda_plan *gpu_plan = nullptr;

    ~network() {
        for (gdrq_node_weights &w : weights)
            gdrq_node_weights_free(&w);
        for (gdrq_cuda_weights &w : gpu_weights)
            gdrq_cuda_weights_free(&w);
        gdrq_plan_free(plan);
        gdrq_cuda_plan_free(gpu_plan);
    }
    gdrq_tensor_shape shape(int tensor) const {
        return tensor < 0 ? input : nodes[(size_t)tensor].out;
    }
    gdrq_node &add(gdrq_node_kind kind, vector<int> its_reads, gdrq_tensor_shape out) {
        gdrq_node node = {};
        node.kind = kind;
        node.n_reads = (int)its_reads.size();
        node.in = shape(its_reads[0]);
        node.out = out;
        node.size = node.stride = node.groups = 1;
        reads.push_back(its_reads);
        nodes.push_back(node);
        return nodes.back();
    }
    void conv(int read, int filters, int size, int stride, int groups) {
        const gdrq_tensor_shape in = shape(read);
        const int pad = size / 2;
        gdrq_node &node = add(
            GDRQ_NODE_CONV, {read},
            {(in.w + 2 * pad - size) / stride + 1, (in.h + 2 * pad - size) / stride + 1, filters});
        node.size = size;
        node.stride = stride;
        node.pad = pad;
        node.groups = groups;
        node.limits = {255, random_int(0, 1) ? 7 : 127};
    }
    void connected(int read, int filters) {
        const gdrq_tensor_shape in = shape(read);
        gdrq_node &node = add(GDRQ_NODE_CONV, {read}, {1, 1, filters});
        node.flat = true;
        node.in = {1, 1, in.w * in.h * in.c};
        node.limits = {255, 7};
    }
    void shortcut(int read, int other, gdrq_int_activation activation) {
        gdrq_node &node = add(GDRQ_NODE_SHORTCUT, {read, other}, shape(read));
        node.shortcut.a = 1;
        node.shortcut.b = .5f;
        node.shortcut.activation = activation;
    }
    void maxpool(int read, int size, int stride, int pad) {
        const gdrq_tensor_shape in = shape(read);
        gdrq_node &node =
            add(GDRQ_NODE_MAXPOOL, {read},
                {(in.w + pad - size) / stride + 1, (in.h + pad - size) / stride + 1, in.c});
        node.size = size;
        node.stride = stride;
        node.pad = pad;
    }
    void make_weights(size_t i, gdrq_int_activation activation) {
        gdrq_node &node = nodes[i];
        gdrq_node_weights &w = weights[i];
        node.rises = activation.kind != GDRQ_INT_OTHER;
        const size_t size = (size_t)(node.size * node.size) * (node.in.c / node.groups);
        ASSERT_OK(gdrq_node_weights_make(&w, node.out.c, size, &err));
        for (size_t k = 0; k < size * node.out.c; ++k) {
            w.codes[k] = (int8_t)random_int(-node.limits.weight, node.limits.weight);
            w.sums[k / size] += w.codes[k];
        }
        for (int f = 0; f < node.out.c; ++f) {
            ((float *)w.epilogue.scale)[f] =
                (float)((1 + random_unit()) / (200. * node.limits.weight * sqrt((double)size)));
            ((float *)w.epilogue.bias)[f] = .3f * random_normal();
        }
        w.epilogue.activation = on_gpu(activation);
        ASSERT_OK(gdrq_cuda_weights_make(&node, &w, capability, &gpu_weights[i], &err));
        w.epilogue.activation = activation;
        ASSERT_OK(gdrq_node_weights_pack(&w, &node, -grids[(size_t)node.input_class].min, &err));
    }
    void finish() {
        for (size_t i = 0; i < nodes.size(); ++i)
            nodes[i].reads = reads[i].data();
        weights.resize(nodes.size());
        gpu_weights.resize(nodes.size());
        for (size_t i = 0; i < nodes.size(); ++i)
            if (nodes[i].kind == GDRQ_NODE_CONV)
                make_weights(i, {i % 4 == 3   ? GDRQ_INT_OTHER
                                 : i % 4 == 1 ? GDRQ_INT_RELU
                                              : GDRQ_INT_LEAKY,
                                 halve, 1});
        const int n = (int)nodes.size();
        ASSERT_OK(gdrq_plan_make(nodes.data(), n, input, &plan, &err));
        gpu_nodes = nodes;
        for (gdrq_node &node : gpu_nodes)
            node.shortcut.activation = on_gpu(node.shortcut.activation);
        ASSERT_OK(gdrq_cuda_plan_make(gpu_nodes.data(), n, input, &gpu_plan, &err));
        ASSERT_OK(gdrq_plan_reserve(plan, 2, &err));
        ASSERT_OK(gdrq_cuda_plan_reserve(gpu_plan, 2, gpu_weights.data(), &err));
    }
};

template <class T>
static void check_tensor(int i, const char *form, const T *on_gpu, const T *expected, size_t n) {
    vector<T> got(n);
    ASSERT_OK(gdrq_device_pull(got.data(), on_gpu, n * sizeof(T), &err));
    if (memcmp(got.data(), expected, n * sizeof(T)))
        fail_msg("tensor %d: %s differ", i, form);
}

/* The CPU's codes, which may lie between others in a route. */
static vector<uint8_t> gathered(const network &net, int i, int b) {
    const size_t channels = (size_t)net.shape(i).c, pixel = gdrq_plan_pixel(net.plan, i);
    const uint8_t *const codes = gdrq_plan_codes(net.plan, i, b);
    vector<uint8_t> all(gdrq_tensor_size(net.shape(i)));
    for (size_t k = 0; k < all.size(); ++k)
        all[k] = codes[k / channels * pixel + k % channels];
    return all;
}

/* Whether CPU or GPU leave a tensor's codes or interleaved values out depends on what they fuse. */
static void check_forms(const network &net, int i, int b) {
    const gdrq_plan *gpu = gdrq_cuda_plan_forms(net.gpu_plan);
    const size_t n = gdrq_tensor_size(net.shape(i));
    if (gdrq_plan_has_codes(net.plan, i) && gdrq_plan_has_codes(gpu, i))
        check_tensor(i, "codes", gdrq_cuda_plan_codes(net.gpu_plan, i, b),
                     gathered(net, i, b).data(), n);
    if (gdrq_plan_is_interleaved(net.plan, i) && gdrq_plan_is_interleaved(gpu, i))
        check_tensor(i, "interleaved values", gdrq_cuda_plan_interleaved(net.gpu_plan, i, b),
                     gdrq_plan_interleaved(net.plan, i, b), n);
}

/* Runs both, node by node; what the host computes itself are any values. */
static void run(const network &net, int b) {
    const size_t inputs = gdrq_tensor_size(net.input);
    const vector<uint8_t> pixels = random_codes(inputs);
    memcpy(gdrq_plan_codes(net.plan, -1, b), pixels.data(), inputs);
    ASSERT_OK(
        gdrq_device_push(gdrq_cuda_plan_codes(net.gpu_plan, -1, b), pixels.data(), inputs, &err));
    for (int i = 0; i < (int)net.nodes.size(); ++i) {
        vector<float> values = random_floats(gdrq_tensor_size(net.shape(i)), 1);
        guarded_array<float> gpu_values(values);
        const bool has = gdrq_plan_has_values(net.plan, i);
        assert_int_equal(gdrq_plan_has_values(gdrq_cuda_plan_forms(net.gpu_plan), i), has);
        next_order();
        gdrq_plan_run(net.plan, i, b, &net.weights[(size_t)i], net.grids.data(),
                      has ? values.data() : nullptr);
        ASSERT_OK(gdrq_cuda_plan_run(net.gpu_plan, i, b, &net.gpu_weights[(size_t)i],
                                     net.grids.data(), has ? (float *)gpu_values : nullptr, &err));
        check_tensor(i, "values", (float *)gpu_values, values.data(), values.size());
        gpu_values.pull("values");
        check_forms(net, i, b);
    }
}

static void make_grids(network &net) {
    net.grids = {gdrq_activation_grid(8, GDRQ_RANGE_UNSIGNED, .1f, 1),
                 gdrq_activation_grid(4, GDRQ_RANGE_OFFSET, .1f, 2),
                 gdrq_activation_grid(8, GDRQ_RANGE_SIGNED, .1f, 2)};
}

/* Pools, a way back up, joined maps and a head whose values the host reads. */
static void run_detector(int capability) {
    network net;
    net.capability = capability;
    make_grids(net);
    net.input = {20, 12, 3};
    net.conv(-1, 8, 3, 1, 1);                                 /* 0 */
    net.maxpool(0, 2, 2, 1);                                  /* 1: fused on the CPU */
    net.conv(1, 16, 3, 1, 1);                                 /* 2 */
    net.maxpool(2, 2, 1, 1);                                  /* 3 */
    net.conv(3, 16, 3, 2, 16);                                /* 4: depthwise */
    net.conv(4, 12, 1, 1, 1);                                 /* 5 */
    net.add(GDRQ_NODE_UPSAMPLE, {5}, {10, 6, 12}).stride = 2; /* 6 */
    net.add(GDRQ_NODE_REORG, {0}, {10, 6, 32}).stride = 2;    /* 7 */
    net.add(GDRQ_NODE_ROUTE, {6, 7, 3}, {10, 6, 60});         /* 8 */
    net.add(GDRQ_NODE_SAME, {8}, {10, 6, 60});                /* 9 */
    net.conv(9, 21, 1, 1, 1);                                 /* 10 */
    net.add(GDRQ_NODE_FLOAT, {10}, {10, 6, 21});              /* 11 */
    for (size_t i = 2; i < net.nodes.size(); ++i)
        net.nodes[i].input_class = 1;
    net.nodes.back().result = true;
    net.finish();
    run(net, 0);
    run(net, 1);
}

static void a_detector(void **) {
    for (int capability : capabilities_to_test())
        run_detector(capability);
}

/* Shortcuts that are done by the convolution before them, and those that are not. */
static void a_residual_network(void **) {
    network net;
    make_grids(net);
    net.input = {9, 9, 3};
    net.conv(-1, 12, 3, 1, 1);                         /* 0 */
    net.maxpool(0, 3, 2, 2);                           /* 1 */
    net.conv(1, 8, 1, 1, 1);                           /* 2 */
    net.conv(2, 12, 3, 1, 1);                          /* 3 */
    net.shortcut(3, 1, {GDRQ_INT_RELU, nullptr, 0});   /* 4: fused */
    net.conv(4, 12, 3, 1, 2);                          /* 5 */
    net.shortcut(5, 4, {GDRQ_INT_OTHER, halve, 0});    /* 6: fused */
    net.conv(6, 12, 1, 1, 1);                          /* 7 */
    net.shortcut(7, 6, {GDRQ_INT_OTHER, halve, 2});    /* 8: by itself, as 7 is read */
    net.conv(7, 12, 1, 1, 1);                          /* 9 */
    net.add(GDRQ_NODE_CROP, {9}, {3, 2, 12});          /* 10 */
    net.conv(10, 5, 1, 1, 1);                          /* 11 */
    net.add(GDRQ_NODE_FLOAT, {8}, {5, 5, 12});         /* 12 */
    net.shortcut(12, 4, {GDRQ_INT_LEAKY, nullptr, 0}); /* 13 */
    net.conv(13, 6, 1, 1, 1);                          /* 14 */
    net.connected(14, 10);                             /* 15 */
    for (size_t i = 2; i < net.nodes.size(); ++i)
        net.nodes[i].input_class = 2;
    net.nodes[11].result = net.nodes[15].result = true;
    net.finish();
    run(net, 0);
    run(net, 1);
}

/* Maxpools that are done by the convolution before them, and those that are not. */
static void run_pools(int capability) {
    network net;
    net.capability = capability;
    make_grids(net);
    net.input = {19, 14, 3};
    net.conv(-1, 12, 3, 1, 1); /* 0 */
    net.maxpool(0, 2, 2, 1);   /* 1: fused, of an odd width */
    net.conv(1, 12, 3, 1, 12); /* 2: depthwise */
    net.maxpool(2, 2, 2, 1);   /* 3: by itself */
    net.conv(3, 34, 3, 1, 1);  /* 4 */
    net.maxpool(4, 2, 2, 1);   /* 5: fused */
    net.conv(5, 8, 1, 1, 1);   /* 6 */
    net.conv(6, 8, 1, 1, 1);   /* 7: of an activation that may fall */
    net.maxpool(7, 2, 2, 1);   /* 8: by itself */
    net.conv(8, 8, 1, 1, 1);   /* 9 */
    net.maxpool(9, 2, 1, 1);   /* 10: of overlapping windows, by itself */
    net.connected(10, 10);     /* 11 */
    for (size_t i = 2; i < net.nodes.size(); ++i)
        net.nodes[i].input_class = 2;
    net.nodes[11].result = true;
    net.finish();
    const gdrq_plan *forms = gdrq_cuda_plan_forms(net.gpu_plan);
    for (int i : {0, 4})
        assert_true(gdrq_plan_written(forms, i) == i + 1 && !gdrq_plan_has_codes(forms, i));
    for (int i : {2, 7, 9})
        assert_int_equal(gdrq_plan_written(forms, i), i);
    run(net, 0);
    run(net, 1);
}

static void a_pooled_network(void **) {
    for (int capability : capabilities_to_test())
        run_pools(capability);
}

/* Nothing is left behind, and nothing is lost that was there. */
static void memory_runs_out(void **) {
    skip_on_a_real_device();
    network net;
    make_grids(net);
    net.input = {9, 9, 3};
    net.conv(-1, 12, 3, 1, 1);
    net.conv(0, 12, 3, 1, 1);
    net.nodes[1].result = true;
    net.finish();
    uint8_t *const before = gdrq_cuda_plan_codes(net.gpu_plan, -1, 0);
    limit_memory(memory_in_use() + 100);
    assert_int_equal(gdrq_cuda_plan_reserve(net.gpu_plan, 3, net.gpu_weights.data(), &err),
                     GDRQ_ERROR_MEMORY);
    limit_memory(SIZE_MAX);
    assert_ptr_equal(gdrq_cuda_plan_codes(net.gpu_plan, -1, 0), before);
    run(net, 0);

    gdrq_node_weights weights;
    gdrq_cuda_weights gpu_weights;
    ASSERT_OK(gdrq_node_weights_make(&weights, 12, 27, &err));
    const size_t in_use = memory_in_use();
    const gdrq_int_conv conv = gdrq_node_conv(&net.nodes[0], &weights, 0);
    for (size_t room : {(size_t)0, gdrq_cuda_pixels.packed_size(&conv, &net.nodes[0].limits)}) {
        limit_memory(in_use + room);
        assert_int_equal(gdrq_cuda_weights_make(&net.nodes[0], &weights, 75, &gpu_weights, &err),
                         GDRQ_ERROR_MEMORY);
        assert_memory_in_use(in_use);
        assert_null(gpu_weights.packed);
    }
    limit_memory(SIZE_MAX);
    gdrq_node_weights_free(&weights);
}

/* Between the input's codes and the results, the host waits nowhere. */
static void the_host_does_not_wait(void **) {
    network net;
    make_grids(net);
    net.input = {9, 9, 3};
    net.conv(-1, 12, 3, 1, 1);
    net.maxpool(0, 2, 2, 1);
    net.conv(1, 12, 3, 1, 1);
    net.nodes[2].result = true;
    net.finish();
    device_array<float> values(gdrq_tensor_size(net.shape(2)));
    const unsigned long before = waits_so_far();
    for (int i = 0; i < 3; ++i)
        ASSERT_OK(gdrq_cuda_plan_run(net.gpu_plan, i, 0, &net.gpu_weights[(size_t)i],
                                     net.grids.data(), i == 2 ? (float *)values : nullptr, &err));
    assert_waits(before, 0);
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_detector),
        cmocka_unit_test(a_residual_network),
        cmocka_unit_test(a_pooled_network),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(the_host_does_not_wait),
    };
    seed_random(11);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
