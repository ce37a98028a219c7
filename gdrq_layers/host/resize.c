#include "host/resize.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "host/limits.h"
#include "host/network_state.h"
#include "host/scratch_buffer.h"
#include "host/shape.h"
#include "primitives/segmentation_layer.h"
#ifdef GPU
#include "base/cuda/device.h"
#include "host/cuda/gpu_network.h"
#include "train/cuda/quantised_gpu.h"
#endif

/* The new geometry of one layer and the buffers that go with it. */
enum { MAX_BUFFERS = 6 };
typedef struct new_layer {
    int w, h, c;             /* input */
    int out_w, out_h, out_c; /* output; 0 where it is no image */
    int inputs, outputs;
    size_t workspace_size;
    bool too_large;            /* more elements than the host can count */
    void **slots[MAX_BUFFERS]; /* members of the layer that get a new buffer */
    void *buffers[MAX_BUFFERS];
    int n;
    void **gpu_slots[MAX_BUFFERS + 2]; /* the same on the GPU, and what is there alone */
    void *gpu_buffers[MAX_BUFFERS + 2];
    int n_gpu;
} new_layer;

/* CUDA's error, where it was another one than that memory is out. */
typedef struct gpu_failure {
    gdrq_status status;
    gdrq_error error;
} gpu_failure;

typedef struct resizing {
    network *net;
    int w, h;
    int batch, old_batch; /* that buffers are made for, and were */
    new_layer *layers;
    gdrq_folded_network *folded; /* NULL: the network is none */
    gdrq_tensor_shape *tensors;  /* with folded: new shapes of -1..n-1, by index + 1 */
    gdrq_folded_plan plan;
    gpu_failure *failure;
    gdrq_error *err;
} resizing;

static gdrq_status fail_layer(const resizing *r, int i, const char *why) {
    return gdrq_fail(r->err, GDRQ_ERROR_STATE, "can't resize the network to %dx%d: layer %d %s",
                     r->w, r->h, i, why);
}

#ifdef GPU
static bool make_array(const resizing *r, int layer, size_t count, void **array) {
    gdrq_error error;
    const gdrq_status status = gdrq_gpu_new_array(layer, count, array, &error);
    if (status != GDRQ_OK && status != GDRQ_ERROR_MEMORY)
        *r->failure = (gpu_failure){status, error};
    return status == GDRQ_OK;
}

static bool make_new_on_gpu(const resizing *r, new_layer *to, void **slot, size_t count) {
    to->gpu_slots[to->n_gpu] = slot;
    return make_array(r, (int)(to - r->layers), count, &to->gpu_buffers[to->n_gpu++]);
}

static bool make_on_gpu(const resizing *r, new_layer *to, void **slot, size_t count) {
    return !slot || !*slot || make_new_on_gpu(r, to, slot, count);
}
#endif

/* A buffer on the GPU for the one that the host's *slot gets, if the layer has it there, too. */
static bool make_twin(const resizing *r, new_layer *to, void **slot, size_t count) {
#ifdef GPU
    if (gdrq_is_on_gpu(r->net))
        return make_on_gpu(r, to, gdrq_gpu_twin(&r->net->layers[to - r->layers], slot), count);
#else
    (void)r, (void)to, (void)slot, (void)count;
#endif
    return true;
}

static void free_on_gpu(void *buffer) {
#ifdef GPU
    gdrq_device_free(buffer);
#else
    (void)buffer;
#endif
}

/* Adds a zeroed buffer of `count` 4-byte elements per image for *slot. */
static bool make_buffer(const resizing *r, new_layer *to, void **slot, int count) {
    if (to->too_large || count > INT_MAX / r->batch)
        return false;
    const size_t n = (size_t)r->batch * (size_t)count;
    to->slots[to->n] = slot;
    to->buffers[to->n] = gdrq_alloc(n, sizeof(float));
    return to->buffers[to->n++] != NULL && make_twin(r, to, slot, n);
}

/* The same if the layer has one now. */
static bool add_buffer(const resizing *r, new_layer *to, void **slot, int count) {
    return !*slot || make_buffer(r, to, slot, count);
}

static bool add_outputs(const resizing *r, layer *l, new_layer *to) {
    return add_buffer(r, to, (void **)&l->output, to->outputs) &&
           add_buffer(r, to, (void **)&l->delta, to->outputs);
}

