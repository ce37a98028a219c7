#include "host/resize_layers.h"

#include <limits.h>

#include "base/alloc.h"
#include "base/status.h"
#include "host/limits.h"
#include "host/scratch_buffer.h"
#include "host/shape.h"
#include "primitives/segmentation_layer.h"
#include "train/quantised_layer.h"
#ifdef GPU
#include "host/cuda/gpu_network.h"
#endif

static gdrq_status fail_layer(const gdrq_resizing *r, int i, const char *why) {
    return gdrq_fail(r->err, GDRQ_ERROR_STATE, "can't resize the network to %dx%d: layer %d %s",
                     r->w, r->h, i, why);
}

static int elements(gdrq_extent extent, int inputs, int outputs) {
    return extent == GDRQ_OF_INPUTS ? inputs : outputs;
}

#ifdef GPU
void gdrq_resize_need_on_gpu(const gdrq_resizing *r, gdrq_new_layer *to, void **slot,
                             gdrq_extent extent) {
    const layer *l = &r->net->layers[to - r->layers];
    to->gpu[to->n_gpu++] = (gdrq_gpu_need){
        .slot = slot,
        .bytes = (size_t)r->batch * (size_t)elements(extent, to->inputs, to->outputs) * 4,
        .had = (size_t)r->old_batch * (size_t)elements(extent, l->inputs, l->outputs) * 4};
}

static void need_if_there(const gdrq_resizing *r, gdrq_new_layer *to, void **slot,
                          gdrq_extent extent) {
    if (slot && *slot)
        gdrq_resize_need_on_gpu(r, to, slot, extent);
}
#endif

static void need_twin(const gdrq_resizing *r, gdrq_new_layer *to, void **slot, gdrq_extent extent) {
#ifdef GPU
    if (gdrq_is_on_gpu(r->net))
        need_if_there(r, to, gdrq_gpu_twin(&r->net->layers[to - r->layers], slot), extent);
#else
    (void)r, (void)to, (void)slot, (void)extent;
#endif
}

bool gdrq_resize_add_buffer(const gdrq_resizing *r, gdrq_new_layer *to, void **slot,
                            gdrq_extent extent) {
    const int count = elements(extent, to->inputs, to->outputs);
    if (to->too_large || count > INT_MAX / r->batch)
        return false;
    to->slots[to->n] = slot;
    to->buffers[to->n] = gdrq_alloc((size_t)r->batch * (size_t)count, sizeof(float));
    need_twin(r, to, slot, extent);
    return to->buffers[to->n++] != NULL;
}

/* The same if the layer has one now. */
static bool add_buffer(const gdrq_resizing *r, gdrq_new_layer *to, void **slot,
                       gdrq_extent extent) {
    return !*slot || gdrq_resize_add_buffer(r, to, slot, extent);
}

static bool add_outputs(const gdrq_resizing *r, layer *l, gdrq_new_layer *to) {
    return add_buffer(r, to, (void **)&l->output, GDRQ_OF_OUTPUTS) &&
           add_buffer(r, to, (void **)&l->delta, GDRQ_OF_OUTPUTS);
}

/* Of batch norm, for which [batchnorm] layers have arrays on the GPU alone. */
static bool add_normalised(const gdrq_resizing *r, layer *l, gdrq_new_layer *to) {
    if (!add_buffer(r, to, (void **)&l->x, GDRQ_OF_OUTPUTS) ||
        !add_buffer(r, to, (void **)&l->x_norm, GDRQ_OF_OUTPUTS))
        return false;
#ifdef GPU
    if (gdrq_is_on_gpu(r->net)) {
        need_if_there(r, to, (void **)&l->x_gpu, GDRQ_OF_OUTPUTS);
        need_if_there(r, to, (void **)&l->x_norm_gpu, GDRQ_OF_OUTPUTS);
    }
#endif
    return true;
}

