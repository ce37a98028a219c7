#include "host/cuda/folded_gpu.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cuda/device.h"
#include "base/cuda/graph.h"
#include "base/fatal.h"
#include "base/status.h"
#include "host/section_keys.h"
#include "infer/cuda/moves.h"
#include "primitives/cuda/layers_gpu.h"
#include "primitives/segmentation_layer.h"

/* Who computes a layer's values. */
typedef enum way {
    PLANNED, /* the plan, if it has any; or they are those of the layer before it */
    OURS,    /* a kernel of ours, queued with the plan */
    HOSTS,   /* the layer's own function, behind all that is queued */
} way;

struct gdrq_folded_gpu_plan {
    gdrq_cuda_plan *plan;
    way *ways;                /* n */
    uint8_t *pixels;          /* of an image; page-locked */
    gdrq_device_graph *graph; /* NULL: not recorded yet */
    int batch;                /* images that it is recorded for */
    const float *input;       /* net->input_gpu as it was recorded */
};

struct gdrq_folded_gpu {
    const network *net;
    int capability;             /* that the kernels are compiled for */
    gdrq_cuda_weights *weights; /* net->n; of folded layers, once they are loaded */
    gdrq_folded_gpu_plan *plan;
};

/* ---- activations ---- */

static void activate(float *x, size_t n, int which) {
    gdrq_error err;
    (void)which; /* check_activation() */
    gdrq_must(gdrq_cuda_logistic(x, n, &err), &err);
}

static gdrq_status check_activation(const gdrq_int_activation *a, int i, gdrq_error *err) {
    if (a->kind != GDRQ_INT_OTHER || a->which == LOGISTIC)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_STATE,
                     "layer %d: on the GPU, folded networks have the activations linear, relu, "
                     "leaky and logistic, not %s: -nogpu",
                     i, gdrq_activation_names[a->which]);
}

static gdrq_status check_activations(const network *net, const gdrq_folded_network *f,
                                     gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; status == GDRQ_OK && i < f->n; i++) {
        const gdrq_int_activation a = gdrq_folded_activation(net->layers[i].activation);
        const gdrq_node_kind kind = f->nodes[i].kind;
        if (kind == GDRQ_NODE_CONV || kind == GDRQ_NODE_SHORTCUT)
            status = check_activation(&a, i, err);
    }
    return status;
}

/* ---- making ---- */

gdrq_status gdrq_folded_gpu_new(const network *net, const gdrq_folded_network *f,
                                gdrq_folded_gpu **out, gdrq_error *err) {
    *out = NULL;
    gdrq_status status = check_activations(net, f, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_folded_gpu *gpu = gdrq_alloc(1, sizeof *gpu);
    if (gpu) {
        gpu->net = net;
        gpu->weights = gdrq_alloc((size_t)net->n, sizeof *gpu->weights);
    }
    if (!gpu || !gpu->weights)
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d layers", net->n);
    else
        status = gdrq_cuda_code_capability(&gpu->capability, err);
    if (status == GDRQ_OK)
        *out = gpu;
    else
        gdrq_folded_gpu_free(gpu);
    return status;
}

void gdrq_folded_gpu_free(gdrq_folded_gpu *gpu) {
    if (!gpu)
        return;
    for (int i = 0; gpu->weights && i < gpu->net->n; i++)
        gdrq_cuda_weights_free(&gpu->weights[i]);
    free(gpu->weights);
    gdrq_folded_gpu_plan_free(gpu->plan);
    free(gpu);
}

/* ---- who computes what ---- */

static bool is_ours(const layer *l) {
    return l->type == AVGPOOL || l->type == CROP ||
           (l->type == SOFTMAX && !gdrq_is_segmentation_layer(l) &&
            (!l->softmax_tree || l->indexes_gpu));
}

/* Whether what is queued has tensor i's values. Those of the input are there before. */
static bool has_queued_values(const gdrq_plan *forms, const way *ways, int i) {
    return gdrq_plan_has_values(forms, i) && (i < 0 || ways[i] != HOSTS);
}

/* The ways of the layers before are known. */
static way way_of(const gdrq_folded_gpu *gpu, const gdrq_plan *forms, const way *ways, int i) {
    const gdrq_node *node = gdrq_plan_node(forms, i);
    if (!gdrq_plan_has_values(forms, i) || gdrq_plan_computes_values(forms, i))
        return PLANNED;
    if (!has_queued_values(forms, ways, node->reads[0]))
        return HOSTS;
    return node->kind == GDRQ_NODE_SAME ? PLANNED : is_ours(&gpu->net->layers[i]) ? OURS : HOSTS;
}

/* What is queued can't wait for values that the host's functions compute behind it. */
static gdrq_status check_way(const gdrq_folded_gpu *gpu, const gdrq_plan *forms, way w, int i,
                             gdrq_error *err) {
    const layer *l = &gpu->net->layers[i];
    const char *name = gdrq_section_name(l);
    const bool is_read = gdrq_plan_node(forms, i)->kind == GDRQ_NODE_FLOAT &&
                         (gdrq_plan_has_codes(forms, i) || gdrq_plan_is_interleaved(forms, i));
    if (w == HOSTS && is_read)
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "layer %d: [%s] computes floats that folded layers read, which the GPU "
                         "can't do: -nogpu",
                         i, name);
    if (w == HOSTS && !l->forward_gpu)
        return gdrq_fail(err, GDRQ_ERROR_STATE, "layer %d: [%s] can't run on the GPU: -nogpu", i,
                         name);
    return GDRQ_OK;
}