/* Of batch norm, for which [batchnorm] layers have arrays on the GPU alone. */
static bool add_normalised(const resizing *r, layer *l, new_layer *to) {
    if (!add_buffer(r, to, (void **)&l->x, to->outputs) ||
        !add_buffer(r, to, (void **)&l->x_norm, to->outputs))
        return false;
#ifdef GPU
    const size_t count = (size_t)r->batch * (size_t)to->outputs;
    if (gdrq_is_on_gpu(r->net))
        return make_on_gpu(r, to, (void **)&l->x_gpu, count) &&
               make_on_gpu(r, to, (void **)&l->x_norm_gpu, count);
#endif
    return true;
}

static gdrq_status no_buffer(const resizing *r, int i) {
    if (r->failure->status != GDRQ_OK)
        return gdrq_fail(r->err, r->failure->status,
                         "can't resize the network to %dx%d: layer %d: %s", r->w, r->h, i,
                         r->failure->error.message);
    fail_layer(r, i,
               !gdrq_is_on_gpu(r->net) ? "would be too large for the memory"
               : r->folded             ? "would be too large for the GPU's memory"
                                       : "would be too large for the GPU's memory: raise "
                                         "subdivisions= in [net]");
    return GDRQ_ERROR_MEMORY;
}

static void set_output(new_layer *to, int out_w, int out_h, int out_c) {
    to->out_w = out_w;
    to->out_h = out_h;
    to->out_c = out_c;
    const double outputs = (double)out_w * out_h * out_c;
    to->too_large = outputs > INT_MAX;
    to->outputs = to->too_large ? 0 : out_w * out_h * out_c;
}

static gdrq_status resize_convolution(const resizing *r, int i, layer *l, new_layer *to) {
    const bool transposed = l->type == DECONVOLUTIONAL;
    const int out_w = transposed ? (to->w - 1) * l->stride + l->size - 2 * l->pad
                                 : (to->w + 2 * l->pad - l->size) / l->stride + 1;
    const int out_h = transposed ? (to->h - 1) * l->stride + l->size - 2 * l->pad
                                 : (to->h + 2 * l->pad - l->size) / l->stride + 1;
    if (out_w < 1 || out_h < 1 || to->w + 2 * l->pad < l->size || to->h + 2 * l->pad < l->size)
        return fail_layer(r, i, "[convolutional] would have no output");
    set_output(to, out_w, out_h, l->n);
    /* The host's rule: one image's columns. Layers that need another amount keep theirs. */
    const size_t taps = (size_t)l->size * (size_t)l->size;
    const size_t columns = transposed
                               ? (size_t)to->h * (size_t)to->w * taps * (size_t)l->n
                               : (size_t)out_h * (size_t)out_w * taps * (size_t)(l->c / l->groups);
    to->workspace_size = l->workspace_size;
    /* On a GPU ours need those of all groups. */
    const bool quantised = gdrq_quantised_state(l) != NULL, on_gpu = gdrq_is_on_gpu(r->net);
    const bool all_groups = on_gpu && l->type == CONVOLUTIONAL && (quantised || l->size == 1);
    if (l->workspace_size > 0 && (!quantised || on_gpu))
        to->workspace_size = columns * (size_t)(all_groups ? l->groups : 1) * sizeof(float);
    const bool ok = add_outputs(r, l, to) && add_normalised(r, l, to) &&
                    add_buffer(r, to, (void **)&l->binary_input, to->inputs);
    return ok ? GDRQ_OK : no_buffer(r, i);
}

static gdrq_status resize_maxpool(const resizing *r, int i, layer *l, new_layer *to) {
    const int room_w = to->w + l->pad - l->size, room_h = to->h + l->pad - l->size;
    if (room_w < 0 || room_h < 0)
        return fail_layer(r, i, "[maxpool] would have no output");
    set_output(to, room_w / l->stride + 1, room_h / l->stride + 1, l->c);
    if (!gdrq_windows_meet_image(to->w, to->out_w, l->size, l->stride, l->pad) ||
        !gdrq_windows_meet_image(to->h, to->out_h, l->size, l->stride, l->pad))
        return fail_layer(r, i, "[maxpool] would have windows outside the image");
    return add_outputs(r, l, to) && add_buffer(r, to, (void **)&l->indexes, to->outputs)
               ? GDRQ_OK
               : no_buffer(r, i);
}

