#include "host/resize.h"

#include <limits.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "host/limits.h"
#include "host/network_state.h"
#include "host/resize_layers.h"
#include "host/scratch_buffer.h"
#include "primitives/segmentation_layer.h"
#ifdef GPU
#include "host/cuda/gpu_network.h"
#include "host/cuda/resize_gpu.h"
#include "train/cuda/quantised_gpu.h"
#endif

static gdrq_status plan(gdrq_resizing *r) {
    for (int i = 0; i < r->net->n; ++i) {
        gdrq_status status = gdrq_resize_plan_layer(r, i);
        if (status == GDRQ_OK && r->layers[i].workspace_size > GDRQ_MAX_WORKSPACE)
            status = gdrq_resize_no_buffer(r, i);
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
static gdrq_status plan_folded(gdrq_resizing *r) {
    if (!r->folded)
        return GDRQ_OK;
    r->tensors = gdrq_alloc((size_t)r->net->n + 1, sizeof *r->tensors);
    if (!r->tensors)
        return gdrq_resize_no_buffer(r, 0);
    r->tensors[0] = gdrq_folded_shape(r->w, r->h, r->net->c, r->w * r->h * r->net->c);
    for (int i = 0; i < r->net->n; ++i) {
        const gdrq_new_layer *to = &r->layers[i];
        r->tensors[i + 1] = gdrq_folded_shape(to->out_w, to->out_h, to->out_c, to->outputs);
    }
    return gdrq_folded_plan_anew(r->folded, r->tensors, r->batch, &r->plan, r->err);
}

static void discard(gdrq_resizing *r) {
    gdrq_folded_plan_free(&r->plan);
    for (int i = 0; i < r->net->n; ++i)
        for (int k = 0; k < r->layers[i].n; ++k)
            free(r->layers[i].buffers[k]);
#ifdef GPU
    gdrq_resize_gpu_discard(r);
#endif
}

static void commit_layer(network *net, int i, gdrq_new_layer *to) {
    layer *l = &net->layers[i];
    for (int k = 0; k < to->n; ++k) {
        free(*to->slots[k]);
        *to->slots[k] = to->buffers[k];
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

/* The buffers of the network itself. On a GPU the workspace is there alone. */
typedef struct net_buffers {
    float *input, *truth, *workspace;
} net_buffers;

/* False when memory is out. */
static bool make_net_buffers(size_t inputs, size_t truths, net_buffers *b) {
    *b = (net_buffers){.input = gdrq_alloc(inputs, sizeof(float)),
                       .truth = gdrq_alloc(truths, sizeof(float))};
    return b->input && b->truth;
}

static void free_net_buffers(const net_buffers *b) {
    free(b->input);
    free(b->truth);
    free(b->workspace);
}

static void set_net_buffers(network *net, const net_buffers *b) {
    free(net->input);
    free(net->truth);
    net->input = b->input;
    net->truth = b->truth;
    if (gdrq_is_on_gpu(net))
        return;
    free(net->workspace);
    net->workspace = b->workspace;
}

static void commit(gdrq_resizing *r, const net_buffers *buffers) {
    network *net = r->net;
#ifdef GPU
    gdrq_resize_gpu_commit(r);
#endif
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
static int new_truths(const gdrq_resizing *r) {
    const network *net = r->net;
    const gdrq_new_layer *last = &r->layers[net->n - 1];
    if (gdrq_is_segmentation_layer(&net->layers[net->n - 1]))
        return last->w * last->h;
    if (net->layers[net->n - 1].truths)
        return net->layers[net->n - 1].truths;
    int i = net->n - 1;
    while (i > 0 && net->layers[i].type == COST)
        --i;
    return r->layers[i].outputs;
}

/* What all layers share, for the one that needs most. */
static gdrq_status make_workspace(const gdrq_resizing *r, net_buffers *buffers) {
    int most = 0;
    for (int i = 1; i < r->net->n; ++i)
        if (r->layers[i].workspace_size > r->layers[most].workspace_size)
            most = i;
    const size_t bytes = r->layers[most].workspace_size;
    gdrq_error reason;
    return gdrq_scratch_buffer_new(r->net, most, bytes, &buffers->workspace, &reason) == GDRQ_OK
               ? GDRQ_OK
               : gdrq_resize_no_buffer(r, most);
}

/* Layer i's *slot, if it has none; then it has none on the GPU either. */
static bool make_missing(const gdrq_resizing *r, int i, void **slot) {
    gdrq_new_layer *to = &r->layers[i];
    if (*slot)
        return true;
#ifdef GPU
    if (gdrq_is_on_gpu(r->net))
        gdrq_resize_need_on_gpu(r, to, gdrq_gpu_twin(&r->net->layers[i], slot), GDRQ_OF_OUTPUTS);
#endif
    return gdrq_resize_add_buffer(r, to, slot, GDRQ_OF_OUTPUTS);
}

/* What a folded network's layers need of values at the new size, and had no buffer for. */
static gdrq_status make_values(gdrq_resizing *r) {
    for (int i = 0; r->folded && i < r->net->n; ++i) {
        layer *l = &r->net->layers[i];
        if (!gdrq_plan_has_values(r->plan.forms, i) || l->type == DROPOUT)
            continue;
        if (!make_missing(r, i, (void **)&l->output) ||
            (l->type == MAXPOOL && !make_missing(r, i, (void **)&l->indexes)))
            return gdrq_resize_no_buffer(r, i);
    }
    return GDRQ_OK;
}

static gdrq_status resize_planned(gdrq_resizing *r) {
    gdrq_status status = plan(r);
    if (status == GDRQ_OK)
        status = plan_folded(r);
    if (status == GDRQ_OK)
        status = make_values(r);
    if (status != GDRQ_OK)
        return status;
    const size_t inputs = (size_t)r->batch * (size_t)r->layers[0].inputs;
    const size_t truths = (size_t)r->batch * (size_t)new_truths(r);
    net_buffers buffers;
    if (!make_net_buffers(inputs, truths, &buffers))
        status = gdrq_resize_no_buffer(r, 0);
#ifdef GPU
    else if (gdrq_is_on_gpu(r->net))
        status = gdrq_resize_gpu(r, inputs, truths);
#endif
    else
        status = make_workspace(r, &buffers);
    if (status == GDRQ_OK)
        commit(r, &buffers);
    else
        free_net_buffers(&buffers);
    return status;
}

gdrq_status gdrq_resize(network *net, int w, int h, gdrq_error *err) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    if (!state)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "can't resize: not a network of this library");
    if (w < 1 || h < 1 || w > 65536 || h > 65536)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "can't resize the network to %dx%d pixels", w,
                         h);
    gdrq_gpu_failure failure = {.status = GDRQ_OK};
    gdrq_resizing r = {.net = net,
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
        return gdrq_resize_no_buffer(&r, 0);
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
