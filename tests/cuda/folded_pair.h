/* A folded network on the CPU and on the GPU, from one cfg: parsed as far as its outline goes, with
   the layers that the host's parser would have made. */
#ifndef TESTS_CUDA_FOLDED_PAIR_H
#define TESTS_CUDA_FOLDED_PAIR_H

#include <string.h>

/* In C++, and so before darknet.h. */
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <curand.h>

#include "darknet.h"
#include "device_watch.h"
#include "random_data.h"

/* C++ has another word for it. */
#define _Noreturn [[noreturn]]
extern "C" {
#include "host/cuda/folded_gpu.h"
#include "host/cuda/folded_gpu_layers.h"
#include "host/folded_layer.h"
#include "host/network_state.h"
#include "host/resize.h"
#include "host/scratch_buffer.h"
#include "primitives/avgpool_layer.h"
#include "primitives/predict.h"
#include "primitives/segmentation_layer.h"
#include "primitives/softmax_layer.h"
}

#ifndef TESTS_CUDA_LAYER_ON_BOTH_H /* which has one, too */
static gdrq_error err;
#endif

/* What the host's layers do at inference. A head's is to hand on what it reads. */
static inline void forward_nothing(layer, network) {
}
static inline void forward_crop(layer l, network net) {
    const int left = (l.w - l.out_w) / 2, top = (l.h - l.out_h) / 2;
    for (int i = 0; i < l.batch * l.outputs; ++i) {
        const int x = i % l.out_w + left, y = i / l.out_w % l.out_h + top;
        l.output[i] = net.input[(i / (l.out_w * l.out_h) * l.h + y) * l.w + x] * 2 - 1;
    }
}
static inline void forward_head(layer l, network net) {
    memcpy(l.output, net.input, sizeof(float) * l.batch * l.outputs);
}
static inline void forward_head_on_gpu(layer l, network net) {
    cudaMemcpyAsync(l.output_gpu, net.input_gpu, sizeof(float) * l.batch * l.outputs,
                    cudaMemcpyDeviceToDevice);
    cudaMemcpy(l.output, l.output_gpu, sizeof(float) * l.batch * l.outputs, cudaMemcpyDeviceToHost);
}
static inline void forward_unexpected(layer l, network net) {
    fail_msg("the host's function of layer %d, of type %d, is called", net.index, (int)l.type);
}

/* One of both networks. */
struct parsed_network {
    gdrq_outline outline;
    network net;
    std::vector<layer> layers;
    gdrq_network_state *state;

    parsed_network(const char *cfg, int gpu_index);
    ~parsed_network();
    gdrq_status attach() {
        return gdrq_folded_attach(&net, &outline, &state->tensors, &state->folded, &err);
    }
    gdrq_folded_network *folded() {
        return state->folded;
    }

  private:
    layer make_layer(int i);
    void make_arrays(layer *l);
};

inline layer parsed_network::make_layer(int i) {
    const gdrq_outline_layer &o = outline.layers[i];
    layer l;
    memset(&l, 0, sizeof l);
    if (o.folded && o.type == CONNECTED)
        l = gdrq_make_folded_connected_layer(outline.batch, o.inputs, o.outputs, o.activation);
    else if (o.folded)
        l = gdrq_make_folded_convolutional_layer(outline.batch, o.h, o.w, o.c, o.filters, o.groups,
                                                 o.size, o.stride, o.pad, o.activation);
    if (o.folded)
        return l;
    l.type = o.type;
    l.batch = outline.batch;
    l.activation = o.activation;
    l.w = o.w, l.h = o.h, l.c = o.c, l.inputs = o.inputs;
    l.out_w = o.out_w, l.out_h = o.out_h, l.out_c = o.out_c, l.outputs = o.outputs;
    l.size = o.size, l.stride = o.stride, l.pad = o.pad;
    l.groups = 1;
    l.temperature = 1;
    l.classes = o.segmentation; /* how many does not matter, but that there are some */
    l.alpha = o.alpha, l.beta = o.beta;
    l.forward = l.type == AVGPOOL   ? gdrq_forward_avgpool_layer
                : l.type == SOFTMAX ? gdrq_forward_softmax_layer
                : l.type == YOLO    ? forward_head
                : l.type == CROP    ? forward_crop
                                    : forward_nothing;
    l.forward_gpu = l.type == YOLO                        ? forward_head_on_gpu
                    : l.type == DROPOUT || l.type == COST ? forward_nothing
                                                          : forward_unexpected;
    if (l.type == ROUTE) {
        l.n = o.n_reads;
        l.input_layers = (int *)calloc(o.n_reads, sizeof(int));
        l.input_sizes = (int *)calloc(o.n_reads, sizeof(int));
        for (int r = 0; r < o.n_reads; ++r)
            l.input_layers[r] = o.reads[r];
    }
    if (l.type == SHORTCUT)
        l.index = o.reads[1];
    return l;
}

