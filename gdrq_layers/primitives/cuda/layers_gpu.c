#include "primitives/cuda/layers_gpu.h"

#include <stdio.h>

#include "base/cuda/device.h"
#include "base/fatal.h"
#include "base/status.h"
#include "primitives/cuda/spread.h"
#include "primitives/cuda/stock_gpu.h"
#include "primitives/cuda/value_layers.h"
#include "primitives/region_layer.h"
#include "primitives/replacements.h"
#include "primitives/softmax_layer.h"
#include "primitives/yolo_layer.h"

/* ---- which ---- */

typedef void layer_function(layer l, network net);

/* NULL: the host's. */
static const struct {
    LAYER_TYPE type;
    gdrq_replacement name;
    layer_function *forward, *backward;
} passes[] = {
    {ACTIVE, GDRQ_REPLACES_ACTIVATION, NULL, gdrq_backward_activation_layer_gpu},
    {BATCHNORM, GDRQ_REPLACES_BATCHNORM, NULL, gdrq_backward_batchnorm_layer_gpu},
    {REGION, GDRQ_REPLACES_REGION, gdrq_forward_region_layer_gpu, gdrq_backward_values_gpu},
    {REORG, GDRQ_REPLACES_REORG, NULL, gdrq_backward_reorg_layer_gpu},
    {SOFTMAX, GDRQ_REPLACES_SOFTMAX, gdrq_forward_softmax_layer_gpu, gdrq_backward_values_gpu},
    {UPSAMPLE, GDRQ_REPLACES_UPSAMPLE, gdrq_forward_upsample_layer_gpu,
     gdrq_backward_upsample_layer_gpu},
    {YOLO, GDRQ_REPLACES_YOLO, gdrq_forward_yolo_layer_gpu, gdrq_backward_values_gpu},
};

/* Where the groups of a tree begin, and where the last one ends: in the place of what maxpool
   layers have there, so that the host frees it with the layer. */
static gdrq_status make_group_offsets(layer *l, int index, gdrq_error *err) {
    const tree *hierarchy = l->softmax_tree;
    const size_t groups = (size_t)hierarchy->groups;
    char what[64];
    void *offsets;
    snprintf(what, sizeof what, "layer %d", index);
    gdrq_status status = gdrq_device_alloc(&offsets, groups + 1, sizeof(int), what, err);
    if (status != GDRQ_OK)
        return status;
    l->indexes_gpu = offsets;
    status = gdrq_device_push(offsets, hierarchy->group_offset, groups * sizeof(int), err);
    return status == GDRQ_OK
               ? gdrq_device_push(l->indexes_gpu + groups, &l->inputs, sizeof(int), err)
               : status;
}

gdrq_status gdrq_replace_layer_functions_gpu(layer *l, int index, gdrq_error *err) {
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        if (passes[i].type != l->type || !gdrq_replaces(passes[i].name))
            continue;
        if (passes[i].forward)
            l->forward_gpu = passes[i].forward;
        l->backward_gpu = passes[i].backward;
        if (l->type == SOFTMAX && l->softmax_tree)
            return make_group_offsets(l, index, err);
    }
    return GDRQ_OK;
}

/* ---- [yolo] and [region] ---- */

static size_t bytes_of(const layer *l) {
    return (size_t)l->batch * (size_t)l->outputs * sizeof(float);
}

static void copy_to_host(float *to, const float *from, const layer *l) {
    gdrq_error err;
    gdrq_must(gdrq_device_pull(to, from, bytes_of(l), &err), &err);
}

static void copy_to_gpu(float *to, const float *from, const layer *l) {
    gdrq_error err;
    gdrq_must(gdrq_device_push(to, from, bytes_of(l), &err), &err);
}

void gdrq_forward_yolo_layer_gpu(layer l, network net) {
    const int planes = l.batch * l.n * (4 + 1 + l.classes);
    gdrq_error err;
    gdrq_must(gdrq_cuda_activate_boxes(planes, 4 + 1 + l.classes, l.w * l.h, net.input_gpu,
                                       l.output_gpu, &err),
              &err);
    copy_to_host(l.output, l.output_gpu, &l);
    if (!net.train)
        return;
    gdrq_learn_yolo_layer(l, net);
    copy_to_gpu(l.delta_gpu, l.delta, &l);
}

/* The CPU's function finds its input in the place of the output. The gradient that goes over to the
   GPU is that of the input already. */