static gdrq_status resize_upsample(const resizing *r, int i, layer *l, new_layer *to) {
    if (l->reverse && (to->w / l->stride < 1 || to->h / l->stride < 1))
        return fail_layer(r, i, "[upsample] would have no output");
    if (l->reverse)
        set_output(to, to->w / l->stride, to->h / l->stride, l->c);
    else
        set_output(to, to->w * l->stride, to->h * l->stride, l->c);
    return add_outputs(r, l, to) ? GDRQ_OK : no_buffer(r, i);
}

static gdrq_status resize_reorg(const resizing *r, int i, layer *l, new_layer *to) {
    const int s = l->stride;
    if (l->extra)
        return fail_layer(r, i, "[reorg] with extra= has a fixed size");
    if (!l->reverse && (to->w % s || to->h % s))
        return fail_layer(r, i, "[reorg] needs a width and height that its stride divides");
    if (l->reverse)
        set_output(to, to->w * s, to->h * s, l->c / (s * s));
    else
        set_output(to, to->w / s, to->h / s, l->c * s * s);
    return add_outputs(r, l, to) ? GDRQ_OK : no_buffer(r, i);
}

static gdrq_status resize_route(const resizing *r, int i, layer *l, new_layer *to) {
    const new_layer *first = &r->layers[l->input_layers[0]];
    int out_c = 0;
    int64_t outputs = 0;
    for (int k = 0; k < l->n; ++k) {
        const new_layer *from = &r->layers[l->input_layers[k]];
        if (l->out_c && (from->out_w != first->out_w || from->out_h != first->out_h))
            return fail_layer(r, i, "[route] would join maps of different sizes");
        out_c += from->out_c;
        outputs += from->outputs;
    }
    const bool is_image = l->out_c > 0;
    set_output(to, is_image ? first->out_w : 0, is_image ? first->out_h : 0, is_image ? out_c : 0);
    if (outputs > INT_MAX)
        return no_buffer(r, i);
    to->inputs = to->outputs = (int)outputs;
    return add_outputs(r, l, to) ? GDRQ_OK : no_buffer(r, i);
}

/* The host adds maps whose sizes are a whole factor apart, the same both ways. */
static bool sizes_fit(int a_w, int a_h, int b_w, int b_h) {
    return a_w / b_w == a_h / b_h && b_w / a_w == b_h / a_h;
}

static gdrq_status resize_shortcut(const resizing *r, int i, layer *l, new_layer *to) {
    const new_layer *from = &r->layers[l->index];
    const new_layer *before = &r->layers[i - 1];
    if (from->out_w < 1 || before->out_w < 1 ||
        !sizes_fit(before->out_w, before->out_h, from->out_w, from->out_h))
        return fail_layer(r, i, "[shortcut] would add maps whose sizes don't fit");
    /* Of a shortcut, w, h and c are those of the layer that is added. */
    set_output(to, before->out_w, before->out_h, l->out_c);
    to->w = from->out_w;
    to->h = from->out_h;
    to->inputs = to->outputs;
    return add_outputs(r, l, to) ? GDRQ_OK : no_buffer(r, i);
}

static gdrq_status resize_crop(const resizing *r, int i, layer *l, new_layer *to) {
    set_output(to, (int)(l->scale * (float)to->w), (int)(l->scale * (float)to->h), l->c);
    if (to->out_w < 1 || to->out_h < 1 || to->out_w > to->w || to->out_h > to->h)
        return fail_layer(r, i, "[crop] would have no output");
    return add_outputs(r, l, to) ? GDRQ_OK : no_buffer(r, i);
}

/* Layers whose output is as large as their input. */
static gdrq_status resize_same(const resizing *r, int i, layer *l, new_layer *to) {
    set_output(to, l->out_w ? to->w : 0, l->out_h ? to->h : 0, l->out_c);
    to->outputs = to->inputs;
    const bool ok = add_outputs(r, l, to) && add_normalised(r, l, to) &&
                    add_buffer(r, to, (void **)&l->squared, to->outputs) &&
                    add_buffer(r, to, (void **)&l->norms, to->outputs) &&
                    add_buffer(r, to, (void **)&l->loss, to->outputs);
    return ok ? GDRQ_OK : no_buffer(r, i);
}

static gdrq_status resize_dropout(const resizing *r, int i, layer *l, new_layer *to) {
    set_output(to, to->w, to->h, to->c);
    to->outputs = to->inputs;
    return add_buffer(r, to, (void **)&l->rand, to->inputs) ? GDRQ_OK : no_buffer(r, i);
}

