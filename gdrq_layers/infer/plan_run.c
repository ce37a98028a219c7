/* Runs the nodes of a plan on the CPU. */
#include "infer/plan_state.h"

/* What tensor i has, its values at `values`. */
static gdrq_int_output output_of(const gdrq_plan *plan, int i, int b, float *values) {
    return (gdrq_int_output){
        .codes = slot_of(plan, i, CODES)->exists ? gdrq_plan_codes(plan, i, b) : NULL,
        .pixel = gdrq_plan_pixel(plan, i),
        .interleaved =
            slot_of(plan, i, INTERLEAVED)->exists ? gdrq_plan_interleaved(plan, i, b) : NULL,
        .values = values};
}

static gdrq_int_shortcut shortcut_of(const gdrq_plan *plan, int i, int b) {
    gdrq_int_shortcut shortcut = plan->nodes[i].shortcut;
    shortcut.other = gdrq_plan_interleaved(plan, plan->nodes[i].reads[1], b);
    return shortcut;
}

static void run_conv(gdrq_plan *plan, int i, int b, const gdrq_node_weights *weights,
                     const gdrq_grid *grids, float *values) {
    const gdrq_node *node = &plan->nodes[i];
    const gdrq_int_conv conv = gdrq_plan_conv(plan, i, weights, -grids[node->input_class].min);
    const int result = plan->fused[i] >= 0 ? plan->fused[i] : i;
    const int class = tensor_of(plan, result)->class;
    gdrq_int_output output = output_of(plan, result, b, values);
    if (!output.codes && !output.interleaved && !output.values)
        return; /* nothing reads it */
    gdrq_epilogue epilogue = weights->epilogue;
    gdrq_int_shortcut shortcut;
    epilogue.grid = class >= 0 ? &grids[class] : NULL;
    if (plan->nodes[result].kind == GDRQ_NODE_SHORTCUT) {
        shortcut = shortcut_of(plan, result, b);
        epilogue.shortcut = &shortcut;
    }
    if (plan->nodes[result].kind == GDRQ_NODE_MAXPOOL)
        output = (gdrq_int_output){.pooled = output.codes, .pixel = output.pixel};
    plan->kernels[i]->run(&conv, &node->limits, weights->packed, &epilogue,
                          gdrq_plan_codes(plan, node->reads[0], b), plan->scratch, &output);
}

static void run_shortcut(const gdrq_plan *plan, int i, int b, const gdrq_grid *grids,
                         float *values) {
    const int class = tensor_of(plan, i)->class;
    const gdrq_int_shortcut shortcut = shortcut_of(plan, i, b);
    const gdrq_int_output output = output_of(plan, i, b, values);
    gdrq_int_shortcut_run(&shortcut, gdrq_plan_interleaved(plan, plan->nodes[i].reads[0], b),
                          class >= 0 ? &grids[class] : NULL, &output);
}

static void run_route(gdrq_plan *plan, int i, int b, uint8_t *out) {
    const gdrq_node *node = &plan->nodes[i];
    for (int r = 0; r < node->n_reads; r++) {
        plan->parts[r].codes = gdrq_plan_codes(plan, node->reads[r], b);
        plan->parts[r].c = tensor_of(plan, node->reads[r])->shape.c;
        plan->parts[r].pixel = gdrq_plan_pixel(plan, node->reads[r]);
    }
    gdrq_int_route(node->out.w, node->out.h, plan->parts, node->n_reads, out,
                   gdrq_plan_pixel(plan, i));
}

gdrq_int_pool gdrq_node_pool(const gdrq_node *node) {
    return (gdrq_int_pool){.in = node->in,
                           .out = node->out,
                           .size = node->size,
                           .stride = node->stride,
                           .pad = node->pad};
}

static void move_codes(gdrq_plan *plan, int i, int b) {
    const gdrq_node *node = &plan->nodes[i];
    const uint8_t *in = gdrq_plan_codes(plan, node->reads[0], b);
    uint8_t *out = gdrq_plan_codes(plan, i, b);
    const size_t in_pixel = gdrq_plan_pixel(plan, node->reads[0]);
    const size_t out_pixel = gdrq_plan_pixel(plan, i);
    const gdrq_int_pool pool = gdrq_node_pool(node);
    switch (node->kind) {
    case GDRQ_NODE_MAXPOOL:
        gdrq_int_maxpool(&pool, in, in_pixel, out, out_pixel);
        break;
    case GDRQ_NODE_UPSAMPLE:
        gdrq_int_upsample(node->in, node->stride, in, in_pixel, out, out_pixel);
        break;
    case GDRQ_NODE_ROUTE:
        run_route(plan, i, b, out);
        break;
    case GDRQ_NODE_REORG:
        gdrq_int_reorg(node->in, node->out, node->stride, node->reverse, in, in_pixel, out,
                       out_pixel);
        break;
    case GDRQ_NODE_CROP:
        gdrq_int_crop(node->in, node->out, in, in_pixel, out, out_pixel);
        break;
    default:
        break;
    }
}

static void move_interleaved(const gdrq_plan *plan, int i, int b) {
    const gdrq_node *node = &plan->nodes[i];
    const gdrq_int_pool pool = gdrq_node_pool(node);
    if (node->kind == GDRQ_NODE_MAXPOOL)
        gdrq_int_maxpool_values(&pool, gdrq_plan_interleaved(plan, node->reads[0], b),
                                gdrq_plan_interleaved(plan, i, b));
}

void gdrq_plan_run(gdrq_plan *plan, int i, int b, const gdrq_node_weights *weights,
                   const gdrq_grid *grids, float *values) {
    const gdrq_node *node = &plan->nodes[i];
    const tensor *out = tensor_of(plan, i);
    if (plan->fused[i] == i)
        return;
    switch (node->kind) {
    case GDRQ_NODE_CONV:
        run_conv(plan, i, b, weights, grids, values);
        break;
    case GDRQ_NODE_SHORTCUT:
        run_shortcut(plan, i, b, grids, values);
        break;
    case GDRQ_NODE_FLOAT:
        if (out->slots[CODES].exists)
            gdrq_int_quantise(node->out, &grids[out->class], values, gdrq_plan_codes(plan, i, b),
                              gdrq_plan_pixel(plan, i));
        if (out->slots[INTERLEAVED].exists)
            gdrq_int_interleave(node->out, values, gdrq_plan_interleaved(plan, i, b));
        break;
    default:
        if (out->slots[CODES].exists)
            move_codes(plan, i, b);
        if (out->slots[INTERLEAVED].exists)
            move_interleaved(plan, i, b);
    }
}
