#include "infer/plan_state.h"

#include "base/alloc.h"
#include "base/status.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const size_t value_size[FORMS] = {[CODES] = 1, [INTERLEAVED] = sizeof(float)};

static size_t aligned(size_t n) {
    return (n + GDRQ_ALIGNMENT - 1) / GDRQ_ALIGNMENT * GDRQ_ALIGNMENT;
}

/* ---- formats ---- */

/* Whether tensor i can have interleaved values. Shortcuts before it are known to run here, or not.
 */
static bool can_be_interleaved(const gdrq_plan *plan, int i) {
    while (i >= 0 &&
           (plan->nodes[i].kind == GDRQ_NODE_SAME || plan->nodes[i].kind == GDRQ_NODE_MAXPOOL))
        i = plan->nodes[i].reads[0];
    return i >= 0 &&
           (plan->nodes[i].kind == GDRQ_NODE_CONV || plan->nodes[i].kind == GDRQ_NODE_FLOAT ||
            plan->nodes[i].kind == GDRQ_NODE_SHORTCUT);
}

static void choose_shortcuts(gdrq_plan *plan) {
    for (int i = 0; i < plan->n; i++) {
        gdrq_node *node = &plan->nodes[i];
        if (node->kind != GDRQ_NODE_SHORTCUT)
            continue;
        node->shortcut.from = tensor_of(plan, node->reads[1])->shape;
        node->shortcut.to = node->out;
        if (!can_be_interleaved(plan, node->reads[0]) ||
            !can_be_interleaved(plan, node->reads[1]) || !gdrq_same_shape(node->in, node->out) ||
            !gdrq_int_shortcut_fits(node->shortcut.from, node->out))
            node->kind = GDRQ_NODE_FLOAT;
    }
}

static void want_of_input(const gdrq_node *node, const tensor *out, tensor *in) {
    switch (node->kind) {
    case GDRQ_NODE_CONV:
        in->class = node->input_class;
        break;
    case GDRQ_NODE_FLOAT:
        in->values = true;
        break;
    case GDRQ_NODE_SHORTCUT:
        in->slots[INTERLEAVED].exists = true;
        break;
    default: /* what moves values */
        in->values |= out->values;
        in->slots[INTERLEAVED].exists |= out->slots[INTERLEAVED].exists;
        if (out->class >= 0)
            in->class = out->class;
    }
}

/* Backwards, so that every tensor's readers are known before what it is made of. */
static void choose_formats(gdrq_plan *plan) {
    choose_shortcuts(plan);
    for (int i = plan->n - 1; i >= 0; i--) {
        const gdrq_node *node = &plan->nodes[i];
        tensor *out = tensor_of(plan, i);
        out->values |= node->result || node->kind == GDRQ_NODE_FLOAT;
        for (int r = 0; r < node->n_reads; r++)
            want_of_input(node, out, tensor_of(plan, node->reads[r]));
    }
    for (int i = -1; i < plan->n; i++)
        slot_of(plan, i, CODES)->exists = tensor_of(plan, i)->class >= 0;
}

static bool is_read_once(const gdrq_plan *plan, int tensor) {
    int times = 0;
    for (int i = 0; i < plan->n; i++)
        for (int r = 0; r < plan->nodes[i].n_reads; r++)
            times += plan->nodes[i].reads[r] == tensor;
    return times == 1;
}

/* Nobody but the one reader of its interleaved values, who gets them otherwise, needs tensor i. */
static bool is_only_added(const gdrq_plan *plan, int i) {
    const tensor *t = tensor_of(plan, i);
    return i >= 0 && !t->values && t->class < 0 && is_read_once(plan, i);
}

/*
 * Nothing but SAMEs may stand between the two: it could read what the shortcut takes the place of.
 * A shortcut's values go to the host by a way of their own.
 */
