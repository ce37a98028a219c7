#include "primitives/cuda/segmentation_layer_gpu.h"

#include <stdio.h>

#include "base/cuda/device.h"
#include "base/fatal.h"
#include "primitives/cuda/layers_gpu.h"
#include "primitives/cuda/segmentation.h"

gdrq_status gdrq_make_segmentation_layer_gpu(layer *l, int index, gdrq_error *err) {
    char what[64];
    snprintf(what, sizeof what, "layer %d", index);
    const size_t n = (size_t)l->classes;
    void *weights;
    gdrq_status status = gdrq_device_alloc(&weights, n, sizeof(float), what, err);
    if (status == GDRQ_OK)
        status = gdrq_device_push(weights, l->scales, n * sizeof(float), err);
    l->scales_gpu = weights;
    l->forward_gpu = gdrq_forward_segmentation_layer_gpu;
    l->backward_gpu = gdrq_backward_values_gpu;
    return status;
}

void gdrq_forward_segmentation_layer_gpu(layer l, network net) {
    /* net.truth says whether there is one: the GPU's stays from the batch before. */
    const gdrq_cuda_segmentation s = {.batch = l.batch,
                                      .classes = l.classes,
                                      .pixels = (size_t)l.truths,
                                      .class_weights = l.scales_gpu,
                                      .truth = net.truth ? net.truth_gpu : NULL,
                                      .scores = net.input_gpu,
                                      .probabilities = l.output_gpu,
                                      .delta = l.delta_gpu,
                                      .loss = l.loss_gpu};
    gdrq_error err;
    gdrq_must(gdrq_cuda_segment(&s, &err), &err);
    if (net.truth)
        gdrq_must(gdrq_device_pull(l.cost, l.loss_gpu, sizeof *l.cost, &err), &err);
}