static gdrq_status resize_avgpool(const resizing *r, int i, layer *l, new_layer *to) {
    set_output(to, 1, 1, l->c);
    return add_outputs(r, l, to) ? GDRQ_OK : no_buffer(r, i);
}

static bool is_recurrent(const layer *l) {
    return l->type == RNN || l->type == GRU || l->type == LSTM || l->type == CRNN;
}

/* Layers that keep their size; the batch may have grown. */
static gdrq_status resize_fixed(const resizing *r, int i, layer *l, new_layer *to) {
    if (to->inputs != l->inputs)
        return fail_layer(r, i, "([connected] or the like) takes an input of one size only");
    to->out_w = l->out_w;
    to->out_h = l->out_h;
    to->out_c = l->out_c;
    to->outputs = l->outputs;
    to->workspace_size = l->workspace_size;
    if (r->batch == r->old_batch)
        return GDRQ_OK;
    if (is_recurrent(l))
        return fail_layer(r, i, "(recurrent) can't take a larger batch");
    const bool ok = add_outputs(r, l, to) && add_normalised(r, l, to) &&
                    (l->type != L2NORM || add_buffer(r, to, (void **)&l->scales, to->outputs));
    return ok ? GDRQ_OK : no_buffer(r, i);
}

static gdrq_status resize_by_type(const resizing *r, int i, layer *l, new_layer *to) {
    switch (l->type) {
    case CONVOLUTIONAL:
    case DECONVOLUTIONAL:
        return resize_convolution(r, i, l, to);
    case MAXPOOL:
        return resize_maxpool(r, i, l, to);
    case UPSAMPLE:
        return resize_upsample(r, i, l, to);
    case REORG:
        return resize_reorg(r, i, l, to);
    case CROP:
        return resize_crop(r, i, l, to);
    case DROPOUT:
        return resize_dropout(r, i, l, to);
    case AVGPOOL:
        return resize_avgpool(r, i, l, to);
    case YOLO:
    case REGION:
    case BATCHNORM:
    case NORMALIZATION:
    case ACTIVE:
    case LOGXENT:
    case SOFTMAX:
    case COST:
        return resize_same(r, i, l, to);
    default:
        return fail_layer(r, i, "([connected] or the like) takes an input of one size only");
    }
}

/* The output that layer i reads; the network's input for the first. */
static new_layer input_of(const resizing *r, int i) {
    if (i == 0)
        return (new_layer){.w = r->w, .h = r->h, .c = r->net->c, .inputs = r->w * r->h * r->net->c};
    const new_layer *from = &r->layers[i - 1];
    return (new_layer){
        .w = from->out_w, .h = from->out_h, .c = from->out_c, .inputs = from->outputs};
}

static gdrq_status plan_layer(const resizing *r, int i) {
    layer *l = &r->net->layers[i];
    new_layer *to = &r->layers[i];
    *to = input_of(r, i);
    if (l->type == ROUTE)
        return resize_route(r, i, l, to);
    if (l->type == SHORTCUT)
        return resize_shortcut(r, i, l, to);
    if (l->type == CONNECTED || l->type == LOCAL || l->type == DETECTION || is_recurrent(l) ||
        l->type == L2NORM)
        return resize_fixed(r, i, l, to);
    return resize_by_type(r, i, l, to);
}

static gdrq_status plan(resizing *r) {
    for (int i = 0; i < r->net->n; ++i) {
        gdrq_status status = plan_layer(r, i);
        if (status == GDRQ_OK && r->layers[i].workspace_size > GDRQ_MAX_WORKSPACE)
            status = no_buffer(r, i);
        gdrq_quantised *q = gdrq_quantised_state(&r->net->layers[i]);
        if (status == GDRQ_OK && q)
            status = gdrq_quantised_resize(q, r->batch, r->layers[i].inputs, r->err);
#ifdef GPU
        if (status == GDRQ_OK && q && q->gpu)
            status = gdrq_quantised_gpu_resize(q, r->batch, r->layers[i].inputs, r->err);
#endif
        if (status != GDRQ_OK)
            return status;
    }
    return GDRQ_OK;
}