static void fuse_shortcut(gdrq_plan *plan, int shortcut) {
    const int *reads = plan->nodes[shortcut].reads;
    int conv = shortcut - 1;
    if (reads[0] != conv || tensor_of(plan, shortcut)->values)
        return;
    while (is_only_added(plan, conv) && plan->nodes[conv].kind == GDRQ_NODE_SAME &&
           plan->nodes[conv].reads[0] == conv - 1)
        conv--;
    if (!is_only_added(plan, conv) || plan->nodes[conv].kind != GDRQ_NODE_CONV)
        return;
    for (int i = conv; i < shortcut; i++)
        slot_of(plan, i, INTERLEAVED)->exists = false;
    plan->fused[conv] = plan->fused[shortcut] = shortcut;
    tensor_of(plan, shortcut)->written = conv;
}

/* Windows of 2x2 that begin at even places, as a kernel pools them. */
static bool pools_pairs(const gdrq_node *n) {
    return n->size == 2 && n->stride == 2 && n->pad < 2 && n->out.w == (n->in.w + 1) / 2 &&
           n->out.h == (n->in.h + 1) / 2;
}

/* The layer before a maxpool that alone reads its codes then writes a quarter as many. */
static void fuse_maxpool(gdrq_plan *plan, int maxpool, gdrq_pools *pools) {
    const int conv = maxpool - 1;
    if (conv < 0 || plan->nodes[maxpool].reads[0] != conv || !pools_pairs(&plan->nodes[maxpool]))
        return;
    const tensor *t = tensor_of(plan, conv);
    const gdrq_conv_kernel *kernel = plan->kernels[conv];
    if (plan->nodes[conv].kind != GDRQ_NODE_CONV || !plan->nodes[conv].rises)
        return;
    if (!(pools ? pools(&plan->nodes[conv]) : kernel && kernel->pools) || t->values ||
        t->slots[INTERLEAVED].exists || t->class < 0 || !is_read_once(plan, conv))
        return;
    slot_of(plan, conv, CODES)->exists = false;
    plan->fused[conv] = plan->fused[maxpool] = maxpool;
    tensor_of(plan, maxpool)->written = conv;
}

static void fuse(gdrq_plan *plan, gdrq_pools *pools) {
    for (int i = 0; i < plan->n; i++) {
        plan->fused[i] = -1;
        if (plan->nodes[i].kind == GDRQ_NODE_SHORTCUT)
            fuse_shortcut(plan, i);
        if (plan->nodes[i].kind == GDRQ_NODE_MAXPOOL)
            fuse_maxpool(plan, i, pools);
    }
}

/* ---- memory ---- */

/* A SAME, or a route of one layer. */
static bool is_its_input(const gdrq_plan *plan, int i) {
    const gdrq_node *node = &plan->nodes[i];
    return node->kind == GDRQ_NODE_SAME || (node->kind == GDRQ_NODE_ROUTE && node->n_reads == 1);
}

static void find_homes(gdrq_plan *plan) {
    for (int i = -1; i < plan->n; i++)
        for (int f = 0; f < FORMS; f++) {
            slot *s = slot_of(plan, i, f);
            s->home = i >= 0 && is_its_input(plan, i)
                          ? slot_of(plan, plan->nodes[i].reads[0], f)->home
                          : i;
            s->route = -1;
        }
}

/* A connected layer reads the codes of that memory as one pixel. */
static bool is_flattened(const gdrq_plan *plan, int home) {
    for (int i = 0; i < plan->n; i++)
        if (plan->nodes[i].flat && slot_of(plan, plan->nodes[i].reads[0], CODES)->home == home)
            return true;
    return false;
}

/* What is in a route already stays there, and is copied. */
static void join(gdrq_plan *plan, int route) {
    const gdrq_node *node = &plan->nodes[route];
    for (int r = 0, channel = 0; r < node->n_reads; r++) {
        const int home = slot_of(plan, node->reads[r], CODES)->home;
        slot *part = slot_of(plan, home, CODES);
        if (home >= 0 && part->route < 0 && !is_flattened(plan, home)) {
            part->route = route;
            part->channel = channel;
        }
        channel += tensor_of(plan, node->reads[r])->shape.c;
    }
}

/*
 * Codes that are concatenated are written where they belong, between the others' pixels. The last
 * route comes first: what another one joined is then moved as a whole. The network's input is
 * written by others. Portable C, which all else is compared with, has each tensor by itself.
 */
