#include "infer/plan.h"

#include "base/alloc.h"
#include "base/status.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Cache lines, and what vector loads like best. */
enum { ALIGNMENT = 64 };

typedef struct tensor {
    gdrq_tensor_shape shape;
    bool values;
    int class;     /* of its codes; -1: none */
    int home;      /* the tensor whose memory holds the codes: itself, but for SAME */
    int last_read; /* the node that reads the codes last; -1: none does */
    size_t offset; /* in the arena */
} tensor;

struct gdrq_plan {
    gdrq_node *nodes;
    const gdrq_conv_kernel **kernels; /* of CONV nodes */
    int n;
    tensor *tensors; /* of -1..n-1, by index + 1 */
    size_t arena_size, scratch_size;
    int batch, threads;   /* that there is memory for */
    uint8_t *arena;       /* batch images */
    gdrq_int_part *parts; /* room for those of the route that joins most */
    void *scratch;
};

static tensor *tensor_of(const gdrq_plan *plan, int i) {
    return &plan->tensors[i + 1];
}

static size_t aligned(size_t n) {
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Backwards, so that every tensor's readers are known before what it is made of. */
static void choose_formats(gdrq_plan *plan) {
    for (int i = plan->n - 1; i >= 0; i--) {
        const gdrq_node *node = &plan->nodes[i];
        tensor *out = tensor_of(plan, i);
        out->values |= node->result || node->kind == GDRQ_NODE_FLOAT;
        for (int r = 0; r < node->n_reads; r++) {
            tensor *in = tensor_of(plan, node->reads[r]);
            if (node->kind == GDRQ_NODE_CONV) {
                in->class = node->input_class;
            } else if (node->kind == GDRQ_NODE_FLOAT) {
                in->values = true;
            } else {
                in->values |= out->values;
                if (out->class >= 0)
                    in->class = out->class;
            }
        }
    }
}

static bool uses_codes(const gdrq_plan *plan, int i) {
    const gdrq_node *node = &plan->nodes[i];
    return node->kind == GDRQ_NODE_CONV ||
           (node->kind != GDRQ_NODE_FLOAT && tensor_of(plan, i)->class >= 0);
}

/* SAME shares its input's memory, which then lives as long as the longest of all who share it. */
static void find_lives(gdrq_plan *plan) {
    for (int i = -1; i < plan->n; i++) {
        tensor *t = tensor_of(plan, i);
        t->home = i;
        t->last_read = -1;
        if (i >= 0 && plan->nodes[i].kind == GDRQ_NODE_SAME && t->class >= 0)
            t->home = tensor_of(plan, plan->nodes[i].reads[0])->home;
    }
    for (int i = 0; i < plan->n; i++)
        for (int r = 0; uses_codes(plan, i) && r < plan->nodes[i].n_reads; r++) {
            const int home = tensor_of(plan, plan->nodes[i].reads[r])->home;
            tensor_of(plan, home)->last_read = i;
        }
}

static bool owns_codes(const gdrq_plan *plan, int i) {
    const tensor *t = tensor_of(plan, i);
    return t->class >= 0 && t->home == i;
}

/* Both are written (by node a and b) and read last within one span of nodes. */
static bool live_together(const gdrq_plan *plan, int a, int b) {
    return a <= tensor_of(plan, b)->last_read && b <= tensor_of(plan, a)->last_read;
}

/* The lowest place where tensor i overlaps none of those before it that live at the same time. */
static void place(gdrq_plan *plan, int i) {
    tensor *t = tensor_of(plan, i);
    const size_t size = aligned(gdrq_tensor_size(t->shape));
    bool moved = true;
    t->offset = 0;
    while (moved) {
        moved = false;
        for (int k = -1; k < i; k++) {
            const tensor *other = tensor_of(plan, k);
            const size_t end = other->offset + aligned(gdrq_tensor_size(other->shape));
            if (!owns_codes(plan, k) || !live_together(plan, k, i) || end <= t->offset ||
                t->offset + size <= other->offset)
                continue;
            t->offset = end;
            moved = true;
        }
    }
    if (t->offset + size > plan->arena_size)
        plan->arena_size = t->offset + size;
}

gdrq_status gdrq_node_weights_make(gdrq_node_weights *weights, int filters, size_t filter_size,
                                   gdrq_error *err) {
    const size_t n = (size_t)filters;
    *weights = (gdrq_node_weights){0};
    if (n <= SIZE_MAX / filter_size)
        weights->codes = gdrq_alloc(n * filter_size, 1);
    weights->sums = gdrq_alloc(n, sizeof *weights->sums);
    float *numbers = gdrq_alloc(n, 2 * sizeof *numbers);
    weights->epilogue.scale = numbers;
    weights->epilogue.bias = numbers ? numbers + n : NULL;
    if (weights->codes && weights->sums && numbers)
        return GDRQ_OK;
    gdrq_node_weights_free(weights);
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d filters of %zu weights", filters,
                     filter_size);
}

