#include "host/cuda/folded_gpu_layers.h"

#include <stdio.h>

#include "base/cuda/device.h"
#include "base/fatal.h"
#include "host/cuda/folded_gpu.h"
#include "host/folded_layer.h"

/* ---- as the host calls them ---- */

/* The host does not look at this member, in any type of layer. */
static gdrq_folded_network *network_of(const layer *l) {
    return (gdrq_folded_network *)l->state_save_layer;
}

static void forward_layer(layer l, network net) {
    gdrq_folded_network *f = network_of(&l);
    gdrq_error err;
    if (net.train)
        gdrq_refuse_training();
    if (net.index == 0) {
        gdrq_must(gdrq_folded_check(f, &err), &err);
        gdrq_must(gdrq_folded_gpu_set_input(f, &net, &err), &err);
        gdrq_must(gdrq_folded_gpu_run(f, &err), &err);
    }
    if (gdrq_folded_gpu_is_hosts(f->gpu, net.index))
        f->forward[net.index](l, net);
}

/* ---- attaching ---- */

static void drop(float **buffer) {
    gdrq_device_free(*buffer);
    *buffer = NULL;
}

/* At inference these look at no gradient on the GPU, whatever they do on the CPU. */
static bool needs_no_gradient(const layer *l) {
    return !l->delta || l->type == YOLO || l->type == REGION || l->type == DETECTION ||
           l->type == SOFTMAX || l->type == COST;
}

static void drop_buffers(layer *l, bool values) {
    if (needs_no_gradient(l)) {
        drop(&l->delta_gpu);
        drop(&l->weight_updates_gpu);
        drop(&l->bias_updates_gpu);
        drop(&l->scale_updates_gpu);
    }
    if (!values) {
        drop(&l->output_gpu);
        gdrq_device_free(l->indexes_gpu);
        l->indexes_gpu = NULL;
    }
}

static gdrq_status make_output(layer *l, int i, gdrq_error *err) {
    char what[64];
    if (l->output_gpu)
        return GDRQ_OK;
    snprintf(what, sizeof what, "layer %d", i);
    return gdrq_device_alloc_to_infer(
        (void **)&l->output_gpu, (size_t)l->batch * (size_t)l->outputs, sizeof(float), what, err);
}

gdrq_status gdrq_folded_gpu_attach_layer(network *net, gdrq_folded_network *f, int i,
                                         gdrq_error *err) {
    layer *l = &net->layers[i];
    const bool values = gdrq_plan_has_values(f->plan, i);
    f->forward[i] = l->forward_gpu;
    l->forward_gpu = forward_layer;
    if (l->type == DROPOUT) {
        l->output_gpu = net->layers[i - 1].output_gpu;
        l->delta_gpu = net->layers[i - 1].delta_gpu;
        return GDRQ_OK;
    }
    drop_buffers(l, values);
    return values ? make_output(l, i, err) : GDRQ_OK;
}

/* ---- our own loop ---- */

static void forward_alone(const layer *l, gdrq_folded_network *f, const network *net) {
    gdrq_error err;
    if (net->index == 0)
        gdrq_must(gdrq_folded_gpu_set_input(f, net, &err), &err);
    gdrq_must(gdrq_folded_gpu_run_layer(f, net, net->index, &err), &err);
    if (gdrq_folded_gpu_is_hosts(f->gpu, net->index))
        f->forward[net->index](*l, *net);
}

static void run_layers(const network *net, gdrq_folded_network *f, gdrq_after_layer *after,
                       void *user) {
    gdrq_error err;
    network state = *net;
    state.truth = NULL;
    state.delta = state.delta_gpu = NULL;
    state.train = 0;
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        state.index = i;
        if (f && after)
            forward_alone(l, f, &state);
        else
            l->forward_gpu(*l, state);
        if (after) {
            gdrq_must(gdrq_device_wait(&err), &err);
            after(user, i);
        }
        state.input = l->output;
        state.input_gpu = l->output_gpu;
    }
}

/* These bring theirs to the host themselves. */
static bool is_pulled(const layer *l) {
    return l->type == YOLO || l->type == REGION;
}

float *gdrq_gpu_predict(const network *net, gdrq_folded_network *f, const float *input,
                        gdrq_after_layer *after, void *user) {
    gdrq_error err;
    cuda_set_device(net->gpu_index);
    if (!f || !f->input_is_coded)
        gdrq_must(gdrq_device_push(net->input_gpu, input,
                                   (size_t)net->inputs * (size_t)net->batch * sizeof *input, &err),
                  &err);
    run_layers(net, f, after, user);
    const layer out = get_network_output_layer((network *)net);
    if (!is_pulled(&out))
        gdrq_must(gdrq_device_pull(out.output, out.output_gpu,
                                   (size_t)out.outputs * (size_t)out.batch * sizeof(float), &err),
                  &err);
    gdrq_set_network_cost(net);
    return net->output;
}