static void join_in_place(gdrq_plan *plan) {
    for (int i = plan->n - 1; i >= 0; i--)
        if (plan->nodes[i].kind == GDRQ_NODE_ROUTE && plan->nodes[i].n_reads > 1 &&
            slot_of(plan, i, CODES)->exists)
            join(plan, i);
}

/* The tensor whose memory it is, or is in, at last, and the first of that one's channels. */
static int root_of(const gdrq_plan *plan, int i, form f, int *channel) {
    *channel = 0;
    const slot *s;
    while (s = slot_of(plan, i = slot_of(plan, i, f)->home, f), s->route >= 0) {
        *channel += s->channel;
        i = s->route;
    }
    return i;
}

static slot *memory_of(const gdrq_plan *plan, int i, form f) {
    int channel;
    return slot_of(plan, root_of(plan, i, f, &channel), f);
}

/* Whether node i reads in this form; a MAXPOOL may read in both. */
static bool reads_form(const gdrq_plan *plan, int i, form f) {
    switch (plan->nodes[i].kind) {
    case GDRQ_NODE_CONV:
        return f == CODES;
    case GDRQ_NODE_SHORTCUT:
        return f == INTERLEAVED;
    case GDRQ_NODE_FLOAT:
        return false;
    default:
        return slot_of(plan, i, f)->exists;
    }
}

static void find_lives(gdrq_plan *plan) {
    for (int i = -1; i < plan->n; i++)
        for (int f = 0; f < FORMS; f++) {
            slot_of(plan, i, f)->written = plan->n;
            slot_of(plan, i, f)->last_read = -1;
        }
    for (int i = -1; i < plan->n; i++)
        for (int f = 0; f < FORMS; f++) {
            slot *memory = memory_of(plan, i, f);
            const int written = tensor_of(plan, i)->written;
            if (slot_of(plan, i, f)->exists && written < memory->written)
                memory->written = written;
        }
    for (int i = 0; i < plan->n; i++)
        for (int r = 0; r < plan->nodes[i].n_reads; r++)
            for (int f = 0; f < FORMS; f++)
                if (reads_form(plan, i, f))
                    memory_of(plan, plan->nodes[i].reads[r], f)->last_read = i;
}

/* The results of fused shortcuts take the place of what they add where nothing reads that later. */
static void add_in_place(gdrq_plan *plan) {
    for (int i = 0; i < plan->n; i++) {
        slot *s = slot_of(plan, i, INTERLEAVED);
        if (is_its_input(plan, i))
            s->home = slot_of(plan, plan->nodes[i].reads[0], INTERLEAVED)->home;
        if (plan->nodes[i].kind != GDRQ_NODE_SHORTCUT || plan->fused[i] != i || !s->exists)
            continue;
        const int home = slot_of(plan, plan->nodes[i].reads[1], INTERLEAVED)->home;
        slot *added = slot_of(plan, home, INTERLEAVED);
        if (added->last_read != i ||
            !gdrq_same_shape(plan->nodes[i].shortcut.from, plan->nodes[i].shortcut.to))
            continue;
        added->last_read = s->last_read > i ? s->last_read : i;
        s->home = home;
    }
}

static bool owns(const gdrq_plan *plan, int i, form f) {
    const slot *s = slot_of(plan, i, f);
    return s->exists && s->home == i && s->route < 0;
}

static size_t slot_size(const gdrq_plan *plan, int i, form f) {
    return aligned(gdrq_tensor_size(tensor_of(plan, i)->shape) * value_size[f]);
}

/* Both are written and read last within one span of nodes. */
static bool live_together(const slot *a, const slot *b) {
    return a->written <= b->last_read && b->written <= a->last_read;
}

/* The lowest place where tensor i overlaps none of those before it that live at the same time. */
static void place(gdrq_plan *plan, int i, form f) {
    slot *s = slot_of(plan, i, f);
    const size_t size = slot_size(plan, i, f);
    bool moved = true;
    s->offset = 0;
    while (moved) {
        moved = false;
        for (int k = -FORMS; k < i * FORMS + (int)f; k++) {
            const int other = (k + FORMS) / FORMS - 1;
            const form form_of_other = (form)((k + FORMS) % FORMS);
            const slot *o = slot_of(plan, other, form_of_other);
            if (!owns(plan, other, form_of_other) || !live_together(o, s))
                continue;
            const size_t end = o->offset + slot_size(plan, other, form_of_other);
            if (end <= s->offset || s->offset + size <= o->offset)
                continue;
            s->offset = end;
            moved = true;
        }
    }
    if (s->offset + size > plan->arena_size)
        plan->arena_size = s->offset + size;
}

