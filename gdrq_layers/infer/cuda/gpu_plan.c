#include "infer/cuda/gpu_plan.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cuda/device.h"
#include "base/status.h"
#include "infer/cuda/moves.h"
#include "infer/cuda/shortcut.h"

struct gdrq_cuda_plan {
    gdrq_plan *plan;
    int n;
    gdrq_tensor_shape input;
    gdrq_int_part *parts; /* room for those of the route that joins most; in the host's memory */
    uint8_t *arena;       /* of `batch` images */
    int batch;
    void *scratch;
    size_t scratch_size;
};

/* ---- weights ---- */

static gdrq_status push_packed(const gdrq_int_conv *conv, const gdrq_conv_limits *limits,
                               gdrq_cuda_weights *out, gdrq_error *err) {
    const size_t size = out->kernel->packed_size(conv, limits);
    void *packed = gdrq_alloc(size, 1);
    if (!packed)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %zu bytes of packed weights",
                         size);
    out->kernel->pack(conv, limits, packed);
    gdrq_status status = gdrq_device_alloc_to_infer(&out->packed, size, 1, "weights", err);
    if (status == GDRQ_OK)
        status = gdrq_device_push(out->packed, packed, size, err);
    free(packed);
    return status;
}

/* Bias lies behind scale, at a multiple of 16 bytes. */
static gdrq_status push_epilogue(const gdrq_epilogue *epilogue, size_t filters,
                                 gdrq_cuda_weights *out, gdrq_error *err) {
    const size_t room = (filters + 3) / 4 * 4;
    gdrq_status status = gdrq_device_alloc_to_infer((void **)&out->scale_and_bias, 2 * room,
                                                    sizeof(float), "scales and biases", err);
    if (status != GDRQ_OK)
        return status;
    out->epilogue = (gdrq_epilogue){.scale = out->scale_and_bias,
                                    .bias = out->scale_and_bias + room,
                                    .activation = epilogue->activation};
    status = gdrq_device_push(out->scale_and_bias, epilogue->scale, filters * sizeof(float), err);
    return status == GDRQ_OK ? gdrq_device_push(out->scale_and_bias + room, epilogue->bias,
                                                filters * sizeof(float), err)
                             : status;
}

gdrq_status gdrq_cuda_weights_make(const gdrq_node *node, const gdrq_node_weights *weights,
                                   int capability, gdrq_cuda_weights *out, gdrq_error *err) {
    assert(weights->codes);
    const gdrq_int_conv conv = gdrq_node_conv(node, weights, 0);
    *out =
        (gdrq_cuda_weights){.kernel = gdrq_cuda_conv_kernel_for(&conv, &node->limits, capability)};
    gdrq_status status = push_packed(&conv, &node->limits, out, err);
    if (status == GDRQ_OK)
        status = push_epilogue(&weights->epilogue, (size_t)conv.out.c, out, err);
    if (status != GDRQ_OK)
        gdrq_cuda_weights_free(out);
    return status;
}

void gdrq_cuda_weights_free(gdrq_cuda_weights *weights) {
    gdrq_device_free(weights->packed);
    gdrq_device_free(weights->scale_and_bias);
    *weights = (gdrq_cuda_weights){0};
}

/* ---- memory ---- */

/* Whatever the code is compiled for: without tensor cores dp4a takes their kernel's place. */
bool gdrq_cuda_pools(const gdrq_node *node) {
    const gdrq_int_conv conv = gdrq_node_conv(node, NULL, 0);
    return gdrq_cuda_conv_kernel_for(&conv, &node->limits, 0)->pools;
}