static gdrq_status choose_ways(const gdrq_folded_gpu *gpu, gdrq_folded_gpu_plan *plan,
                               gdrq_error *err) {
    const gdrq_plan *forms = gdrq_cuda_plan_forms(plan->plan);
    gdrq_status status = GDRQ_OK;
    for (int i = 0; status == GDRQ_OK && i < gpu->net->n; i++) {
        plan->ways[i] = way_of(gpu, forms, plan->ways, i);
        status = check_way(gpu, forms, plan->ways[i], i, err);
    }
    return status;
}

bool gdrq_folded_gpu_is_hosts(const gdrq_folded_gpu *gpu, int i) {
    return gpu->plan->ways[i] == HOSTS;
}

/* ---- plans ---- */

/* The same nodes with functions of the GPU. */
static gdrq_status make_plan(const gdrq_node *nodes, int n, gdrq_tensor_shape input,
                             gdrq_cuda_plan **plan, gdrq_error *err) {
    gdrq_node *own = gdrq_alloc((size_t)n, sizeof *own);
    if (!own)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the plan of %d layers", n);
    memcpy(own, nodes, (size_t)n * sizeof *own);
    for (int i = 0; i < n; i++)
        own[i].shortcut.activation.function = activate;
    const gdrq_status status = gdrq_cuda_plan_make(own, n, input, plan, err);
    free(own);
    return status;
}

gdrq_status gdrq_folded_gpu_plan_new(const gdrq_folded_gpu *gpu, const gdrq_node *nodes, int n,
                                     gdrq_tensor_shape input, int batch, gdrq_folded_gpu_plan **out,
                                     gdrq_error *err) {
    cuda_set_device(gpu->net->gpu_index);
    gdrq_folded_gpu_plan *plan = *out = gdrq_alloc(1, sizeof *plan);
    if (plan)
        plan->ways = gdrq_alloc((size_t)n, sizeof *plan->ways);
    gdrq_status status =
        plan && plan->ways
            ? GDRQ_OK
            : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the plan of %d layers", n);
    if (status == GDRQ_OK)
        status = make_plan(nodes, n, input, &plan->plan, err);
    if (status == GDRQ_OK)
        status = choose_ways(gpu, plan, err);
    if (status == GDRQ_OK)
        status = gdrq_cuda_plan_reserve(plan->plan, batch, gpu->weights, err);
    if (status == GDRQ_OK)
        status = gdrq_pinned_alloc((void **)&plan->pixels, gdrq_tensor_size(input),
                                   "the network's input", err);
    if (status != GDRQ_OK) {
        gdrq_folded_gpu_plan_free(plan);
        *out = NULL;
    }
    return status;
}

static void drop_graph(gdrq_folded_gpu_plan *plan) {
    gdrq_device_graph_free(plan->graph);
    plan->graph = NULL;
}

void gdrq_folded_gpu_plan_free(gdrq_folded_gpu_plan *plan) {
    if (!plan)
        return;
    drop_graph(plan);
    gdrq_cuda_plan_free(plan->plan);
    gdrq_pinned_free(plan->pixels);
    free(plan->ways);
    free(plan);
}

void gdrq_folded_gpu_set_plan(gdrq_folded_gpu *gpu, gdrq_folded_gpu_plan *plan) {
    gdrq_folded_gpu_plan_free(gpu->plan);
    gpu->plan = plan;
}

uint8_t *gdrq_folded_gpu_pixels(const gdrq_folded_gpu *gpu) {
    return gpu->plan->pixels;
}

const uint8_t *gdrq_folded_gpu_codes(const gdrq_folded_gpu *gpu, int tensor, int b) {
    return gdrq_cuda_plan_codes(gpu->plan->plan, tensor, b);
}

