#include "host/folded_network.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fatal.h"
#include "base/status.h"
#include "host/folded_layer.h"
#include "host/scratch_buffer.h"
#include "host/section_value.h"
#include "primitives/activation.h"
#ifdef GPU
#include "host/cuda/folded_gpu.h"
#include "host/cuda/folded_gpu_layers.h"
#endif

/* ---- from the outline to nodes ---- */

gdrq_tensor_shape gdrq_folded_shape(int w, int h, int c, int values) {
    const bool is_image = w > 0 && h > 0 && (double)w * h * c == values;
    return is_image ? (gdrq_tensor_shape){w, h, c} : (gdrq_tensor_shape){1, 1, values};
}

static gdrq_tensor_shape *tensor_at(gdrq_folded_network *f, int i) {
    return &f->tensors[i + 1];
}

static bool same_size(gdrq_tensor_shape a, gdrq_tensor_shape b) {
    return a.w == b.w && a.h == b.h;
}

/* Maps of one size one behind the other; else the host joins flat arrays, which codes can't. */
static bool joins_images(const gdrq_folded_network *f, const gdrq_outline_layer *l) {
    for (int r = 0; r < l->n_reads; r++)
        if (!same_size(f->tensors[l->reads[r] + 1], f->tensors[l->reads[0] + 1]))
            return false;
    return l->out_w > 0 && l->out_h > 0;
}

static void activate_other(float *x, size_t n, int which) {
    gdrq_activate(x, n, (ACTIVATION)which);
}

gdrq_int_activation gdrq_folded_activation(ACTIVATION a) {
    return (gdrq_int_activation){.kind = a == LINEAR  ? GDRQ_INT_LINEAR
                                         : a == RELU  ? GDRQ_INT_RELU
                                         : a == LEAKY ? GDRQ_INT_LEAKY
                                                      : GDRQ_INT_OTHER,
                                 .function = activate_other,
                                 .which = (int)a};
}

/* What does not fit one of the integer operations runs in floats, which is right, too. */
static gdrq_node_kind kind_of(const gdrq_folded_network *f, const gdrq_outline_layer *l) {
    if (l->folded)
        return GDRQ_NODE_CONV;
    if (l->type == SHORTCUT)
        return GDRQ_NODE_SHORTCUT;
    if (!l->keeps_values)
        return GDRQ_NODE_FLOAT;
    switch (l->type) {
    case MAXPOOL:
        return GDRQ_NODE_MAXPOOL;
    case UPSAMPLE:
        return GDRQ_NODE_UPSAMPLE;
    case ROUTE:
        return joins_images(f, l) ? GDRQ_NODE_ROUTE : GDRQ_NODE_FLOAT;
    case REORG:
        return gdrq_value_int(l->section, "flatten", 0) ? GDRQ_NODE_FLOAT : GDRQ_NODE_REORG;
    case CROP:
        return GDRQ_NODE_CROP;
    case DROPOUT:
        return GDRQ_NODE_SAME;
    default:
        return GDRQ_NODE_FLOAT;
    }
}

/* Shapes of nodes from those of tensors. A connected layer reads its tensor as one pixel. */
static void set_shapes(gdrq_node *nodes, int n, const gdrq_tensor_shape *tensors) {
    for (int i = 0; i < n; i++) {
        const gdrq_tensor_shape in = tensors[nodes[i].reads[0] + 1];
        nodes[i].in = nodes[i].flat ? (gdrq_tensor_shape){1, 1, in.w * in.h * in.c} : in;
        nodes[i].out = tensors[i + 1];
    }
}

