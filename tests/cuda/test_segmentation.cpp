/* [segmentation] on the GPU against the CPU's layer: probabilities and gradients to the bit, the
   loss to its rounding. */
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <curand.h>
#include <float.h>
#include <omp.h>

#include "device_watch.h"
#include "guarded_array.h"
#include "random_values.h"

extern "C" {
#include "primitives/cuda/segmentation_layer_gpu.h"
#include "primitives/segmentation_layer.h"
}

using std::vector;

static gdrq_error err;

/* The layer with its arrays on both, as the host makes them of a [softmax]. */
struct subject {
    layer l = {};
    network net = {};
    float cost = -1;
    size_t n, pixels;
    vector<float> scores, truth, given, output, delta, loss;
    guarded_array<float> scores_gpu, truth_gpu, given_gpu, output_gpu, delta_gpu, loss_gpu;

    subject(int batch, int classes, int w, int h, float spread)
        : n((size_t)batch * classes * w * h), pixels((size_t)w * h),
          scores(random_values(n, spread)), truth((size_t)batch * pixels),
          given(random_values(n, 1)), output(n), delta(n), loss(n), scores_gpu(scores),
          truth_gpu(truth), given_gpu(given), output_gpu(n), delta_gpu(n), loss_gpu(n) {
        l.type = SOFTMAX;
        l.batch = batch, l.w = w, l.h = h, l.c = classes;
        l.inputs = l.outputs = classes * w * h;
        l.output = output.data(), l.delta = delta.data(), l.loss = loss.data();
        l.output_gpu = output_gpu, l.delta_gpu = delta_gpu, l.loss_gpu = loss_gpu;
        l.cost = &cost;
        float *weights = (float *)malloc((size_t)classes * sizeof *weights);
        for (int c = 0; c < classes; ++c)
            weights[c] = c == 3 ? 0 : .5f + (float)random_unit();
        gdrq_make_segmentation_layer(&l, weights);
        ASSERT_OK(gdrq_make_segmentation_layer_gpu(&l, 7, &err));
        net.input = scores.data(), net.delta = given.data();
        net.input_gpu = scores_gpu, net.delta_gpu = given_gpu, net.truth_gpu = truth_gpu;
        for (float &t : truth)
            t = (float)random_int(-1, classes - 1);
    }
    ~subject() {
        gdrq_device_free(l.scales_gpu);
        free(l.scales);
    }
    subject(const subject &) = delete;
};

static void assert_same(const vector<float> &got, const vector<float> &expected, const char *what) {
    for (size_t i = 0; i < got.size(); ++i)
        if (memcmp(&got[i], &expected[i], sizeof(float)))
            fail_msg("%s[%zu]: %.9g instead of %.9g", what, i, (double)got[i], (double)expected[i]);
}

static void check(subject *s) {
    s->net.truth = s->truth.data();
    push((float *)s->truth_gpu, s->truth);
    next_order();
    s->l.forward(s->l, s->net);
    const double cost = s->cost;
    s->cost = -1;
    const unsigned long waits = waits_so_far();
    s->l.forward_gpu(s->l, s->net);
    assert_waits(waits, 1); /* for the cost */
    assert_near(s->cost, cost, 2e-6, 1e-9, "cost");
    assert_same(s->output_gpu.pull("output"), s->output, "output");
    assert_same(s->delta_gpu.pull("delta"), s->delta, "delta");
    s->loss_gpu.pull("loss");
    s->l.backward(s->l, s->net);
    s->l.backward_gpu(s->l, s->net);
    assert_same(s->given_gpu.pull("net.delta"), s->given, "net.delta");
}

static const struct {
    int batch, classes, w, h;
} SHAPES[] = {{3, 5, 37, 29}, {1, 11, 16, 16}, {2, 2, 1, 1}, {4, 1, 20, 15}, {2, 150, 23, 7}};

static void agrees_with_the_cpu(void **) {
    for (const auto &c : SHAPES)
        for (float spread : {.5f, 3.f, 60.f}) {
            subject s(c.batch, c.classes, c.w, c.h, spread);
            check(&s);
            check(&s); /* what the first left in the room to work in does not matter */
        }
}

