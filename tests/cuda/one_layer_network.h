/* Networks of one quantised layer, with arrays on both sides. */
#ifndef TESTS_CUDA_ONE_LAYER_NETWORK_H
#define TESTS_CUDA_ONE_LAYER_NETWORK_H

#include "layer_on_both.h"

extern "C" {
#include "host/network_state.h"
}

static const shape NORMALISED = {2, 3, 9, 7, 4, 1, 3, 1, 1, true, LEAKY};

static inline gdrq_layer_options learning_options() {
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

static inline void set_all(float *array, size_t n, float value) {
    push(array, std::vector<float>(n, value));
}

static inline void assert_all(const float *array, size_t n, float value) {
    for (float v : pulled(array, n))
        assert_true(v == value);
}

#endif