static void make_node(gdrq_folded_network *f, const network *net, const gdrq_outline *o, int i,
                      int *reads) {
    const gdrq_outline_layer *l = &o->layers[i];
    const layer *host = &net->layers[i];
    memcpy(reads, l->reads, (size_t)l->n_reads * sizeof *reads);
    f->nodes[i] = (gdrq_node){
        .kind = kind_of(f, l),
        .reads = reads,
        .n_reads = l->n_reads,
        .flat = l->type == CONNECTED,
        .size = l->type == CONNECTED ? 1 : l->size,
        .stride = l->type == CONNECTED ? 1 : l->stride,
        .pad = l->pad,
        .groups = l->type == CONNECTED ? 1 : l->groups,
        .reverse = l->type == REORG && gdrq_value_int(l->section, "reverse", 0) != 0,
        .rises = gdrq_folded_activation(host->activation).kind != GDRQ_INT_OTHER,
        .input_class = f->classes->of_layer[i],
        .shortcut = {.a = host->alpha,
                     .b = host->beta,
                     .activation = gdrq_folded_activation(host->activation)},
        .result = i == o->n - 1, /* float layers have values anyway */
    };
    f->weight_bits[i] = l->folded ? l->options.weight_bits : 0;
    if (l->folded)
        f->nodes[i].limits = (gdrq_conv_limits){.code = (1 << l->options.activation_bits) - 1,
                                                .weight = (1 << (l->options.weight_bits - 1)) - 1};
}

static gdrq_status make_nodes(gdrq_folded_network *f, const network *net, const gdrq_outline *o,
                              gdrq_error *err) {
    size_t reads = 0;
    for (int i = 0; i < o->n; i++)
        reads += (size_t)o->layers[i].n_reads;
    const size_t n = (size_t)o->n;
    f->n = o->n;
    f->nodes = gdrq_alloc(n, sizeof *f->nodes);
    f->reads = gdrq_alloc(reads, sizeof *f->reads);
    f->tensors = gdrq_alloc(n + 1, sizeof *f->tensors);
    f->grids = gdrq_alloc((size_t)f->classes->n, sizeof *f->grids);
    f->weights = gdrq_alloc(n, sizeof *f->weights);
    f->forward = gdrq_alloc(n, sizeof *f->forward);
    f->weight_bits = gdrq_alloc(n, sizeof *f->weight_bits);
    if (!f->nodes || !f->reads || !f->tensors || !f->grids || !f->weights || !f->forward ||
        !f->weight_bits)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", o->cfg.path);
    *tensor_at(f, -1) = gdrq_folded_shape(o->w, o->h, o->c, o->inputs);
    int *next = f->reads;
    for (int i = 0; i < o->n; i++) {
        const gdrq_outline_layer *l = &o->layers[i];
        *tensor_at(f, i) = gdrq_folded_shape(l->out_w, l->out_h, l->out_c, l->outputs);
        make_node(f, net, o, i, next);
        next += l->n_reads;
    }
    set_shapes(f->nodes, f->n, f->tensors);
    return GDRQ_OK;
}

/* ---- forward ---- */

/* The host does not look at this member, in any type of layer. */
static gdrq_folded_network *network_of(const layer *l) {
    return (gdrq_folded_network *)l->state_save_layer;
}

static void code_input(gdrq_folded_network *f, const network *net) {
    const int class = gdrq_plan_class(f->plan, -1);
    const size_t n = gdrq_tensor_size(f->tensors[0]);
    if (class < 0 || f->input_is_coded)
        return;
    for (int b = 0; b < net->batch; b++)
        gdrq_int_quantise(f->tensors[0], &f->grids[class], net->input + (size_t)b * n,
                          gdrq_plan_codes(f->plan, -1, b), (size_t)f->tensors[0].c);
}

static void forward_folded_layer(layer l, network net) {
    gdrq_folded_network *f = network_of(&l);
    const int i = net.index;
    gdrq_error err;
    if (net.train)
        gdrq_refuse_training();
    if (i == 0) {
        gdrq_must(gdrq_folded_check(f, &err), &err);
        gdrq_must(gdrq_plan_reserve(f->plan, net.batch, &err), &err);
        code_input(f, &net);
        f->input_is_coded = false;
    }
    const bool values = gdrq_plan_has_values(f->plan, i);
    if (values && !gdrq_plan_computes_values(f->plan, i))
        f->forward[i](l, net);
    /* Images, also where a recurrent layer counts sequences. */
    for (int b = 0; b < net.batch; b++)
        gdrq_plan_run(f->plan, i, b, &f->weights[i], f->grids,
                      values ? l.output + (size_t)b * (size_t)l.outputs : NULL);
}

