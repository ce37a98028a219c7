/* The layers whose functions replace the host's on the GPU, against the CPU's. */
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <curand.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "device_watch.h"
#include "random_values.h"

extern "C" {
#include "primitives/cuda/layers_gpu.h"
#include "primitives/dropout_layer.h"
#include "primitives/region_layer.h"
#include "primitives/reorg_layer.h"
#include "primitives/softmax_layer.h"
#include "primitives/upsample_layer.h"
#include "primitives/yolo_layer.h"
void cuda_random(float *x, size_t n);
}

using std::vector;

typedef void layer_function(layer l, network net);

static gdrq_error err;

static void replace(layer *l) {
    ASSERT_OK(gdrq_replace_layer_functions_gpu(l, 7, &err));
}

enum { BATCH = 2, W = 5, H = 4, ANCHORS = 3, CLASSES = 4, TRUTHS = 6, ROW = 4 + 1 };
enum { OUTPUTS = W * H * ANCHORS * (4 + 1 + CLASSES), ALL = BATCH * OUTPUTS };

/* The layer once for the CPU and once for the GPU, and what it reads and hands on. */
struct subject {
    layer cpu, gpu;
    network net;
    float costs[2] = {-1, -1};
    size_t seen = 20000;
    int mask[ANCHORS] = {0, 1, 2};
    float anchors[2 * ANCHORS] = {1.3f, 1.7f, 3.2f, 4, .6f, .8f};
    vector<float> input, truth, given, output, delta, output_of_gpu, delta_of_gpu;
    device_array<float> input_gpu, given_gpu, output_gpu, delta_gpu;

    explicit subject(LAYER_TYPE type)
        : input(random_values(ALL, 2)), truth(BATCH * TRUTHS * ROW), given(random_values(ALL, 1)),
          output(ALL, 5), delta(ALL, 5), output_of_gpu(ALL, 7), delta_of_gpu(ALL, 7),
          input_gpu(input), given_gpu(given), output_gpu(output_of_gpu), delta_gpu(delta_of_gpu) {
        memset(&cpu, 0, sizeof cpu);
        cpu.type = type;
        cpu.batch = BATCH, cpu.w = W, cpu.h = H, cpu.n = cpu.total = ANCHORS;
        cpu.classes = CLASSES, cpu.coords = 4, cpu.inputs = cpu.outputs = OUTPUTS;
        cpu.truths = TRUTHS * ROW, cpu.max_boxes = TRUTHS;
        cpu.biases = anchors, cpu.mask = mask;
        cpu.ignore_thresh = cpu.thresh = .4f, cpu.truth_thresh = 1;
        cpu.softmax = 1, cpu.coord_scale = cpu.class_scale = 1;
        cpu.object_scale = 5, cpu.noobject_scale = .5f;
        gpu = cpu;
        cpu.output = output.data(), cpu.delta = delta.data(), cpu.cost = &costs[0];
        gpu.output = output_of_gpu.data(), gpu.delta = delta_of_gpu.data(), gpu.cost = &costs[1];
        gpu.output_gpu = output_gpu, gpu.delta_gpu = delta_gpu;
        memset(&net, 0, sizeof net);
        net.batch = BATCH, net.w = 13, net.h = 11, net.seen = &seen;
        net.input_gpu = input_gpu, net.delta_gpu = given_gpu;
        net.truth = truth.data();
        make_truths();
        replace(&gpu);
    }
    /* The last of each image has a class that there is not. */
    void make_truths() {
        for (int i = 0; i < BATCH * TRUTHS; ++i)
            for (int k = 0; k < ROW; ++k)
                truth[i * ROW + k] = k == 4  ? (float)(i % TRUTHS)
                                     : k < 2 ? (float)random_int(5, 95) / 100
                                             : (float)random_int(10, 60) / 100;
    }
};

static void assert_same(const vector<float> &got, const vector<float> &expected, const char *what) {
    for (size_t i = 0; i < expected.size(); ++i)
        if (got[i] != expected[i])
            fail_msg("%s[%zu]: %g instead of %g", what, i, (double)got[i], (double)expected[i]);
}