inline void parsed_network::make_arrays(layer *l) {
    const size_t n = (size_t)l->batch * l->outputs;
    l->output = (float *)calloc(n, sizeof(float));
    l->delta = (float *)calloc(n, sizeof(float));
    if (net.gpu_index < 0)
        return;
    ASSERT_OK(gdrq_device_alloc((void **)&l->output_gpu, n, sizeof(float), "a test", &err));
    ASSERT_OK(gdrq_device_alloc((void **)&l->delta_gpu, n, sizeof(float), "a test", &err));
}

inline parsed_network::parsed_network(const char *cfg, int gpu_index) {
    ASSERT_OK(gdrq_outline_parse("a test", cfg, strlen(cfg), &outline, &err));
    memset(&net, 0, sizeof net);
    net.gpu_index = gpu_index;
    net.n = outline.n;
    net.batch = outline.batch;
    net.w = outline.w, net.h = outline.h, net.c = outline.c, net.inputs = outline.inputs;
    net.cost = (float *)calloc(1, sizeof(float));
    for (int i = 0; i < outline.n; ++i) {
        layer l = make_layer(i);
        if (l.type == DROPOUT)
            l.output = layers[i - 1].output, l.output_gpu = layers[i - 1].output_gpu;
        else if (!outline.layers[i].folded)
            make_arrays(&l);
        layers.push_back(l);
    }
    net.layers = layers.data();
    const size_t inputs = (size_t)net.batch * net.inputs;
    net.input = (float *)calloc(inputs, sizeof(float));
    if (gpu_index >= 0)
        ASSERT_OK(
            gdrq_device_alloc((void **)&net.input_gpu, inputs, sizeof(float), "a test", &err));
    state = gdrq_network_state_new(&net);
    ASSERT_OK(gdrq_tensor_classes_build(&outline, &state->tensors, &err));
}

inline parsed_network::~parsed_network() {
    gdrq_network_state_free(&net);
    for (layer &l : layers) {
        free(l.input_layers);
        free(l.input_sizes);
        if (l.type == DROPOUT)
            continue;
        free(l.output);
        free(l.delta);
        gdrq_device_free(l.output_gpu);
        gdrq_device_free(l.delta_gpu);
    }
    free(net.cost);
    free(net.input);
    free(net.truth);
    gdrq_device_free(net.input_gpu);
    gdrq_device_free(net.truth_gpu);
    gdrq_scratch_buffer_free(&net, net.workspace);
    gdrq_outline_free(&outline);
}

/* What the host's network_predict() does behind our hook, of a network on the GPU. */
static inline float *stock_network_predict(network *own, float *input) {
    network net = *own;
    net.truth = net.delta = nullptr;
    net.train = 0;
    cudaMemcpy(net.input_gpu, input, sizeof(float) * net.inputs * net.batch,
               cudaMemcpyHostToDevice);
    for (int i = 0; i < net.n; ++i) {
        const layer &l = net.layers[i];
        net.index = i;
        if (l.delta_gpu)
            cudaMemsetAsync(l.delta_gpu, 0, sizeof(float) * l.outputs * l.batch);
        l.forward_gpu(l, net);
        net.input_gpu = l.output_gpu;
        net.input = l.output;
    }
    const layer out = get_network_output_layer(&net);
    cudaMemcpy(out.output, out.output_gpu, sizeof(float) * out.outputs * out.batch,
               cudaMemcpyDeviceToHost);
    return own->output;
}

/* Both, with the same random weights. */
struct folded_pair {
    parsed_network cpu, gpu;

    explicit folded_pair(const char *cfg) : cpu(cfg, -1), gpu(cfg, 0) {
        for (parsed_network *p : {&cpu, &gpu}) {
            ASSERT_OK(p->attach());
            ASSERT_OK(gdrq_folded_randomise(p->folded(), &p->net, &err));
        }
    }
    void set_random_input() {
        for (int i = 0; i < cpu.net.inputs * cpu.net.batch; ++i)
            cpu.net.input[i] = gpu.net.input[i] = (float)random_int(0, 255) / 255.f;
    }
};

#endif
