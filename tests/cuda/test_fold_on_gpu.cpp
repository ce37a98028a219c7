/* Folding and verifying a layer that was trained on the GPU: what inference has there is what the
   folded one computes. */
#include <omp.h>
#include <unistd.h>

#include "layer_on_both.h"

#include "folded_pair.h"

extern "C" {
#include "quant/pack.h"
}

/* The sums of image 0, of the codes that the forward of a 1x1 layer has left. */
static std::vector<double> sums_of(const layer &l) {
    const gdrq_quantised_gpu *g = gdrq_quantised_state(&l)->gpu;
    const size_t positions = (size_t)l.w * l.h, channels = (size_t)l.c;
    const std::vector<float> weights = pulled(g->weight_codes, l.nweights);
    const std::vector<float> input = pulled(g->input_codes, channels * positions);
    std::vector<double> sums(l.n * positions, 0);
    for (size_t i = 0; i < sums.size(); ++i)
        for (size_t c = 0; c < channels; ++c)
            sums[i] += (double)weights[i / positions * channels + c] *
                       input[c * positions + i % positions];
    return sums;
}

/* Small, so that where epsilon is added matters. */
static void set_statistics(layer *l) {
    const size_t bytes = l->n * sizeof(float);
    for (int f = 0; f < l->n; ++f) {
        l->rolling_variance[f] = .0001f * (float)(f + 1);
        l->rolling_mean[f] = .01f * (float)f;
    }
    ASSERT_OK(gdrq_device_push(l->rolling_variance_gpu, l->rolling_variance, bytes, &err));
    ASSERT_OK(gdrq_device_push(l->rolling_mean_gpu, l->rolling_mean, bytes, &err));
}

static void check_fold(bool batch_normalize) {
    /* 1x1, so that a sum is one over channels. */
    const shape pointwise = {1, 5, 4, 3, 6, 1, 1, 1, 0, batch_normalize, LINEAR};
    subject s(pointwise, default_options());
    layer &l = s.l;
    gdrq_quantised *q = gdrq_quantised_state(&l);
    /* The second one moves T by what the first has seen. */
    l.forward_gpu(l, s.net(true, true));
    l.forward_gpu(l, s.net(true, true));
    ASSERT_OK(gdrq_quantised_gpu_pull(q, &err));
    if (batch_normalize)
        set_statistics(&l);
    l.forward_gpu(l, s.net(false, true));
    gdrq_quantised_fold(q, &l);
    const std::vector<double> sums = sums_of(l);
    const std::vector<float> output = pulled(l.output_gpu, sums.size());
    for (size_t i = 0; i < sums.size(); ++i) {
        const size_t f = i / ((size_t)l.w * l.h);
        assert_true(output[i] == q->scale[f] * (float)sums[i] + q->bias[f]);
    }
}

static void scale_and_bias_are_those_of_inference(void **) {
    const size_t memory = memory_in_use();
    check_fold(false);
    check_fold(true);
    assert_memory_in_use(memory);
}

/* ---- verifying ---- */

static const char *const folded_cfg =
    "[net]\nwidth=6\nheight=5\nchannels=3\n[folded_convolutional]\nweight_bits=4\n"
    "activation_bits=8\nactivation_range=unsigned\nfilters=8\nsize=3\npad=1\nactivation=leaky\n";

/* The trained layer as a network: pixels go in, and it has inferred. */
struct trained_network {
    subject s;
    network net;

    static gdrq_layer_options options() {
        gdrq_layer_options o = default_options();
        o.activation_bits = 8;
        return o;
    }
    trained_network() : s({1, 3, 5, 6, 8, 1, 3, 1, 1, true, LEAKY}, options()) {
        memset(&net, 0, sizeof net);
        net.n = 1;
        net.layers = &s.l;
        net.batch = 1;
        s.input.fixed = true;
        s.input.range = GDRQ_RANGE_UNSIGNED;
        s.input.threshold = 1;
        ASSERT_OK(gdrq_quantised_gpu_push(gdrq_quantised_state(&s.l), &err));
        set_statistics(&s.l);
        for (size_t i = 0; i < s.inputs(); ++i)
            s.x[i] = (float)random_int(0, 255) / 255.f;
        ASSERT_OK(gdrq_device_push(s.x_gpu, s.x, s.inputs() * sizeof(float), &err));
        s.l.forward_gpu(s.l, s.net(false, true));
        gdrq_tensor_classes *tensors = &gdrq_network_state_new(&net)->tensors;
        tensors->classes = (gdrq_running_threshold *)calloc(1, sizeof *tensors->classes);
        tensors->n = 1;
    }
    ~trained_network() {
        gdrq_network_state_free(&net);
    }
};

/* As gdrq_fold() has it. */
static void write_folded(trained_network *t, const gdrq_folded_network *f, const char *path) {
    gdrq_quantised *q = gdrq_quantised_state(&t->s.l);
    gdrq_quantised_fold(q, &t->s.l);
    const size_t n = q->filter_size, bytes = gdrq_packed_size(n, 4);
    std::vector<uint8_t> packed(bytes * q->filters);
    std::vector<int8_t> codes(n);
    for (int k = 0; k < q->filters; ++k) {
        for (size_t i = 0; i < n; ++i)
            codes[i] = (int8_t)q->weight_codes[k * n + i];
        gdrq_pack(codes.data(), n, 4, &packed[k * bytes]);
    }
    gdrq_folded_class input = {-1, 8, GDRQ_RANGE_UNSIGNED, q->grid};
    gdrq_folded_layer l = {0, 0, q->filters, 4, n, packed.data(), q->scale, q->bias, nullptr, 0};
    gdrq_folded file = {f->hash, &input, 1, &l, 1, nullptr, 0};
    ASSERT_OK(gdrq_folded_write(path, &file, &err));
}

static void a_folded_layer_is_verified(void **) {
    trained_network trained;
    parsed_network folded(folded_cfg, 0);
    char path[] = "/tmp/gdrq-test-XXXXXX";
    gdrq_layer_match match;
    memset(&match, 0, sizeof match);
    close(mkstemp(path));
    ASSERT_OK(folded.attach());
    write_folded(&trained, folded.folded(), path);
    ASSERT_OK(gdrq_folded_load(&folded.net, folded.folded(), path, &err));
    ASSERT_OK(gdrq_network_compare(&trained.net, &folded.net, &match, &err));
    assert_true(match.folded && match.exact);
    assert_int_equal(match.values, 8 * 5 * 6);
    assert_int_equal(match.equal_values, match.values);
    /* What differs is seen. */
    float *const output = trained.s.l.output_gpu + 7;
    push(output, std::vector<float>(1, pulled(output, 1)[0] + 1));
    ASSERT_OK(gdrq_network_compare(&trained.net, &folded.net, &match, &err));
    assert_int_equal(match.equal_values, match.values - 1);
    unlink(path);
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scale_and_bias_are_those_of_inference),
        cmocka_unit_test(a_folded_layer_is_verified),
    };
    omp_set_num_threads(1); /* for arrays as small as these */
    seed_random(20185);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
