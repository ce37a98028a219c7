/* [yolo] and [region] of networks on the GPU against the CPU's, to the bit. */
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <curand.h>
#include <omp.h>
#include <string.h>

#include "device_watch.h"
#include "random_values.h"

extern "C" {
#include "primitives/cuda/detection_head_gpu.h"
#include "primitives/region_layer.h"
#include "primitives/yolo_layer.h"
}

using std::vector;

typedef void layer_function(layer l, network net);

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
        gdrq_replace_detection_head_gpu(&gpu);
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
    gdrq_replace_detection_head_gpu(&l);
    assert_true(!l.forward_gpu && !l.backward_gpu);
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yolo_is_as_on_the_cpu),
        cmocka_unit_test(region_is_as_on_the_cpu),
        cmocka_unit_test(inference_needs_no_gradient_on_the_gpu),
        cmocka_unit_test(others_keep_their_functions),
    };
    omp_set_num_threads(1); /* for arrays as small as these */
    seed_random(20186);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
