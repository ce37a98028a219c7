#include "host/cuda/gpu_network.h"

#include <stdio.h>

#include "base/cuda/device.h"
#include "host/arrays.h"
#include "host/weight_spans.h"
#include "train/cuda/quantised_gpu.h"

#define TWIN(name) \
    { offsetof(layer, name), offsetof(layer, name##_gpu) }
static const struct {
    size_t host, gpu;
} twins[] = {
    TWIN(weights),
    TWIN(biases),
    TWIN(scales),
    TWIN(rolling_mean),
    TWIN(rolling_variance),
    TWIN(weight_updates),
    TWIN(bias_updates),
    TWIN(scale_updates),
    TWIN(m),
    TWIN(v),
    TWIN(bias_m),
    TWIN(bias_v),
    TWIN(scale_m),
    TWIN(scale_v),
    TWIN(output),
    TWIN(delta),
    TWIN(indexes),
    TWIN(rand),
    TWIN(squared),
    TWIN(norms),
    TWIN(loss),
    TWIN(binary_input),
};
enum { TWINS = sizeof twins / sizeof *twins };

static void **member(const layer *l, size_t offset) {
    return (void **)((char *)l + offset);
}

void **gdrq_gpu_twin(const layer *l, void **slot) {
    for (int i = 0; i < TWINS; ++i)
        if (slot == member(l, twins[i].host))
            return member(l, twins[i].gpu);
    return NULL;
}

/* By the array itself. */
static void *twin_of_array(const layer *l, const void *array) {
    for (int i = 0; i < TWINS; ++i)
        if (array == *member(l, twins[i].host))
            return *member(l, twins[i].gpu);
    return NULL;
}

typedef struct transfer {
    bool pulls;
    gdrq_status status;
    gdrq_error *err;
} transfer;

static void move_array(void *user, const layer *owner, float *data, size_t n) {
    transfer *t = user;
    void *on_gpu = twin_of_array(owner, data);
    if (!on_gpu || t->status != GDRQ_OK)
        return;
    t->status = t->pulls ? gdrq_device_pull(data, on_gpu, n * sizeof *data, t->err)
                         : gdrq_device_push(on_gpu, data, n * sizeof *data, t->err);
}

static gdrq_status move_thresholds(const layer *l, bool pulls, gdrq_error *err) {
    gdrq_quantised *q = gdrq_quantised_state(l);
    if (!q || !q->gpu)
        return GDRQ_OK;
    return pulls ? gdrq_quantised_gpu_pull(q, err) : gdrq_quantised_gpu_push(q, err);
}

/* Learned thresholds go with their optimiser's arrays, and so do all others. */
static gdrq_status move_arrays(const network *net, gdrq_arrays which, bool pulls, gdrq_error *err) {
    transfer t = {pulls, GDRQ_OK, err};
    cuda_set_device(net->gpu_index);
    gdrq_visit_owned_arrays(net, which, move_array, &t);
    for (int i = 0; which == GDRQ_ARRAYS_OPTIMISER && t.status == GDRQ_OK && i < net->n; ++i)
        t.status = move_thresholds(&net->layers[i], pulls, err);
    return t.status;
}

static gdrq_status move_all(const network *net, bool pulls, gdrq_error *err) {
    const gdrq_status status = move_arrays(net, GDRQ_ARRAYS_WEIGHTS, pulls, err);
    return status == GDRQ_OK ? move_arrays(net, GDRQ_ARRAYS_OPTIMISER, pulls, err) : status;
}

gdrq_status gdrq_gpu_pull(const network *net, gdrq_error *err) {
    return move_all(net, true, err);
}

gdrq_status gdrq_gpu_push(const network *net, gdrq_error *err) {
    return move_all(net, false, err);
}

gdrq_status gdrq_gpu_pull_arrays(const network *net, gdrq_arrays which, gdrq_error *err) {
    return move_arrays(net, which, true, err);
}

gdrq_status gdrq_gpu_push_arrays(const network *net, gdrq_arrays which, gdrq_error *err) {
    return move_arrays(net, which, false, err);
}

static bool pull_span(void *user, const gdrq_weight_span *span) {
    transfer *t = user;
    move_array(t, span->owner, span->data, span->count);
    return t->status == GDRQ_OK;
}

gdrq_status gdrq_gpu_pull_layer(const network *net, int i, gdrq_error *err) {
    transfer t = {true, GDRQ_OK, err};
    cuda_set_device(net->gpu_index);
    gdrq_visit_weight_spans(&net->layers[i], GDRQ_ALL, pull_span, &t);
    return t.status == GDRQ_OK ? move_thresholds(&net->layers[i], true, err) : t.status;
}

gdrq_status gdrq_gpu_forget_learned(const network *net, int i, gdrq_error *err) {
    const layer *l = &net->layers[i];
    cuda_set_device(net->gpu_index);
    const gdrq_status status = move_thresholds(l, true, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_quantised_forget(l);
    return move_thresholds(l, false, err);
}

static _Thread_local bool makes_folded;

void gdrq_gpu_makes_folded(bool on) {
    makes_folded = on;
}

gdrq_status gdrq_gpu_alloc(void **array, size_t count, size_t size, const char *what,
                           gdrq_error *err) {
    return makes_folded ? gdrq_device_alloc_to_infer(array, count, size, what, err)
                        : gdrq_device_alloc(array, count, size, what, err);
}

gdrq_status gdrq_gpu_new_array(int layer, size_t count, void **array, gdrq_error *err) {
    char what[64];
    snprintf(what, sizeof what, "layer %d", layer);
    const gdrq_status status = gdrq_gpu_alloc(array, count, sizeof(float), what, err);
    return status == GDRQ_OK ? gdrq_device_clear(*array, count * sizeof(float), err) : status;
}

gdrq_status gdrq_gpu_fit_truth(network *net, gdrq_error *err) {
    void *truth;
    const gdrq_status status =
        gdrq_gpu_new_array(net->n - 1, (size_t)net->truths * (size_t)net->batch, &truth, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_device_free(net->truth_gpu);
    net->truth_gpu = truth;
    return GDRQ_OK;
}