/* ---- weights ---- */

gdrq_status gdrq_folded_gpu_upload(const gdrq_folded_gpu *gpu, int i, const gdrq_node *node,
                                   const gdrq_node_weights *weights, gdrq_cuda_weights *out,
                                   gdrq_error *err) {
    gdrq_error reason;
    cuda_set_device(gpu->net->gpu_index);
    const gdrq_status status = gdrq_cuda_weights_make(node, weights, gpu->capability, out, &reason);
    out->epilogue.activation.function = activate;
    return status == GDRQ_OK ? GDRQ_OK : gdrq_fail(err, status, "layer %d: %s", i, reason.message);
}

void gdrq_folded_gpu_swap_weights(gdrq_folded_gpu *gpu, gdrq_cuda_weights *weights) {
    for (int i = 0; i < gpu->net->n; i++) {
        const gdrq_cuda_weights old = gpu->weights[i];
        gpu->weights[i] = weights[i];
        weights[i] = old;
    }
    drop_graph(gpu->plan);
}

const char *gdrq_folded_gpu_kernel(const gdrq_folded_gpu *gpu, int i) {
    return gpu->weights[i].kernel ? gpu->weights[i].kernel->name : "";
}

/* ---- running ---- */

/* Layer i of image b. */
typedef struct step {
    const gdrq_folded_network *f;
    const network *net;
    int i, b;
} step;

static float *values_of(const step *s, int tensor) {
    if (tensor < 0)
        return s->net->input_gpu + (size_t)s->b * (size_t)s->net->inputs;
    const layer *l = &s->net->layers[tensor];
    return l->output_gpu + (size_t)s->b * (size_t)l->outputs;
}

static gdrq_status queue_values(const step *s, gdrq_error *err) {
    const layer *l = &s->net->layers[s->i];
    const float *in = values_of(s, s->f->nodes[s->i].reads[0]);
    float *out = values_of(s, s->i);
    const gdrq_cuda_crop_shape crop = {.channels = l->c,
                                       .w = l->w,
                                       .h = l->h,
                                       .out_w = l->out_w,
                                       .out_h = l->out_h,
                                       .adjusts = !l->noadjust};
    if (l->type == CROP)
        return gdrq_cuda_crop_values(&crop, in, out, err);
    if (l->type == AVGPOOL)
        return gdrq_cuda_avgpool(l->c, l->w * l->h, in, out, err);
    const gdrq_cuda_softmax_shape softmax = gdrq_softmax_shape(l, 1);
    return gdrq_cuda_softmax(&softmax, in, out, NULL, err);
}

static gdrq_status queue_step(const step *s, gdrq_error *err) {
    const gdrq_folded_gpu *gpu = s->f->gpu;
    const bool values = gdrq_plan_has_values(s->f->plan, s->i);
    gdrq_status status = GDRQ_OK;
    if (gpu->plan->ways[s->i] == OURS)
        status = queue_values(s, err);
    return status == GDRQ_OK
               ? gdrq_cuda_plan_run(gpu->plan->plan, s->i, s->b, &gpu->weights[s->i], s->f->grids,
                                    values ? values_of(s, s->i) : NULL, err)
               : status;
}

gdrq_status gdrq_folded_gpu_run_layer(const gdrq_folded_network *f, const network *net, int i,
                                      gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int b = 0; status == GDRQ_OK && b < net->batch; b++)
        status = queue_step(&(step){f, net, i, b}, err);
    return status;
}

typedef struct whole {
    const gdrq_folded_network *f;
    const network *net;
} whole;

static gdrq_status queue_all(void *user, gdrq_error *err) {
    const whole *w = user;
    gdrq_status status = GDRQ_OK;
    for (int i = 0; status == GDRQ_OK && i < w->f->n; i++)
        status = gdrq_folded_gpu_run_layer(w->f, w->net, i, err);
    return status;
}

/* All memory is there before: a graph holds its addresses. So are the kernels, which CUDA loads as
   they are first launched: they run once, on whatever the memory holds. */
static gdrq_status record(const whole *w, gdrq_error *err) {
    gdrq_folded_gpu_plan *plan = w->f->gpu->plan;
    drop_graph(plan);
    plan->batch = w->net->batch;
    plan->input = w->net->input_gpu;
    gdrq_status status = gdrq_cuda_plan_reserve(plan->plan, plan->batch, w->f->gpu->weights, err);
    if (status == GDRQ_OK)
        status = queue_all((void *)w, err);
    return status == GDRQ_OK ? gdrq_device_record(queue_all, (void *)w, &plan->graph, err) : status;
}