/* The integer layers' part, when all shapes are known. */
static gdrq_status plan_folded(resizing *r) {
    if (!r->folded)
        return GDRQ_OK;
    r->tensors = gdrq_alloc((size_t)r->net->n + 1, sizeof *r->tensors);
    if (!r->tensors)
        return no_buffer(r, 0);
    r->tensors[0] = gdrq_folded_shape(r->w, r->h, r->net->c, r->w * r->h * r->net->c);
    for (int i = 0; i < r->net->n; ++i) {
        const new_layer *to = &r->layers[i];
        r->tensors[i + 1] = gdrq_folded_shape(to->out_w, to->out_h, to->out_c, to->outputs);
    }
    return gdrq_folded_plan_anew(r->folded, r->tensors, r->batch, &r->plan, r->err);
}

static void discard(resizing *r) {
    gdrq_folded_plan_free(&r->plan);
    for (int i = 0; i < r->net->n; ++i)
        for (int k = 0; k < r->layers[i].n; ++k)
            free(r->layers[i].buffers[k]);
    for (int i = 0; i < r->net->n; ++i)
        for (int k = 0; k < r->layers[i].n_gpu; ++k)
            free_on_gpu(r->layers[i].gpu_buffers[k]);
}

static void commit_layer(network *net, int i, new_layer *to) {
    layer *l = &net->layers[i];
    for (int k = 0; k < to->n; ++k) {
        free(*to->slots[k]);
        *to->slots[k] = to->buffers[k];
    }
    for (int k = 0; k < to->n_gpu; ++k) {
        free_on_gpu(*to->gpu_slots[k]);
        *to->gpu_slots[k] = to->gpu_buffers[k];
    }
    if (l->type == DROPOUT) {
        l->output = net->layers[i - 1].output;
        l->delta = net->layers[i - 1].delta;
#ifdef GPU
        l->output_gpu = net->layers[i - 1].output_gpu;
        l->delta_gpu = net->layers[i - 1].delta_gpu;
#endif
    }
    for (int k = 0; l->type == ROUTE && k < l->n; ++k)
        l->input_sizes[k] = net->layers[l->input_layers[k]].outputs;
    if (l->w || l->h) {
        l->w = to->w;
        l->h = to->h;
    }
    l->out_w = to->out_w;
    l->out_h = to->out_h;
    l->out_c = to->out_c;
    if (gdrq_is_segmentation_layer(l))
        l->truths = to->w * to->h;
    l->inputs = to->inputs;
    l->outputs = to->outputs;
    l->workspace_size = to->workspace_size;
}

/* The buffers of the network itself. */
typedef struct net_buffers {
    float *input, *truth, *workspace;
    void *input_gpu, *truth_gpu; /* NULL where the network is not on one */
} net_buffers;

/* False when memory is out. */
static bool make_net_buffers(const resizing *r, size_t inputs, size_t truths, net_buffers *b) {
    *b = (net_buffers){.input = gdrq_alloc(inputs, sizeof(float)),
                       .truth = gdrq_alloc(truths, sizeof(float))};
    bool ok = b->input && b->truth;
#ifdef GPU
    if (ok && gdrq_is_on_gpu(r->net))
        ok = make_array(r, 0, inputs, &b->input_gpu) &&
             make_array(r, r->net->n - 1, truths, &b->truth_gpu);
#else
    (void)r;
#endif
    return ok;
}

static void free_net_buffers(const resizing *r, const net_buffers *b) {
    free(b->input);
    free(b->truth);
    gdrq_scratch_buffer_free(r->net, b->workspace);
    free_on_gpu(b->input_gpu);
    free_on_gpu(b->truth_gpu);
}

static void set_net_buffers(network *net, const net_buffers *b) {
    free(net->input);
    free(net->truth);
    gdrq_scratch_buffer_free(net, net->workspace);
    net->input = b->input;
    net->truth = b->truth;
    net->workspace = b->workspace;
#ifdef GPU
    if (gdrq_is_on_gpu(net)) {
        gdrq_device_free(net->input_gpu);
        gdrq_device_free(net->truth_gpu);
        net->input_gpu = b->input_gpu;
        net->truth_gpu = b->truth_gpu;
    }
#endif
}

static void commit(resizing *r, const net_buffers *buffers) {
    network *net = r->net;
    for (int i = 0; i < net->n; ++i)
        commit_layer(net, i, &r->layers[i]);
    const layer out = get_network_output_layer(net);
    const layer *last = &net->layers[net->n - 1];
    net->w = r->w;
    net->h = r->h;
    net->inputs = net->layers[0].inputs;
    net->outputs = out.outputs;
    net->truths = last->truths ? last->truths : out.outputs;
    net->output = out.output;
#ifdef GPU
    net->output_gpu = out.output_gpu;
#endif
    if (r->folded)
        gdrq_folded_set_plan(r->folded, &r->plan, r->tensors);
    set_net_buffers(net, buffers);
}