static void void_has_neither_loss_nor_gradient(void **) {
    const float void_truths[] = {-1, 5, 255, NAN, INFINITY, -INFINITY};
    subject s(3, 5, 37, 29, 2);
    for (size_t i = 0; i < s.truth.size(); ++i)
        s.truth[i] = void_truths[i % 6];
    check(&s);
    assert_true(s.cost == 0);
    for (float d : s.delta)
        assert_true(d == 0);
    s.truth[7] = 3; /* the class that weighs nothing */
    check(&s);
    assert_true(s.cost == 0);
    s.truth[s.pixels + 7] = 2; /* the only pixel of its image */
    check(&s);
    assert_true(s.cost > 0);
}

static void far_and_broken_scores(void **) {
    subject s(1, 4, 8, 8, 1);
    for (size_t i = 0; i < s.pixels; ++i)
        s.scores[i] = 1000;
    push((float *)s.scores_gpu, s.scores);
    check(&s);
    assert_true(s.cost < 3000 && s.cost > 100);
    s.scores[5] = NAN;
    push((float *)s.scores_gpu, s.scores);
    s.net.truth = s.truth.data();
    s.l.forward_gpu(s.l, s.net);
    assert_true(isnan(s.cost) || s.truth[5] < 0 || s.truth[5] == 3); /* training stops at it */
}

/* Without truth, as in network_predict(), there is nothing but probabilities to find. */
static void predicts(void **) {
    subject s(2, 6, 19, 11, 3);
    const vector<float> before = s.delta_gpu.pull("delta");
    const unsigned long waits = waits_so_far();
    s.l.forward_gpu(s.l, s.net);
    assert_waits(waits, 0);
    s.l.forward(s.l, s.net);
    assert_same(s.output_gpu.pull("output"), s.output, "output");
    assert_same(s.delta_gpu.pull("delta"), before, "delta");
    assert_true(s.cost == -1);
    s.net.delta_gpu = nullptr;
    s.l.backward_gpu(s.l, s.net);
}

/* After set_batch_network(). */
static void takes_smaller_batches(void **) {
    subject s(4, 5, 21, 13, 2);
    s.l.batch = 1;
    s.net.truth = s.truth.data();
    push((float *)s.truth_gpu, s.truth);
    const vector<float> before = s.output_gpu.pull("output");
    s.l.forward(s.l, s.net);
    const double cost = s.cost;
    s.l.forward_gpu(s.l, s.net);
    assert_near(s.cost, cost, 2e-6, 1e-9, "cost");
    const vector<float> after = s.output_gpu.pull("output");
    assert_same({after.begin() + s.l.inputs, after.end()},
                {before.begin() + s.l.inputs, before.end()}, "output of other images");
}

static void running_out_of_memory_names_the_layer(void **) {
    skip_on_a_real_device();
    subject s(1, 5, 4, 4, 1);
    layer l = s.l;
    limit_memory(memory_in_use());
    assert_int_equal(gdrq_make_segmentation_layer_gpu(&l, 7, &err), GDRQ_ERROR_MEMORY);
    limit_memory(SIZE_MAX);
    assert_non_null(strstr(err.message, "layer 7"));
    assert_null(l.scales_gpu);
}

static volatile float smallest_normal = FLT_MIN, its_half[3];

/* Results that are compared to the bit may be such; libdarknet, which is linked here, would have
   the CPU make 0 of them. */
static void denormals_are_kept(void **) {
#pragma omp parallel for num_threads(3)
    for (int i = 0; i < 3; ++i)
        its_half[i] = smallest_normal / 2;
    for (int i = 0; i < 3; ++i) {
        const float half = its_half[i];
        uint32_t bits;
        memcpy(&bits, &half, sizeof bits);
        assert_int_equal(bits, 1u << 22);
    }
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(denormals_are_kept),
        cmocka_unit_test(agrees_with_the_cpu),
        cmocka_unit_test(void_has_neither_loss_nor_gradient),
        cmocka_unit_test(far_and_broken_scores),
        cmocka_unit_test(predicts),
        cmocka_unit_test(takes_smaller_batches),
        cmocka_unit_test(running_out_of_memory_names_the_layer),
    };
    omp_set_num_threads(1); /* for arrays as small as these */
    seed_random(20190);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