gdrq_status gdrq_folded_check(const gdrq_folded_network *f, gdrq_error *err) {
    return f->loaded ? GDRQ_OK
                     : gdrq_fail(err, GDRQ_ERROR_STATE,
                                 "the folded network has no weights: load the file that "
                                 "`darknet gdrq fold` wrote beside its cfg");
}

static gdrq_status pixels_of(const gdrq_folded_network *f, uint8_t **pixels, gdrq_error *err) {
#ifdef GPU
    if (f->gpu) {
        *pixels = gdrq_folded_gpu_pixels(f->gpu);
        return GDRQ_OK;
    }
#endif
    const gdrq_status status = gdrq_plan_reserve(f->plan, 1, err);
    if (status == GDRQ_OK)
        *pixels = gdrq_plan_codes(f->plan, -1, 0);
    return status;
}

gdrq_status gdrq_folded_pixels(const gdrq_folded_network *f, uint8_t **pixels, gdrq_error *err) {
    const int class = gdrq_plan_class(f->plan, -1);
    const bool reads_pixels = class >= 0 && f->classes->classes[class].fixed;
    *pixels = NULL;
    return reads_pixels && !gdrq_plan_has_values(f->plan, -1) ? pixels_of(f, pixels, err) : GDRQ_OK;
}

void gdrq_folded_pixels_are_set(gdrq_folded_network *f) {
    f->input_is_coded = true;
}

/* ---- attaching ---- */

static void drop(float **buffer) {
    free(*buffer);
    *buffer = NULL;
}

/* Others clear theirs in every forward, whether they train or not, and so keep it. */
static bool needs_no_gradient(LAYER_TYPE type) {
    return type == CONVOLUTIONAL || type == CONNECTED || type == MAXPOOL || type == AVGPOOL ||
           type == UPSAMPLE || type == ROUTE || type == SHORTCUT || type == REORG ||
           type == BATCHNORM || type == ACTIVE;
}

/* Dropout's output and gradient are those of the layer before it. */
static void drop_buffers(layer *l, const layer *before, bool values) {
    if (l->type == DROPOUT) {
        l->output = before->output;
        l->delta = before->delta;
        return;
    }
    if (needs_no_gradient(l->type)) {
        drop(&l->delta);
        drop(&l->weight_updates);
        drop(&l->bias_updates);
        drop(&l->scale_updates);
    }
    if (!values) {
        drop(&l->output);
        free(l->indexes);
        l->indexes = NULL;
    }
}

/* A folded layer has no output yet. */
static gdrq_status make_output(layer *l, int i, gdrq_error *err) {
    if (!l->output)
        l->output = gdrq_alloc((size_t)l->batch * (size_t)l->outputs, sizeof(float));
    return l->output
               ? GDRQ_OK
               : gdrq_fail(err, GDRQ_ERROR_MEMORY, "layer %d: out of memory for its output", i);
}

/* The function that the host calls. */
static gdrq_status attach_forward(network *net, gdrq_folded_network *f, int i, gdrq_error *err) {
    layer *l = &net->layers[i];
    l->state_save_layer = (struct layer *)f;
#ifdef GPU
    if (f->gpu)
        return gdrq_folded_gpu_attach_layer(net, f, i, err);
#endif
    (void)err;
    f->forward[i] = l->forward;
    l->forward = forward_folded_layer;
    return GDRQ_OK;
}

static gdrq_status attach_layers(network *net, gdrq_folded_network *f, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; status == GDRQ_OK && i < f->n; i++) {
        layer *l = &net->layers[i];
        const bool values = gdrq_plan_has_values(f->plan, i);
        drop_buffers(l, i > 0 ? l - 1 : NULL, values);
        if (values && l->type != DROPOUT)
            status = make_output(l, i, err);
        if (status == GDRQ_OK)
            status = attach_forward(net, f, i, err);
    }
    const layer out = get_network_output_layer(net);
    net->output = out.output;