gdrq_status gdrq_cuda_plan_make(const gdrq_node *nodes, int n, gdrq_tensor_shape input,
                                gdrq_cuda_plan **out, gdrq_error *err) {
    gdrq_cuda_plan *plan = *out = gdrq_alloc(1, sizeof *plan);
    int most_reads = 1;
    for (int i = 0; i < n; i++)
        most_reads = nodes[i].n_reads > most_reads ? nodes[i].n_reads : most_reads;
    if (plan)
        plan->parts = gdrq_alloc((size_t)most_reads, sizeof *plan->parts);
    gdrq_status status = GDRQ_OK;
    if (!plan || !plan->parts)
        status =
            gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the GPU's plan of %d layers", n);
    if (status == GDRQ_OK)
        status = gdrq_plan_make_elsewhere(nodes, n, input, gdrq_cuda_pools, &plan->plan, err);
    if (status != GDRQ_OK) {
        gdrq_cuda_plan_free(plan);
        *out = NULL;
        return status;
    }
    plan->n = n;
    plan->input = input;
    return GDRQ_OK;
}

void gdrq_cuda_plan_free(gdrq_cuda_plan *plan) {
    if (!plan)
        return;
    gdrq_plan_free(plan->plan);
    free(plan->parts);
    gdrq_device_free(plan->arena);
    gdrq_device_free(plan->scratch);
    free(plan);
}

const gdrq_plan *gdrq_cuda_plan_forms(const gdrq_cuda_plan *plan) {
    return plan->plan;
}

/* Whether CONV node i also does what a node of this kind is for. */
static bool does(const gdrq_cuda_plan *plan, int i, gdrq_node_kind kind) {
    const int written = gdrq_plan_written(plan->plan, i);
    return written != i && gdrq_plan_node(plan->plan, written)->kind == kind;
}

/* The epilogue of a CONV node as far as its functions matter, with the shortcut that it does. */
static gdrq_epilogue epilogue_of(const gdrq_cuda_plan *plan, int i,
                                 const gdrq_cuda_weights *weights) {
    const int written = gdrq_plan_written(plan->plan, i);
    gdrq_epilogue epilogue = weights->epilogue;
    const bool adds = does(plan, i, GDRQ_NODE_SHORTCUT);
    epilogue.shortcut = adds ? &gdrq_plan_node(plan->plan, written)->shortcut : NULL;
    return epilogue;
}

/* Of node i. */
static size_t scratch_of(const gdrq_cuda_plan *plan, int i, const gdrq_cuda_weights *weights) {
    const gdrq_node *node = gdrq_plan_node(plan->plan, i);
    if (node->kind == GDRQ_NODE_SHORTCUT)
        return gdrq_cuda_shortcut_scratch(&node->shortcut);
    if (node->kind != GDRQ_NODE_CONV)
        return 0;
    const gdrq_int_conv conv = gdrq_node_conv(node, NULL, 0);
    const gdrq_epilogue epilogue = epilogue_of(plan, i, &weights[i]);
    return gdrq_cuda_conv_scratch(&conv, &epilogue);
}

static size_t scratch_size(const gdrq_cuda_plan *plan, const gdrq_cuda_weights *weights) {
    size_t most = 0;
    for (int i = 0; i < plan->n; i++) {
        const size_t size = scratch_of(plan, i, weights);
        most = size > most ? size : most;
    }
    return most;
}