static void check(LAYER_TYPE type, layer_function *forward, layer_function *backward) {
    subject s(type);
    network on_cpu = s.net;
    on_cpu.input = s.input.data();
    on_cpu.delta = s.given.data();
    s.net.input = nullptr; /* folded networks have none there */
    for (int train : {1, 0}) {
        s.net.train = on_cpu.train = train;
        forward(s.cpu, on_cpu);
        s.gpu.forward_gpu(s.gpu, s.net);
        assert_same(s.output_gpu.pull(), s.output, "output");
        assert_same(s.output_of_gpu, s.output, "the host's output");
        assert_true(s.costs[0] == s.costs[1] && s.costs[0] > 0);
        if (!train)
            continue;
        backward(s.cpu, on_cpu);
        s.gpu.backward_gpu(s.gpu, s.net);
        assert_same(s.delta_gpu.pull(), s.delta, "delta");
        assert_same(s.given_gpu.pull(), s.given, "net.delta");
    }
}

static void yolo_is_as_on_the_cpu(void **) {
    check(YOLO, gdrq_forward_yolo_layer, gdrq_backward_yolo_layer);
}

static void region_is_as_on_the_cpu(void **) {
    check(REGION, gdrq_forward_region_layer, gdrq_backward_region_layer);
}

/* As in a folded network. */
static void inference_needs_no_gradient_on_the_gpu(void **) {
    for (LAYER_TYPE type : {YOLO, REGION}) {
        subject s(type);
        s.gpu.delta_gpu = s.net.delta_gpu = nullptr;
        s.net.truth = nullptr;
        s.gpu.forward_gpu(s.gpu, s.net);
        for (float v : s.output_gpu.pull())
            assert_true(v != 7);
    }
}

static void others_keep_their_functions(void **) {
    layer l;
    memset(&l, 0, sizeof l);
    l.type = MAXPOOL;
    replace(&l);
    assert_true(!l.forward_gpu && !l.backward_gpu);
}

/* ---- layers that hand values on ---- */

static size_t of_batch(int n) {
    return BATCH * (size_t)n;
}

/* A layer of `inputs` and `outputs` values an image once for the CPU and once for the GPU. */
struct twins {
    layer cpu, gpu;
    network on_cpu, on_gpu;
    float costs[2] = {-1, -1};
    vector<float> input, truth, given, output, delta, loss, random, loss_of_gpu;
    device_array<float> input_gpu, truth_gpu, given_gpu, output_gpu, delta_gpu, loss_gpu;

    twins(LAYER_TYPE type, int inputs, int outputs)
        : input(random_values(of_batch(inputs), 3)), truth(of_batch(outputs)),
          given(random_values(of_batch(inputs), 1)), output(of_batch(outputs), 5),
          delta(random_values(of_batch(outputs), 1)), loss(of_batch(outputs)),
          random(of_batch(inputs)), loss_of_gpu(of_batch(outputs)), input_gpu(input),
          truth_gpu(truth), given_gpu(given), output_gpu(output), delta_gpu(delta), loss_gpu(loss) {
        memset(&cpu, 0, sizeof cpu);
        cpu.type = type;
        cpu.batch = BATCH, cpu.inputs = inputs, cpu.outputs = outputs;
        cpu.stride = cpu.groups = 1, cpu.scale = cpu.temperature = 1;
        cpu.output = output.data(), cpu.delta = delta.data(), cpu.loss = loss.data();
        cpu.rand = random.data(), cpu.cost = &costs[0];
        memset(&on_cpu, 0, sizeof on_cpu);
        on_cpu.batch = BATCH, on_cpu.train = 1;
        on_cpu.input = input.data(), on_cpu.delta = given.data();
        on_gpu = on_cpu;
        on_gpu.input = on_gpu.delta = nullptr;
        on_gpu.input_gpu = input_gpu, on_gpu.delta_gpu = given_gpu;
    }
    /* After `cpu` has all its numbers. */
    void finish() {
        gpu = cpu;
        gpu.output = gpu.delta = nullptr;
        gpu.loss = loss_of_gpu.data(), gpu.cost = &costs[1];
        gpu.output_gpu = output_gpu, gpu.delta_gpu = delta_gpu, gpu.loss_gpu = loss_gpu;
        replace(&gpu);
    }
    void set_truth(const vector<float> &values) {
        truth = values;
        truth_gpu.push(values);
        on_cpu.truth = on_gpu.truth = truth.data();
        on_gpu.truth_gpu = truth_gpu;
    }
    void check_forward(layer_function *forward) {
        forward(cpu, on_cpu);
        gpu.forward_gpu(gpu, on_gpu);
        assert_same(output_gpu.pull(), output, "output");
    }
    void check_backward(layer_function *backward) {
        backward(cpu, on_cpu);
        gpu.backward_gpu(gpu, on_gpu);
        assert_same(given_gpu.pull(), given, "net.delta");
        on_gpu.delta_gpu = nullptr; /* of a first layer */
        gpu.backward_gpu(gpu, on_gpu);
    }
};