#ifdef GPU
    net->output_gpu = out.output_gpu;
#endif
    return status;
}

static gdrq_status make_plan(const gdrq_folded_network *f, const gdrq_node *nodes,
                             gdrq_tensor_shape input, int batch, gdrq_folded_plan *plan,
                             gdrq_error *err) {
#ifdef GPU
    if (f->gpu) {
        const gdrq_status status =
            gdrq_plan_make_elsewhere(nodes, f->n, input, gdrq_cuda_pools, &plan->forms, err);
        return status == GDRQ_OK
                   ? gdrq_folded_gpu_plan_new(f->gpu, nodes, f->n, input, batch, &plan->gpu, err)
                   : status;
    }
#endif
    const gdrq_status status = gdrq_plan_make(nodes, f->n, input, &plan->forms, err);
    return status == GDRQ_OK ? gdrq_plan_reserve(plan->forms, batch, err) : status;
}

gdrq_status gdrq_folded_plan_anew(const gdrq_folded_network *f, const gdrq_tensor_shape *tensors,
                                  int batch, gdrq_folded_plan *plan, gdrq_error *err) {
    *plan = (gdrq_folded_plan){0};
    gdrq_node *nodes = gdrq_alloc((size_t)f->n, sizeof *nodes);
    if (!nodes)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the plan of %d layers", f->n);
    memcpy(nodes, f->nodes, (size_t)f->n * sizeof *nodes);
    set_shapes(nodes, f->n, tensors);
    const gdrq_status status = make_plan(f, nodes, tensors[0], batch, plan, err);
    free(nodes);
    if (status != GDRQ_OK)
        gdrq_folded_plan_free(plan);
    return status;
}

void gdrq_folded_plan_free(gdrq_folded_plan *plan) {
    gdrq_plan_free(plan->forms);
#ifdef GPU
    gdrq_folded_gpu_plan_free(plan->gpu);
#endif
    *plan = (gdrq_folded_plan){0};
}

void gdrq_folded_set_plan(gdrq_folded_network *f, const gdrq_folded_plan *plan,
                          const gdrq_tensor_shape *tensors) {
    gdrq_plan_free(f->plan);
    f->plan = plan->forms;
#ifdef GPU
    if (f->gpu)
        gdrq_folded_gpu_set_plan(f->gpu, plan->gpu);
#endif
    f->input_is_coded = false;
    memmove(f->tensors, tensors, ((size_t)f->n + 1) * sizeof *tensors); /* may be the same */
    set_shapes(f->nodes, f->n, f->tensors);
}

gdrq_status gdrq_folded_attach(network *net, const gdrq_outline *outline,
                               gdrq_tensor_classes *classes, gdrq_folded_network **out,
                               gdrq_error *err) {
    gdrq_folded_network *f = *out = gdrq_alloc(1, sizeof *f);
    if (!f)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", outline->cfg.path);
    f->classes = classes;
    f->hash = gdrq_outline_hash(outline);
    gdrq_folded_plan plan = {0};
    gdrq_status status = make_nodes(f, net, outline, err);
#ifdef GPU
    if (status == GDRQ_OK && gdrq_is_on_gpu(net))
        status = gdrq_folded_gpu_new(net, f, &f->gpu, err);
#endif
    if (status == GDRQ_OK)
        status = gdrq_folded_plan_anew(f, f->tensors, net->batch, &plan, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_folded_set_plan(f, &plan, f->tensors);
    return attach_layers(net, f, err);
}

void gdrq_folded_network_free(gdrq_folded_network *f) {
    if (!f)
        return;
    for (int i = 0; f->weights && i < f->n; i++)
        gdrq_node_weights_free(&f->weights[i]);
    gdrq_plan_free(f->plan);
#ifdef GPU
    gdrq_folded_gpu_free(f->gpu);
#endif
    free(f->nodes);
    free(f->reads);
    free(f->tensors);
    free(f->grids);
    free(f->weights);
    free(f->forward);
    free(f->weight_bits);
    free(f->path);
    free(f);
}