gdrq_status gdrq_resize_no_buffer(const gdrq_resizing *r, int i) {
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

static void set_output(gdrq_new_layer *to, int out_w, int out_h, int out_c) {
    to->out_w = out_w;
    to->out_h = out_h;
    to->out_c = out_c;
    const double outputs = (double)out_w * out_h * out_c;
    to->too_large = outputs > INT_MAX;
    to->outputs = to->too_large ? 0 : out_w * out_h * out_c;
}

static gdrq_status resize_convolution(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
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
                    add_buffer(r, to, (void **)&l->binary_input, GDRQ_OF_INPUTS);
    return ok ? GDRQ_OK : gdrq_resize_no_buffer(r, i);
}

static gdrq_status resize_maxpool(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
    const int room_w = to->w + l->pad - l->size, room_h = to->h + l->pad - l->size;
    if (room_w < 0 || room_h < 0)
        return fail_layer(r, i, "[maxpool] would have no output");
    set_output(to, room_w / l->stride + 1, room_h / l->stride + 1, l->c);
    if (!gdrq_windows_meet_image(to->w, to->out_w, l->size, l->stride, l->pad) ||
        !gdrq_windows_meet_image(to->h, to->out_h, l->size, l->stride, l->pad))
        return fail_layer(r, i, "[maxpool] would have windows outside the image");
    return add_outputs(r, l, to) && add_buffer(r, to, (void **)&l->indexes, GDRQ_OF_OUTPUTS)
               ? GDRQ_OK
               : gdrq_resize_no_buffer(r, i);
}

static gdrq_status resize_upsample(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
    if (l->reverse && (to->w / l->stride < 1 || to->h / l->stride < 1))
        return fail_layer(r, i, "[upsample] would have no output");
    if (l->reverse)
        set_output(to, to->w / l->stride, to->h / l->stride, l->c);
    else
        set_output(to, to->w * l->stride, to->h * l->stride, l->c);
    return add_outputs(r, l, to) ? GDRQ_OK : gdrq_resize_no_buffer(r, i);
}

static gdrq_status resize_reorg(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
    const int s = l->stride;
    if (l->extra)
        return fail_layer(r, i, "[reorg] with extra= has a fixed size");
    if (!l->reverse && (to->w % s || to->h % s))
        return fail_layer(r, i, "[reorg] needs a width and height that its stride divides");
    if (l->reverse)
        set_output(to, to->w * s, to->h * s, l->c / (s * s));
    else
        set_output(to, to->w / s, to->h / s, l->c * s * s);
    return add_outputs(r, l, to) ? GDRQ_OK : gdrq_resize_no_buffer(r, i);
}

static gdrq_status resize_route(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
    const gdrq_new_layer *first = &r->layers[l->input_layers[0]];
    int out_c = 0;
    int64_t outputs = 0;
    for (int k = 0; k < l->n; ++k) {
        const gdrq_new_layer *from = &r->layers[l->input_layers[k]];
        if (l->out_c && (from->out_w != first->out_w || from->out_h != first->out_h))
            return fail_layer(r, i, "[route] would join maps of different sizes");
        out_c += from->out_c;
        outputs += from->outputs;
    }
    const bool is_image = l->out_c > 0;
    set_output(to, is_image ? first->out_w : 0, is_image ? first->out_h : 0, is_image ? out_c : 0);
    if (outputs > INT_MAX)
        return gdrq_resize_no_buffer(r, i);
    to->inputs = to->outputs = (int)outputs;
    return add_outputs(r, l, to) ? GDRQ_OK : gdrq_resize_no_buffer(r, i);
}

/* The host adds maps whose sizes are a whole factor apart, the same both ways. */
static bool sizes_fit(int a_w, int a_h, int b_w, int b_h) {
    return a_w / b_w == a_h / b_h && b_w / a_w == b_h / a_h;
}

static gdrq_status resize_shortcut(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
    const gdrq_new_layer *from = &r->layers[l->index];
    const gdrq_new_layer *before = &r->layers[i - 1];
    if (from->out_w < 1 || before->out_w < 1 ||
        !sizes_fit(before->out_w, before->out_h, from->out_w, from->out_h))
        return fail_layer(r, i, "[shortcut] would add maps whose sizes don't fit");
    /* Of a shortcut, w, h and c are those of the layer that is added. */
    set_output(to, before->out_w, before->out_h, l->out_c);
    to->w = from->out_w;
    to->h = from->out_h;
    to->inputs = to->outputs;
    return add_outputs(r, l, to) ? GDRQ_OK : gdrq_resize_no_buffer(r, i);
}

static gdrq_status resize_crop(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
    set_output(to, (int)(l->scale * (float)to->w), (int)(l->scale * (float)to->h), l->c);
    if (to->out_w < 1 || to->out_h < 1 || to->out_w > to->w || to->out_h > to->h)
        return fail_layer(r, i, "[crop] would have no output");
    return add_outputs(r, l, to) ? GDRQ_OK : gdrq_resize_no_buffer(r, i);
}

/* Layers whose output is as large as their input. */
static gdrq_status resize_same(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
    set_output(to, l->out_w ? to->w : 0, l->out_h ? to->h : 0, l->out_c);
    to->outputs = to->inputs;
    const bool ok = add_outputs(r, l, to) && add_normalised(r, l, to) &&
                    add_buffer(r, to, (void **)&l->squared, GDRQ_OF_OUTPUTS) &&
                    add_buffer(r, to, (void **)&l->norms, GDRQ_OF_OUTPUTS) &&
                    add_buffer(r, to, (void **)&l->loss, GDRQ_OF_OUTPUTS);
    return ok ? GDRQ_OK : gdrq_resize_no_buffer(r, i);
}

static gdrq_status resize_dropout(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
    set_output(to, to->w, to->h, to->c);
    to->outputs = to->inputs;
    return add_buffer(r, to, (void **)&l->rand, GDRQ_OF_INPUTS) ? GDRQ_OK
                                                                : gdrq_resize_no_buffer(r, i);
}

static gdrq_status resize_avgpool(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
    set_output(to, 1, 1, l->c);
    return add_outputs(r, l, to) ? GDRQ_OK : gdrq_resize_no_buffer(r, i);
}

static bool is_recurrent(const layer *l) {
    return l->type == RNN || l->type == GRU || l->type == LSTM || l->type == CRNN;
}

/* Layers that keep their size; the batch may have grown. */
static gdrq_status resize_fixed(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
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
                    (l->type != L2NORM || add_buffer(r, to, (void **)&l->scales, GDRQ_OF_OUTPUTS));
    return ok ? GDRQ_OK : gdrq_resize_no_buffer(r, i);
}

static gdrq_status resize_by_type(const gdrq_resizing *r, int i, layer *l, gdrq_new_layer *to) {
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
static gdrq_new_layer input_of(const gdrq_resizing *r, int i) {
    if (i == 0)
        return (gdrq_new_layer){
            .w = r->w, .h = r->h, .c = r->net->c, .inputs = r->w * r->h * r->net->c};
    const gdrq_new_layer *from = &r->layers[i - 1];
    return (gdrq_new_layer){
        .w = from->out_w, .h = from->out_h, .c = from->out_c, .inputs = from->outputs};
}

gdrq_status gdrq_resize_plan_layer(const gdrq_resizing *r, int i) {
    layer *l = &r->net->layers[i];
    gdrq_new_layer *to = &r->layers[i];
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