static void place_all(gdrq_plan *plan, bool here) {
    find_homes(plan);
    if (here && gdrq_cpu_level() > GDRQ_CPU_C)
        join_in_place(plan);
    find_lives(plan);
    add_in_place(plan);
    for (int i = -1; i < plan->n; i++)
        for (int f = 0; f < FORMS; f++)
            if (owns(plan, i, (form)f))
                place(plan, i, (form)f);
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
        if (!plan->kernels[i])
            continue;
        const gdrq_int_conv conv = gdrq_plan_conv(plan, i, NULL, 0);
        const size_t scratch = plan->kernels[i]->scratch(&conv);
        most = scratch > most ? scratch : most;
    }
    return most;
}

/* pools: NULL for a plan that runs here. */
static gdrq_status make(const gdrq_node *nodes, int n, gdrq_tensor_shape input, gdrq_pools *pools,
                        gdrq_plan **out, gdrq_error *err) {
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
        plan->fused = gdrq_alloc((size_t)n, sizeof *plan->fused);
    }
    if (!plan || !plan->nodes || !plan->tensors || !plan->parts || !plan->kernels || !plan->fused) {
        gdrq_plan_free(plan);
        *out = NULL;
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the plan of %d layers", n);
    }
    memcpy(plan->nodes, nodes, (size_t)n * sizeof *nodes);
    for (int i = -1; i < n; i++)
        *tensor_of(plan, i) =
            (tensor){.shape = i < 0 ? input : nodes[i].out, .class = -1, .written = i};
    if (!pools)
        choose_kernels(plan);
    choose_formats(plan);
    fuse(plan, pools);
    place_all(plan, !pools);
    plan->scratch_size = scratch_size(plan);
    return GDRQ_OK;
}

gdrq_status gdrq_plan_make(const gdrq_node *nodes, int n, gdrq_tensor_shape input, gdrq_plan **plan,
                           gdrq_error *err) {
    return make(nodes, n, input, NULL, plan, err);
}

gdrq_status gdrq_plan_make_elsewhere(const gdrq_node *nodes, int n, gdrq_tensor_shape input,
                                     gdrq_pools *pools, gdrq_plan **plan, gdrq_error *err) {
    return make(nodes, n, input, pools, plan, err);
}

void gdrq_plan_free(gdrq_plan *plan) {
    if (!plan)
        return;
    free(plan->nodes);
    free(plan->tensors);
    free(plan->kernels);
    free(plan->fused);
    free(plan->arena);
    free(plan->parts);
    free(plan->scratch);
    free(plan);
}

bool gdrq_plan_has_values(const gdrq_plan *plan, int i) {
    return tensor_of(plan, i)->values;
}

bool gdrq_plan_is_interleaved(const gdrq_plan *plan, int i) {
    return slot_of(plan, i, INTERLEAVED)->exists;
}

bool gdrq_plan_computes_values(const gdrq_plan *plan, int i) {
    return plan->nodes[i].kind == GDRQ_NODE_CONV || plan->nodes[i].kind == GDRQ_NODE_SHORTCUT;
}

/* Of codes alone, all of whose parts are where they belong. */
static bool is_in_place(const gdrq_plan *plan, int route) {
    const gdrq_node *node = &plan->nodes[route];
    if (tensor_of(plan, route)->values || !slot_of(plan, route, CODES)->exists)
        return false;
    for (int r = 0, channel = 0; r < node->n_reads; r++) {
        int at, of_part;
        const int root = root_of(plan, route, CODES, &at);
        if (root_of(plan, node->reads[r], CODES, &of_part) != root || of_part != at + channel)
            return false;
        channel += tensor_of(plan, node->reads[r])->shape.c;
    }
    return true;
}