static gdrq_status code_input(const gdrq_folded_network *f, const network *net, gdrq_error *err) {
    const gdrq_grid *grid = &f->grids[gdrq_plan_class(f->plan, -1)];
    const size_t n = gdrq_tensor_size(f->tensors[0]);
    gdrq_status status = GDRQ_OK;
    for (int b = 0; status == GDRQ_OK && b < net->batch; b++)
        status = gdrq_cuda_quantise(f->tensors[0], grid, net->input_gpu + (size_t)b * n,
                                    gdrq_cuda_plan_codes(f->gpu->plan->plan, -1, b), err);
    return status;
}

gdrq_status gdrq_folded_gpu_set_input(gdrq_folded_network *f, const network *net, gdrq_error *err) {
    gdrq_folded_gpu_plan *plan = f->gpu->plan;
    const bool is_coded = f->input_is_coded;
    gdrq_status status = GDRQ_OK;
    f->input_is_coded = false;
    if (!plan->graph || plan->batch != net->batch || plan->input != net->input_gpu)
        status = record(&(whole){f, net}, err);
    if (status != GDRQ_OK || gdrq_plan_class(f->plan, -1) < 0)
        return status;
    return is_coded ? gdrq_device_push(gdrq_cuda_plan_codes(plan->plan, -1, 0), plan->pixels,
                                       gdrq_tensor_size(f->tensors[0]), err)
                    : code_input(f, net, err);
}

gdrq_status gdrq_folded_gpu_run(const gdrq_folded_network *f, gdrq_error *err) {
    return gdrq_device_replay(f->gpu->plan->graph, err);
}

/* ---- a layer by itself ---- */

/* Arrays on the GPU, one behind the other. */
typedef struct parts {
    uint8_t *in, *codes;
    float *values;
    void *scratch;
} parts;

static size_t aligned(size_t bytes) {
    enum { ALIGNMENT = 256 };
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static gdrq_status make_parts(const gdrq_int_conv *conv, size_t scratch, parts *p,
                              gdrq_error *err) {
    const size_t in = aligned(gdrq_tensor_size(conv->in)), out = gdrq_tensor_size(conv->out);
    const size_t codes = aligned(out), values = aligned(out * sizeof(float));
    *p = (parts){0};
    const gdrq_status status = gdrq_device_alloc_to_infer(
        (void **)&p->in, in + codes + values + scratch, 1, "a layer by itself", err);
    if (status != GDRQ_OK)
        return status;
    p->codes = p->in + in;
    p->values = (float *)(void *)(p->codes + codes);
    p->scratch = p->codes + codes + values;
    return GDRQ_OK;
}

static gdrq_status run_parts(const gdrq_int_conv *conv, const gdrq_conv_limits *limits,
                             const gdrq_cuda_weights *weights, const gdrq_epilogue *epilogue,
                             const parts *p, gdrq_error *err) {
    const gdrq_int_output out = {.codes = epilogue->grid ? p->codes : NULL, .values = p->values};
    const gdrq_cuda_conv_run run = {.conv = conv,
                                    .limits = limits,
                                    .packed = weights->packed,
                                    .epilogue = epilogue,
                                    .in = p->in,
                                    .out = &out};
    return gdrq_cuda_convolve(weights->kernel, &run, p->scratch, err);
}

gdrq_status gdrq_folded_gpu_run_alone(const gdrq_folded_network *f, int i, const uint8_t *in,
                                      uint8_t *codes, float *values, gdrq_error *err) {
    const gdrq_node *node = &f->nodes[i];
    const gdrq_int_conv conv = gdrq_node_conv(node, NULL, -f->grids[node->input_class].min);
    const gdrq_cuda_weights *weights = &f->gpu->weights[i];
    const int class = gdrq_plan_class(f->plan, i);
    const size_t out = gdrq_tensor_size(conv.out);
    gdrq_epilogue epilogue = weights->epilogue;
    parts p;
    epilogue.grid = class >= 0 ? &f->grids[class] : NULL;
    cuda_set_device(f->gpu->net->gpu_index);
    gdrq_status status = make_parts(&conv, gdrq_cuda_conv_scratch(&conv, &epilogue), &p, err);
    if (status == GDRQ_OK)
        status = gdrq_device_push(p.in, in, gdrq_tensor_size(conv.in), err);
    if (status == GDRQ_OK)
        status = run_parts(&conv, &node->limits, weights, &epilogue, &p, err);
    if (status == GDRQ_OK && class >= 0)
        status = gdrq_device_pull(codes, p.codes, out, err);
    if (status == GDRQ_OK)
        status = gdrq_device_pull(values, p.values, out * sizeof *values, err);
    gdrq_device_free(p.in);
    return status;
}