const gdrq_conv_kernel *gdrq_node_kernel(const gdrq_node *node) {
    const gdrq_int_conv conv = gdrq_node_conv(node, NULL, 0);
    return gdrq_conv_kernel_for(&conv, &node->limits);
}

gdrq_status gdrq_node_weights_pack(gdrq_node_weights *weights, const gdrq_node *node,
                                   gdrq_error *err) {
    const gdrq_int_conv conv = gdrq_node_conv(node, weights, 0);
    const gdrq_conv_kernel *kernel = gdrq_node_kernel(node);
    const size_t size = kernel->packed_size(&conv);
    if (size == 0)
        return GDRQ_OK;
    weights->packed = aligned_alloc(ALIGNMENT, aligned(size));
    if (!weights->packed)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %zu bytes of packed weights",
                         size);
    kernel->pack(&conv, weights->packed);
    return GDRQ_OK;
}

void gdrq_node_weights_free(gdrq_node_weights *weights) {
    free(weights->packed);
    free(weights->codes);
    free(weights->sums);
    free((float *)weights->epilogue.scale);
    *weights = (gdrq_node_weights){0};
}

gdrq_int_conv gdrq_node_conv(const gdrq_node *node, const gdrq_node_weights *weights, int zero) {
    return (gdrq_int_conv){.in = node->in,
                           .out = node->out,
                           .size = node->size,
                           .stride = node->stride,
                           .pad = node->pad,
                           .groups = node->groups,
                           .zero = zero,
                           .weights = weights ? weights->codes : NULL,
                           .sum = weights ? weights->sums : NULL};
}

static void choose_kernels(gdrq_plan *plan) {
    for (int i = 0; i < plan->n; i++)
        if (plan->nodes[i].kind == GDRQ_NODE_CONV)
            plan->kernels[i] = gdrq_node_kernel(&plan->nodes[i]);
}

/* What the most demanding kernel needs, with as many threads as there are now. */
static size_t scratch_size(const gdrq_plan *plan) {
    size_t most = 0;
    for (int i = 0; i < plan->n; i++) {
        if (plan->nodes[i].kind != GDRQ_NODE_CONV)
            continue;
        const gdrq_int_conv conv = gdrq_node_conv(&plan->nodes[i], NULL, 0);
        const size_t scratch = plan->kernels[i]->scratch(&conv);
        most = scratch > most ? scratch : most;
    }
    return most;
}

gdrq_status gdrq_plan_make(const gdrq_node *nodes, int n, gdrq_tensor_shape input, gdrq_plan **out,
                           gdrq_error *err) {
    gdrq_plan *plan = *out = gdrq_alloc(1, sizeof *plan);
    int most_reads = 1;
    for (int i = 0; i < n; i++)
        most_reads = nodes[i].n_reads > most_reads ? nodes[i].n_reads : most_reads;
    if (plan) {
        plan->n = n;
        plan->parts = gdrq_alloc((size_t)most_reads, sizeof *plan->parts);
        plan->nodes = gdrq_alloc((size_t)n, sizeof *plan->nodes);
        plan->tensors = gdrq_alloc((size_t)n + 1, sizeof *plan->tensors);
        plan->kernels = gdrq_alloc((size_t)n, sizeof *plan->kernels);
    }
    if (!plan || !plan->nodes || !plan->tensors || !plan->parts || !plan->kernels) {
        gdrq_plan_free(plan);
        *out = NULL;
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the plan of %d layers", n);
    }
    memcpy(plan->nodes, nodes, (size_t)n * sizeof *nodes);
    for (int i = -1; i < n; i++)
        *tensor_of(plan, i) = (tensor){.shape = i < 0 ? input : nodes[i].out, .class = -1};
    choose_formats(plan);
    find_lives(plan);
    for (int i = -1; i < n; i++)
        if (owns_codes(plan, i))
            place(plan, i);
    choose_kernels(plan);
    plan->scratch_size = scratch_size(plan);
    return GDRQ_OK;
}

void gdrq_plan_free(gdrq_plan *plan) {
    if (!plan)
        return;
    free(plan->nodes);
    free(plan->tensors);
    free(plan->kernels);
    free(plan->arena);
    free(plan->parts);
    free(plan->scratch);
    free(plan);
}

bool gdrq_plan_has_values(const gdrq_plan *plan, int i) {
    return tensor_of(plan, i)->values;
}

int gdrq_plan_class(const gdrq_plan *plan, int i) {
    return tensor_of(plan, i)->class;
}

size_t gdrq_plan_bytes(const gdrq_plan *plan) {
    return plan->arena_size + plan->scratch_size;
}