void gdrq_forward_region_layer_gpu(layer l, network net) {
    copy_to_host(l.output, net.input_gpu, &l);
    net.input = l.output;
    gdrq_forward_region_layer(l, net);
    copy_to_gpu(l.output_gpu, l.output, &l);
    if (!net.train)
        return;
    gdrq_region_input_gradient(&l);
    copy_to_gpu(l.delta_gpu, l.delta, &l);
}

/* ---- [softmax] ---- */

gdrq_cuda_softmax_shape gdrq_softmax_shape(const layer *l, int images) {
    const tree *hierarchy = l->softmax_tree;
    return (gdrq_cuda_softmax_shape){.images = images,
                                     .groups = hierarchy ? hierarchy->groups : l->groups,
                                     .inputs = l->inputs,
                                     .offsets = hierarchy ? l->indexes_gpu : NULL,
                                     .temperature = l->temperature};
}

/* net.truth says whether there is one: the GPU's stays from the batch before. */
void gdrq_forward_softmax_layer_gpu(layer l, network net) {
    const bool learns = net.truth && !l.noloss;
    const gdrq_cuda_softmax_shape shape = gdrq_softmax_shape(&l, l.batch);
    const gdrq_cuda_cross_entropy entropy = {net.truth_gpu, l.delta_gpu, l.loss_gpu};
    gdrq_error err;
    gdrq_must(
        gdrq_cuda_softmax(&shape, net.input_gpu, l.output_gpu, learns ? &entropy : NULL, &err),
        &err);
    if (!learns)
        return;
    copy_to_host(l.loss, l.loss_gpu, &l);
    gdrq_set_softmax_cost(&l);
}

/* ---- [upsample] ---- */

static gdrq_cuda_upsampling upsampling_of(const layer *l) {
    return (gdrq_cuda_upsampling){.planes = l->batch * l->c,
                                  .w = l->reverse ? l->out_w : l->w,
                                  .h = l->reverse ? l->out_h : l->h,
                                  .stride = l->stride,
                                  .scale = l->scale};
}

void gdrq_forward_upsample_layer_gpu(layer l, network net) {
    const gdrq_cuda_upsampling u = upsampling_of(&l);
    gdrq_error err;
    gdrq_must(l.reverse ? gdrq_cuda_gather(&u, net.input_gpu, false, l.output_gpu, &err)
                        : gdrq_cuda_spread(&u, net.input_gpu, false, l.output_gpu, &err),
              &err);
}

void gdrq_backward_upsample_layer_gpu(layer l, network net) {
    const gdrq_cuda_upsampling u = upsampling_of(&l);
    gdrq_error err;
    if (net.delta_gpu)
        gdrq_must(l.reverse ? gdrq_cuda_spread(&u, l.delta_gpu, true, net.delta_gpu, &err)
                            : gdrq_cuda_gather(&u, l.delta_gpu, true, net.delta_gpu, &err),
                  &err);
}

/* ---- gradients that are added ---- */

void gdrq_backward_values_gpu(layer l, network net) {
    if (net.delta_gpu)
        axpy_gpu(l.batch * l.inputs, 1, l.delta_gpu, 1, net.delta_gpu, 1);
}

void gdrq_backward_activation_layer_gpu(layer l, network net) {
    gradient_array_gpu(l.output_gpu, l.outputs * l.batch, l.activation, l.delta_gpu);
    gdrq_backward_values_gpu(l, net);
}

/* The host's function ends with a copy of l.delta_gpu: let it be one onto itself. */
void gdrq_backward_batchnorm_layer_gpu(layer l, network net) {
    network own = net;
    own.delta_gpu = l.delta_gpu;
    backward_batchnorm_layer_gpu(l, own);
    gdrq_backward_values_gpu(l, net);
}

void gdrq_backward_reorg_layer_gpu(layer l, network net) {
    const gdrq_cuda_reorganisation r = {.batch = l.batch,
                                        .w = l.w,
                                        .h = l.h,
                                        .c = l.c,
                                        .stride = l.stride,
                                        .flattens = l.flatten,
                                        .spreads = l.flatten ? l.reverse : !l.reverse};
    gdrq_error err;
    if (!net.delta_gpu)
        return;
    if (!l.extra || l.flatten) {
        gdrq_must(gdrq_cuda_add_reorganised(&r, l.delta_gpu, net.delta_gpu, &err), &err);
        return;
    }
    for (int b = 0; b < l.batch; b++)
        axpy_gpu(l.inputs, 1, l.delta_gpu + (size_t)b * (size_t)l.outputs, 1,
                 net.delta_gpu + (size_t)b * (size_t)l.inputs, 1);
}