/* Nothing changes on failure. */
static gdrq_status replace(void **memory, size_t count, size_t size, const char *what,
                           gdrq_error *err) {
    void *larger;
    const gdrq_status status = gdrq_device_alloc_to_infer(&larger, count, size, what, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_device_free(*memory);
    *memory = larger;
    return GDRQ_OK;
}

gdrq_status gdrq_cuda_plan_reserve(gdrq_cuda_plan *plan, int batch,
                                   const gdrq_cuda_weights *weights, gdrq_error *err) {
    const size_t scratch = scratch_size(plan, weights);
    gdrq_status status = GDRQ_OK;
    if (scratch > plan->scratch_size) {
        status = replace(&plan->scratch, scratch, 1, "values of activations", err);
        plan->scratch_size = status == GDRQ_OK ? scratch : plan->scratch_size;
    }
    if (status == GDRQ_OK && batch > plan->batch) {
        status = replace((void **)&plan->arena, (size_t)batch, gdrq_plan_arena_bytes(plan->plan),
                         "the codes of all layers", err);
        plan->batch = status == GDRQ_OK ? batch : plan->batch;
    }
    return status;
}

static uint8_t *arena_of(const gdrq_cuda_plan *plan, int b) {
    assert(b < plan->batch);
    return plan->arena + gdrq_plan_arena_bytes(plan->plan) * (size_t)b;
}

uint8_t *gdrq_cuda_plan_codes(const gdrq_cuda_plan *plan, int i, int b) {
    return arena_of(plan, b) + gdrq_plan_codes_at(plan->plan, i);
}

float *gdrq_cuda_plan_interleaved(const gdrq_cuda_plan *plan, int i, int b) {
    void *const at = arena_of(plan, b) + gdrq_plan_interleaved_at(plan->plan, i);
    return at;
}

/* ---- running ---- */

/* An image at a node: what its functions have in common. */
typedef struct step {
    gdrq_cuda_plan *plan;
    const gdrq_node *node;
    int i, b;
    const gdrq_grid *grids;
    float *values;
} step;

static gdrq_int_output output_of(const step *s, int tensor) {
    const gdrq_plan *forms = s->plan->plan;
    return (gdrq_int_output){.codes = gdrq_plan_has_codes(forms, tensor)
                                          ? gdrq_cuda_plan_codes(s->plan, tensor, s->b)
                                          : NULL,
                             .interleaved = gdrq_plan_is_interleaved(forms, tensor)
                                                ? gdrq_cuda_plan_interleaved(s->plan, tensor, s->b)
                                                : NULL,
                             .values = s->values};
}

static const gdrq_grid *grid_of(const step *s, int tensor) {
    const int class = gdrq_plan_class(s->plan->plan, tensor);
    return class >= 0 ? &s->grids[class] : NULL;
}

static gdrq_int_shortcut shortcut_of(const step *s, int tensor) {
    const gdrq_node *node = gdrq_plan_node(s->plan->plan, tensor);
    gdrq_int_shortcut shortcut = node->shortcut;
    shortcut.other = gdrq_cuda_plan_interleaved(s->plan, node->reads[1], s->b);
    return shortcut;
}

static gdrq_status run_conv(const step *s, const gdrq_cuda_weights *weights, gdrq_error *err) {
    const gdrq_int_conv conv = gdrq_node_conv(s->node, NULL, -s->grids[s->node->input_class].min);
    const int written = gdrq_plan_written(s->plan->plan, s->i);
    gdrq_int_output output = output_of(s, written);
    if (!output.codes && !output.interleaved && !output.values)
        return GDRQ_OK; /* nothing reads it */
    if (does(s->plan, s->i, GDRQ_NODE_MAXPOOL))
        output = (gdrq_int_output){.pooled = output.codes};
    gdrq_epilogue epilogue = epilogue_of(s->plan, s->i, weights);
    gdrq_int_shortcut shortcut;
    epilogue.grid = grid_of(s, written);
    if (epilogue.shortcut) {
        shortcut = shortcut_of(s, written);
        epilogue.shortcut = &shortcut;
    }
    const gdrq_cuda_conv_run run = {.conv = &conv,
                                    .limits = &s->node->limits,
                                    .packed = weights->packed,
                                    .epilogue = &epilogue,
                                    .in = gdrq_cuda_plan_codes(s->plan, s->node->reads[0], s->b),
                                    .out = &output};
    return gdrq_cuda_convolve(weights->kernel, &run, s->plan->scratch, err);
}

static gdrq_status run_shortcut(const step *s, gdrq_error *err) {
    const gdrq_int_shortcut shortcut = shortcut_of(s, s->i);
    const gdrq_int_output output = output_of(s, s->i);
    return gdrq_cuda_shortcut(&shortcut, s->node->out,
                              gdrq_cuda_plan_interleaved(s->plan, s->node->reads[0], s->b),
                              s->plan->scratch, grid_of(s, s->i), &output, err);
}

/* What a FLOAT node left in `values`, in other forms. */
static gdrq_status convert_values(const step *s, gdrq_error *err) {
    const gdrq_int_output output = output_of(s, s->i);
    gdrq_status status = GDRQ_OK;
    if (output.codes)
        status = gdrq_cuda_quantise(s->node->out, grid_of(s, s->i), s->values, output.codes, err);
    if (status == GDRQ_OK && output.interleaved)
        status = gdrq_cuda_interleave(s->node->out, s->values, output.interleaved, err);
    return status;
}

static gdrq_status run_route(const step *s, uint8_t *out, gdrq_error *err) {
    const gdrq_node *node = s->node;
    gdrq_int_part *const parts = s->plan->parts;
    for (int r = 0; r < node->n_reads; r++) {
        const int read = node->reads[r];
        parts[r].codes = gdrq_cuda_plan_codes(s->plan, read, s->b);
        parts[r].c = read < 0 ? s->plan->input.c : gdrq_plan_node(s->plan->plan, read)->out.c;
    }
    return gdrq_cuda_route(node->out.w, node->out.h, parts, node->n_reads, out, err);
}

static gdrq_status move_codes(const step *s, gdrq_error *err) {
    const gdrq_node *node = s->node;
    const uint8_t *in = gdrq_cuda_plan_codes(s->plan, node->reads[0], s->b);
    uint8_t *out = gdrq_cuda_plan_codes(s->plan, s->i, s->b);
    const gdrq_int_pool pool = gdrq_node_pool(node);
    switch (node->kind) {
    case GDRQ_NODE_MAXPOOL:
        return gdrq_cuda_maxpool(&pool, in, out, err);
    case GDRQ_NODE_UPSAMPLE:
        return gdrq_cuda_upsample(node->in, node->stride, in, out, err);
    case GDRQ_NODE_ROUTE:
        return run_route(s, out, err);
    case GDRQ_NODE_REORG:
        return gdrq_cuda_reorg(node->in, node->out, node->stride, node->reverse, in, out, err);
    case GDRQ_NODE_CROP:
        return gdrq_cuda_crop(node->in, node->out, in, out, err);
    default:
        return GDRQ_OK;
    }
}

static gdrq_status move(const step *s, gdrq_error *err) {
    const gdrq_plan *forms = s->plan->plan;
    const gdrq_int_pool pool = gdrq_node_pool(s->node);
    gdrq_status status = GDRQ_OK;
    if (gdrq_plan_has_codes(forms, s->i))
        status = move_codes(s, err);
    if (status != GDRQ_OK || !gdrq_plan_is_interleaved(forms, s->i) ||
        s->node->kind != GDRQ_NODE_MAXPOOL)
        return status;
    return gdrq_cuda_maxpool_values(&pool,
                                    gdrq_cuda_plan_interleaved(s->plan, s->node->reads[0], s->b),
                                    gdrq_cuda_plan_interleaved(s->plan, s->i, s->b), err);
}

gdrq_status gdrq_cuda_plan_run(gdrq_cuda_plan *plan, int i, int b, const gdrq_cuda_weights *weights,
                               const gdrq_grid *grids, float *values, gdrq_error *err) {
    const step s = {plan, gdrq_plan_node(plan->plan, i), i, b, grids, values};
    if (gdrq_plan_written(plan->plan, i) < 0)
        return GDRQ_OK;
    switch (s.node->kind) {
    case GDRQ_NODE_CONV:
        return run_conv(&s, weights, err);
    case GDRQ_NODE_SHORTCUT:
        return run_shortcut(&s, err);
    case GDRQ_NODE_FLOAT:
        return convert_values(&s, err);
    default:
        return move(&s, err);
    }
}