/* Kernels have memory per thread. */
static gdrq_status reserve_scratch(gdrq_plan *plan, int threads, gdrq_error *err) {
    const size_t size = scratch_size(plan);
    void *scratch = aligned_alloc(ALIGNMENT, aligned(size));
    if (!scratch)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %zu bytes on %d threads", size,
                         threads);
    free(plan->scratch);
    plan->scratch = scratch;
    plan->scratch_size = size;
    plan->threads = threads;
    return GDRQ_OK;
}

static gdrq_status reserve_arena(gdrq_plan *plan, int batch, gdrq_error *err) {
    uint8_t *arena = NULL;
    const size_t images = (size_t)batch;
    if (plan->arena_size <= SIZE_MAX / images)
        arena = aligned_alloc(ALIGNMENT, aligned(plan->arena_size * images));
    if (!arena)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY,
                         "out of memory for the codes of %d images (%zu bytes each)", batch,
                         plan->arena_size);
    free(plan->arena);
    plan->arena = arena;
    plan->batch = batch;
    return GDRQ_OK;
}

gdrq_status gdrq_plan_reserve(gdrq_plan *plan, int batch, gdrq_error *err) {
    const int threads = omp_get_max_threads();
    if (threads > plan->threads && reserve_scratch(plan, threads, err) != GDRQ_OK)
        return GDRQ_ERROR_MEMORY;
    return batch > plan->batch ? reserve_arena(plan, batch, err) : GDRQ_OK;
}

uint8_t *gdrq_plan_codes(const gdrq_plan *plan, int i, int b) {
    const tensor *t = tensor_of(plan, i);
    assert(t->class >= 0 && b < plan->batch);
    return plan->arena + plan->arena_size * (size_t)b + tensor_of(plan, t->home)->offset;
}

static void run_conv(gdrq_plan *plan, int i, int b, const gdrq_node_weights *weights,
                     const gdrq_grid *grids, float *values) {
    const gdrq_node *node = &plan->nodes[i];
    const tensor *out = tensor_of(plan, i);
    const gdrq_int_conv conv = gdrq_node_conv(node, weights, -grids[node->input_class].min);
    gdrq_epilogue epilogue = weights->epilogue;
    gdrq_int_output output = {.values = values};
    if (out->class >= 0) {
        epilogue.grid = &grids[out->class];
        output.codes = gdrq_plan_codes(plan, i, b);
    }
    plan->kernels[i]->run(&conv, &node->limits, weights->packed, &epilogue,
                          gdrq_plan_codes(plan, node->reads[0], b), plan->scratch, &output);
}

static void run_route(gdrq_plan *plan, int i, int b, uint8_t *out) {
    const gdrq_node *node = &plan->nodes[i];
    for (int r = 0; r < node->n_reads; r++) {
        plan->parts[r].codes = gdrq_plan_codes(plan, node->reads[r], b);
        plan->parts[r].c = tensor_of(plan, node->reads[r])->shape.c;
    }
    gdrq_int_route(node->out.w, node->out.h, plan->parts, node->n_reads, out);
}

static void run_move(gdrq_plan *plan, int i, int b) {
    const gdrq_node *node = &plan->nodes[i];
    const uint8_t *in = gdrq_plan_codes(plan, node->reads[0], b);
    uint8_t *out = gdrq_plan_codes(plan, i, b);
    switch (node->kind) {
    case GDRQ_NODE_MAXPOOL: {
        const gdrq_int_pool pool = {.in = node->in,
                                    .out = node->out,
                                    .size = node->size,
                                    .stride = node->stride,
                                    .pad = node->pad};
        gdrq_int_maxpool(&pool, in, out);
        break;
    }
    case GDRQ_NODE_UPSAMPLE:
        gdrq_int_upsample(node->in, node->stride, in, out);
        break;
    case GDRQ_NODE_ROUTE:
        run_route(plan, i, b, out);
        break;
    case GDRQ_NODE_REORG:
        gdrq_int_reorg(node->in, node->out, node->stride, node->reverse, in, out);
        break;
    case GDRQ_NODE_CROP:
        gdrq_int_crop(node->in, node->out, in, out);
        break;
    case GDRQ_NODE_SAME:
    case GDRQ_NODE_CONV:
    case GDRQ_NODE_FLOAT:
        break;
    }
}

void gdrq_plan_run(gdrq_plan *plan, int i, int b, const gdrq_node_weights *weights,
                   const gdrq_grid *grids, float *values) {
    const gdrq_node *node = &plan->nodes[i];
    const tensor *out = tensor_of(plan, i);
    if (node->kind == GDRQ_NODE_CONV)
        run_conv(plan, i, b, weights, grids, values);
    else if (out->class >= 0 && node->kind == GDRQ_NODE_FLOAT)
        gdrq_int_quantise(node->out, &grids[out->class], values, gdrq_plan_codes(plan, i, b));
    else if (out->class >= 0)
        run_move(plan, i, b);
}