static void upsampling(void **) {
    for (int stride : {1, 2, 3})
        for (int reverse : {0, 1}) {
            const int w = 5, h = 3, c = 4, small = w * h * c, large = small * stride * stride;
            twins t(UPSAMPLE, reverse ? large : small, reverse ? small : large);
            t.cpu.w = reverse ? w * stride : w, t.cpu.h = reverse ? h * stride : h;
            t.cpu.out_w = reverse ? w : w * stride, t.cpu.out_h = reverse ? h : h * stride;
            t.cpu.c = t.cpu.out_c = c;
            t.cpu.stride = stride, t.cpu.reverse = reverse, t.cpu.scale = .7f;
            t.finish();
            t.check_forward(gdrq_forward_upsample_layer);
            t.check_backward(gdrq_backward_upsample_layer);
        }
}

/* Adds to what other readers of the input have left, as the CPU's does. */
static void reorganising(void **) {
    for (int flatten : {0, 1})
        for (int reverse : {0, 1})
            for (int extra : {0, 3}) {
                const int inputs = 6 * 4 * 8;
                twins t(REORG, inputs, inputs + extra);
                t.cpu.w = 6, t.cpu.h = 4, t.cpu.c = 8, t.cpu.stride = 2;
                t.cpu.flatten = flatten, t.cpu.reverse = reverse, t.cpu.extra = extra;
                if (flatten && extra) /* which is none then */
                    continue;
                t.finish();
                t.check_backward(gdrq_backward_reorg_layer);
            }
}

/* A third of the classes is unknown, one is the truth's, the others have none. */
static vector<float> random_truth(int classes) {
    vector<float> truth(of_batch(classes));
    for (int i = 0; i < BATCH * classes; ++i)
        truth[i] = i % 3 == 0   ? (float)SECRET_NUM
                   : i % 3 == 1 ? (float)random_int(0, 100) / 100
                                : 0;
    return truth;
}

static void check_softmax(twins *t, const vector<float> &truth) {
    t->finish();
    t->set_truth(truth);
    t->check_forward(gdrq_forward_softmax_layer);
    assert_same(t->delta_gpu.pull(), t->delta, "delta");
    for (size_t i = 0; i < t->loss.size(); ++i)
        assert_float_equal(t->loss_of_gpu[i], t->loss[i], 1e-6f * (1 + fabsf(t->loss[i])));
    assert_float_equal(t->costs[1], t->costs[0], 1e-5f * t->costs[0]);
    t->check_backward([](layer l, network net) { gdrq_backward_softmax_layer(l, net); });
}

static void softmax_of_groups(void **) {
    for (int groups : {1, 3})
        for (float temperature : {.01f, 1.f, 4.f}) { /* the first leaves probabilities of 0 */
            twins t(SOFTMAX, 300 * groups, 300 * groups);
            t.cpu.groups = groups, t.cpu.temperature = temperature;
            t.cpu.spatial = groups == 3; /* which the CPU does not know either */
            t.cpu.w = t.cpu.h = 10, t.cpu.c = 3 * groups;
            check_softmax(&t, random_truth(300 * groups));
            assert_true(t.costs[1] > 0 && t.costs[1] < FLT_MAX);
        }
}

static void softmax_of_a_tree(void **) {
    int sizes[] = {3, 1, 40, 6}, offsets[] = {0, 3, 4, 44};
    tree hierarchy;
    memset(&hierarchy, 0, sizeof hierarchy);
    hierarchy.groups = 4, hierarchy.n = 50;
    hierarchy.group_size = sizes, hierarchy.group_offset = offsets;
    twins t(SOFTMAX, 50, 50);
    t.cpu.softmax_tree = &hierarchy;
    check_softmax(&t, random_truth(50));
    gdrq_device_free(t.gpu.indexes_gpu); /* as the host does with the layer */
}