const char *gdrq_plan_way(const gdrq_plan *plan, int i) {
    const gdrq_node_kind kind = plan->nodes[i].kind;
    if (kind == GDRQ_NODE_CONV)
        return plan->kernels[i] ? plan->kernels[i]->name : "elsewhere";
    if (plan->fused[i] == i)
        return "fused";
    if (kind == GDRQ_NODE_SHORTCUT)
        return "interleaved";
    if (kind == GDRQ_NODE_ROUTE && is_in_place(plan, i))
        return "in place";
    if (kind == GDRQ_NODE_FLOAT || tensor_of(plan, i)->values)
        return "float";
    return tensor_of(plan, i)->class >= 0 ? "codes" : "interleaved";
}

bool gdrq_plan_has_codes(const gdrq_plan *plan, int i) {
    return slot_of(plan, i, CODES)->exists;
}

int gdrq_plan_class(const gdrq_plan *plan, int i) {
    return tensor_of(plan, i)->class;
}

/* A connected layer reads a whole tensor, which then has no gaps, as one pixel. */
gdrq_int_conv gdrq_plan_conv(const gdrq_plan *plan, int i, const gdrq_node_weights *weights,
                             int zero) {
    const gdrq_node *node = &plan->nodes[i];
    gdrq_int_conv conv = gdrq_node_conv(node, weights, zero);
    conv.in_pixel = node->flat ? 0 : gdrq_plan_pixel(plan, node->reads[0]);
    return conv;
}

const gdrq_conv_kernel *gdrq_plan_kernel(const gdrq_plan *plan, int i) {
    return plan->kernels[i];
}

size_t gdrq_plan_bytes(const gdrq_plan *plan) {
    return plan->arena_size + plan->scratch_size;
}

/* Kernels have memory per thread, and fewer threads may need more of it: they divide the work
 * otherwise. */
static gdrq_status reserve_scratch(gdrq_plan *plan, int threads, gdrq_error *err) {
    const size_t size = scratch_size(plan);
    if (plan->scratch && size <= plan->scratch_size) {
        plan->threads = threads;
        return GDRQ_OK;
    }
    void *scratch = gdrq_alloc_aligned(size);
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
        arena = gdrq_alloc_aligned(plan->arena_size * images);
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
    if (threads != plan->threads && reserve_scratch(plan, threads, err) != GDRQ_OK)
        return GDRQ_ERROR_MEMORY;
    return batch > plan->batch ? reserve_arena(plan, batch, err) : GDRQ_OK;
}

static size_t offset_of(const gdrq_plan *plan, int i, form f) {
    assert(slot_of(plan, i, f)->exists);
    int channel;
    const int root = root_of(plan, i, f, &channel);
    return slot_of(plan, root, f)->offset + (size_t)channel * value_size[f];
}

static void *place_of(const gdrq_plan *plan, int i, form f, int b) {
    assert(b < plan->batch);
    return plan->arena + plan->arena_size * (size_t)b + offset_of(plan, i, f);
}

size_t gdrq_plan_arena_bytes(const gdrq_plan *plan) {
    return plan->arena_size;
}

size_t gdrq_plan_codes_at(const gdrq_plan *plan, int i) {
    return offset_of(plan, i, CODES);
}

size_t gdrq_plan_interleaved_at(const gdrq_plan *plan, int i) {
    return offset_of(plan, i, INTERLEAVED);
}

const gdrq_node *gdrq_plan_node(const gdrq_plan *plan, int i) {
    return &plan->nodes[i];
}

int gdrq_plan_written(const gdrq_plan *plan, int i) {
    return plan->fused[i] < 0 ? i : plan->fused[i] == i ? -1 : plan->fused[i];
}

uint8_t *gdrq_plan_codes(const gdrq_plan *plan, int i, int b) {
    return place_of(plan, i, CODES, b);
}

size_t gdrq_plan_pixel(const gdrq_plan *plan, int i) {
    int channel;
    return (size_t)tensor_of(plan, root_of(plan, i, CODES, &channel))->shape.c;
}

float *gdrq_plan_interleaved(const gdrq_plan *plan, int i, int b) {
    return place_of(plan, i, INTERLEAVED, b);
}