/* What net->truths will be, as the host counts it. */
static int new_truths(const resizing *r) {
    const network *net = r->net;
    const new_layer *last = &r->layers[net->n - 1];
    if (gdrq_is_segmentation_layer(&net->layers[net->n - 1]))
        return last->w * last->h;
    if (net->layers[net->n - 1].truths)
        return net->layers[net->n - 1].truths;
    int i = net->n - 1;
    while (i > 0 && net->layers[i].type == COST)
        --i;
    return r->layers[i].outputs;
}

/* For the layer that needs most. */
static gdrq_status make_workspace(const resizing *r, float **workspace) {
    int most = 0;
    for (int i = 1; i < r->net->n; ++i)
        if (r->layers[i].workspace_size > r->layers[most].workspace_size)
            most = i;
    gdrq_error reason;
    const gdrq_status status =
        gdrq_scratch_buffer_new(r->net, most, r->layers[most].workspace_size, workspace, &reason);
    if (status != GDRQ_OK && status != GDRQ_ERROR_MEMORY)
        *r->failure = (gpu_failure){status, reason};
    return status == GDRQ_OK ? GDRQ_OK : no_buffer(r, most);
}

/* *slot of layer i, if it has none; then it has none on the GPU either. */
static bool make_missing(const resizing *r, int i, void **slot) {
    new_layer *to = &r->layers[i];
    if (*slot)
        return true;
    bool ok = make_buffer(r, to, slot, to->outputs);
#ifdef GPU
    if (ok && gdrq_is_on_gpu(r->net))
        ok = make_new_on_gpu(r, to, gdrq_gpu_twin(&r->net->layers[i], slot),
                             (size_t)r->batch * (size_t)to->outputs);
#endif
    return ok;
}

/* What a folded network's layers need of values at the new size, and had no buffer for. */
static gdrq_status make_values(resizing *r) {
    for (int i = 0; r->folded && i < r->net->n; ++i) {
        layer *l = &r->net->layers[i];
        if (!gdrq_plan_has_values(r->plan.forms, i) || l->type == DROPOUT)
            continue;
        if (!make_missing(r, i, (void **)&l->output) ||
            (l->type == MAXPOOL && !make_missing(r, i, (void **)&l->indexes)))
            return no_buffer(r, i);
    }
    return GDRQ_OK;
}

static gdrq_status resize_planned(resizing *r) {
    gdrq_status status = plan(r);
    if (status == GDRQ_OK)
        status = plan_folded(r);
    if (status == GDRQ_OK)
        status = make_values(r);
    if (status != GDRQ_OK)
        return status;
    const size_t batch = (size_t)r->batch;
    net_buffers buffers;
    if (!make_net_buffers(r, batch * (size_t)r->layers[0].inputs, batch * (size_t)new_truths(r),
                          &buffers))
        status = no_buffer(r, 0);
    else
        status = make_workspace(r, &buffers.workspace);
    if (status == GDRQ_OK)
        commit(r, &buffers);
    else
        free_net_buffers(r, &buffers);
    return status;
}

gdrq_status gdrq_resize(network *net, int w, int h, gdrq_error *err) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    if (!state)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "can't resize: not a network of this library");
    if (w < 1 || h < 1 || w > 65536 || h > 65536)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "can't resize the network to %dx%d pixels", w,
                         h);
    gpu_failure failure = {.status = GDRQ_OK};
    resizing r = {.net = net,
                  .failure = &failure,
                  .w = w,
                  .h = h,
                  .old_batch = state->max_batch,
                  .folded = state->folded,
                  .err = err};
    r.batch = net->batch > r.old_batch ? net->batch : r.old_batch;
#ifdef GPU
    if (gdrq_is_on_gpu(net))
        cuda_set_device(net->gpu_index); /* with others, another one's may be set */
#endif
    if ((double)w * h * net->c * r.batch > INT_MAX)
        return no_buffer(&r, 0);
    r.layers = gdrq_alloc((size_t)net->n, sizeof *r.layers);
    if (!r.layers)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "can't resize the network: out of memory");
    const gdrq_status status = resize_planned(&r);
    if (status == GDRQ_OK)
        state->max_batch = r.batch;
    else
        discard(&r);
    free(r.layers);
    free(r.tensors);
    return status;
}