static void softmax_without_a_loss(void **) {
    for (int noloss : {0, 1}) {
        twins t(SOFTMAX, 20, 20);
        t.cpu.noloss = noloss;
        t.finish();
        if (noloss)
            t.set_truth(random_truth(20));
        t.check_forward(gdrq_forward_softmax_layer);
        assert_same(t.delta_gpu.pull(), t.delta, "delta");
        assert_true(t.costs[1] == -1);
    }
}

/* What a shortcut that reads the same tensor has left in net.delta stays in the sum. */
static void activations_add_their_gradient(void **) {
    twins t(ACTIVE, 60, 60);
    t.cpu.activation = LEAKY;
    t.finish();
    const vector<float> values = random_values(of_batch(60), 1), delta = t.delta;
    t.output_gpu.push(values);
    t.gpu.backward_gpu(t.gpu, t.on_gpu);
    const vector<float> sum = t.given_gpu.pull();
    for (size_t i = 0; i < sum.size(); ++i)
        assert_true(sum[i] == t.given[i] + (values[i] > 0 ? 1 : .1f) * delta[i]);
}

static void batch_norms_add_their_gradient(void **) {
    enum { C = 3, SPATIAL = 8 };
    twins t(BATCHNORM, C * SPATIAL, C * SPATIAL);
    t.cpu.w = t.cpu.out_w = 4, t.cpu.h = t.cpu.out_h = 2, t.cpu.c = t.cpu.out_c = C;
    t.finish();
    const vector<float> per_channel(C, 1.5f);
    device_array<float> scales(per_channel), scale_updates(per_channel), bias_updates(per_channel),
        mean(per_channel), variance(per_channel), mean_delta(per_channel),
        variance_delta(per_channel), x(random_values(of_batch(C * SPATIAL), 1)),
        x_norm(random_values(of_batch(C * SPATIAL), 1));
    t.gpu.scales_gpu = scales, t.gpu.scale_updates_gpu = scale_updates;
    t.gpu.bias_updates_gpu = bias_updates;
    t.gpu.mean_gpu = mean, t.gpu.variance_gpu = variance;
    t.gpu.mean_delta_gpu = mean_delta, t.gpu.variance_delta_gpu = variance_delta;
    t.gpu.x_gpu = x, t.gpu.x_norm_gpu = x_norm;
    t.gpu.backward_gpu(t.gpu, t.on_gpu);
    const vector<float> sum = t.given_gpu.pull(), own = t.delta_gpu.pull();
    for (size_t i = 0; i < sum.size(); ++i)
        assert_true(own[i] != t.delta[i] && sum[i] == t.given[i] + own[i]);
}

/* ---- random numbers ---- */

/* Of one seed the GPU draws what the CPU does: the same values are dropped. */
static void draws_are_the_cpus(void **) {
    twins t(DROPOUT, 1000, 1000);
    t.cpu.probability = .4f;
    device_array<float> on_gpu(of_batch(1000));
    srand(31);
    gdrq_forward_dropout_layer(t.cpu, t.on_cpu);
    srand(31);
    cuda_random(on_gpu, of_batch(1000));
    assert_same(on_gpu.pull(), t.random, "draw");
    cuda_random(on_gpu, of_batch(1000));
    assert_true(on_gpu.pull() != t.random);
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yolo_is_as_on_the_cpu),
        cmocka_unit_test(region_is_as_on_the_cpu),
        cmocka_unit_test(inference_needs_no_gradient_on_the_gpu),
        cmocka_unit_test(others_keep_their_functions),
        cmocka_unit_test(upsampling),
        cmocka_unit_test(reorganising),
        cmocka_unit_test(softmax_of_groups),
        cmocka_unit_test(softmax_of_a_tree),
        cmocka_unit_test(softmax_without_a_loss),
        cmocka_unit_test(activations_add_their_gradient),
        cmocka_unit_test(batch_norms_add_their_gradient),
        cmocka_unit_test(draws_are_the_cpus),
    };
    omp_set_num_threads(1); /* for arrays as small as these */
    seed_random(20186);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
