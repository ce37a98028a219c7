#include "primitives/cuda/detection_head_gpu.h"

#include "base/cuda/device.h"
#include "base/fatal.h"
#include "primitives/region_layer.h"
#include "primitives/replacements.h"
#include "primitives/yolo_layer.h"

void gdrq_replace_detection_head_gpu(layer *l) {
    if (l->type == YOLO && gdrq_replaces(GDRQ_REPLACES_YOLO))
        l->forward_gpu = gdrq_forward_yolo_layer_gpu;
    else if (l->type == REGION && gdrq_replaces(GDRQ_REPLACES_REGION))
        l->forward_gpu = gdrq_forward_region_layer_gpu;
    else
        return;
    l->backward_gpu = gdrq_backward_detection_head_gpu;
}

static size_t bytes_of(const layer *l) {
    return (size_t)l->batch * (size_t)l->outputs * sizeof(float);
}

/* The input as the CPU's functions read it: in the place of the output. */
static network on_host(const layer *l, network net) {
    gdrq_error err;
    gdrq_must(gdrq_device_pull(l->output, net.input_gpu, bytes_of(l), &err), &err);
    net.input = l->output;
    return net;
}

static void push(const layer *l, const network *net) {
    gdrq_error err;
    gdrq_must(gdrq_device_push(l->output_gpu, l->output, bytes_of(l), &err), &err);
    if (net->train)
        gdrq_must(gdrq_device_push(l->delta_gpu, l->delta, bytes_of(l), &err), &err);
}

void gdrq_forward_yolo_layer_gpu(layer l, network net) {
    gdrq_forward_yolo_layer(l, on_host(&l, net));
    push(&l, &net);
}

/* The gradient that goes over to the GPU is that of the input already. */
void gdrq_forward_region_layer_gpu(layer l, network net) {
    gdrq_forward_region_layer(l, on_host(&l, net));
    if (net.train)
        gdrq_region_input_gradient(&l);
    push(&l, &net);
}

void gdrq_backward_detection_head_gpu(layer l, network net) {
    axpy_gpu(l.batch * l.inputs, 1, l.delta_gpu, 1, net.delta_gpu, 1);
}
