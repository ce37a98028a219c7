#include "train/cuda/quantised_gpu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cuda/device.h"
#include "base/fatal.h"
#include "base/status.h"
#include "quant/gradient.h"
#include "primitives/cuda/stock_gpu.h"
#include "train/cuda/layer_kernels.h"

/*
 * Passes over memory beyond those of the float layer. A pass is a sweep of a kernel over an array,
 * once per iteration (with subdivisions: per part of the batch) where nothing else is said. The
 * kernels' own comments have the bytes.
 *
 * The layer's input, I bytes: two.
 *   forward    codes: read I, write I. In the very first forward, before: read I.
 *   backward   the mask of its gradient: read I, in the sweep that adds the gradient up from
 *              columns. Connected, depthwise, and 1x1 without stride, where the float layer adds it
 * up itself: a sweep of its own, which writes, reads and adds I more.
 *
 * The weights, W bytes, in groups of up to 16,384 weights | of more:
 *   threshold=scale                1 | 2   mean |w| (large groups only), codes
 *   threshold=learned              2 | 2   codes; gradients of weights and thresholds
 *   threshold=search               2 | 2   fingerprint, codes
 *     first forward after update   9 | 9   search (8), codes
 *   weight_gradient=mask          +1 | +1  gradient of weights; 0 where thresholds learn
 *   reshaping, any rule            1 | 2   as scale
 *     and reshape=project         +1 | +2  per update: mean |w|, clipping
 *     and weight_gradient=mask    +1 | +1
 *
 *   Codes: read W, write W, and W more where the backward of a convolution wants the weights as the
 *   forward used them. Gradients: read 3 W, write W; the product that gives them writes what it
 *   would add to the updates without.
 *
 * So it is more than two
 *   - in a search, since each round's candidates for T depend on the best of those before. Up to
 *     16,384 weights a group is one block's, and the sweeps after the first come from its L1 or
 *     from L2 (search_groups() says until when): 2 of the 9 reach the memory. Of larger groups all
 *     do if the layer's weights are larger than L2. Learned thresholds are searched once.
 *   - with weight_gradient=mask: 3 with search, in large groups, and while projecting; 5 there in
 *     large groups.
 *   - while projecting large groups: 4. Their mean must be known before the first of them is
 *     clipped, and they fit in no cache.
 *
 * The output, O bytes: batch norm saves 10 O in forward and 6 O in backward. Connected layers'
 * backward multiplies dL/d(output) by the steps of weights: read O, write O.
 */

static void must(gdrq_status status, const gdrq_error *err) {
    gdrq_must(status, err);
}

/* One array of a layer's state. */
static gdrq_status make(void *slot, size_t count, size_t size, const char *what, gdrq_error *err) {
    void *memory;
    const gdrq_status status = gdrq_device_alloc(&memory, count, size, what, err);
    *(void **)slot = memory;
    return status == GDRQ_OK ? gdrq_device_clear(memory, count * size, err) : status;
}

static bool uses_thresholds(const gdrq_quantised *q) {
    return q->options.threshold_weights != GDRQ_THRESHOLD_SCALE;
}

/* One copy of T for all layers that read the tensor. */
static gdrq_status make_threshold(gdrq_quantised *q, const char *what, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    if (!q->input->on_gpu)
        status = make(&q->input->on_gpu, 1, sizeof *q->input->on_gpu, what, err);
    q->gpu->input.threshold = q->input->on_gpu;
    return status;
}

static gdrq_status make_arrays(gdrq_quantised *q, const layer *l, const char *what,
                               gdrq_error *err) {
    gdrq_quantised_gpu *g = q->gpu;
    const int groups = q->options.quant_groups;
    const size_t filters = (size_t)q->filters, weights = filters * q->filter_size;
    g->groups.groups = groups;
    g->groups.group_size = weights / (size_t)groups;
    g->input_capacity = (size_t)l->batch * (size_t)l->inputs;
    const size_t n_sums = gdrq_cuda_group_sums(groups, g->groups.group_size);
    const size_t n_searched = uses_thresholds(q) ? (size_t)groups : 0;
    const size_t n_room =
        uses_thresholds(q) ? gdrq_cuda_search_room(groups, g->groups.group_size) : 0;
    const size_t n_learned = q->weight_thresholds ? (size_t)groups : 0;
    const size_t n_gradient = gdrq_quantised_wants_weight_gradient(q) ? weights : 0;
    const struct {
        void *slot;
        size_t count, size;
    } arrays[] = {
        {&g->input.grid, 1, sizeof *g->input.grid},
        {&g->input.sums, GDRQ_CUDA_SUMS, sizeof(double)},
        {&g->groups.sums, n_sums, sizeof(double)},
        {&g->weight_codes, weights, sizeof(float)},
        {&g->weight_steps, (size_t)groups, sizeof(float)},
        {&g->factor, filters, sizeof(float)},
        {&g->input_codes, g->input_capacity, sizeof(float)},
        {&g->thresholds, n_searched, sizeof(float)},
        {&g->prints, n_searched, sizeof *g->prints},
        {&g->search_room, n_room, 1},
        {&g->optimisers, n_learned, sizeof *g->optimisers},
        {&g->weight_gradient, n_gradient, sizeof(float)},
        {&g->statistics, gdrq_cuda_statistics_sums(q->filters), sizeof(double)},
        {&g->one, 1, sizeof(float)},
    };
    gdrq_status status = make_threshold(q, what, err);
    for (size_t i = 0; status == GDRQ_OK && i < sizeof arrays / sizeof *arrays; ++i)
        if (arrays[i].count > 0)
            status = make(arrays[i].slot, arrays[i].count, arrays[i].size, what, err);
    const float one = 1;
    return status == GDRQ_OK ? gdrq_device_push(g->one, &one, sizeof one, err) : status;
}

gdrq_status gdrq_quantised_gpu_make(gdrq_quantised *q, const layer *l, gdrq_error *err) {
    char what[64];
    snprintf(what, sizeof what, "layer %d", q->index);
    q->gpu = gdrq_alloc(1, sizeof *q->gpu);
    if (!q->gpu)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", what);
    gdrq_status status = make_arrays(q, l, what, err);
    if (status == GDRQ_OK)
        status = gdrq_quantised_gpu_push(q, err);
    if (status != GDRQ_OK)
        gdrq_quantised_gpu_free(q);
    return status;
}

gdrq_status gdrq_quantised_gpu_resize(gdrq_quantised *q, int batch, int inputs, gdrq_error *err) {
    gdrq_quantised_gpu *g = q->gpu;
    const size_t need = (size_t)batch * (size_t)inputs;
    if (need <= g->input_capacity)
        return GDRQ_OK;
    char what[64];
    snprintf(what, sizeof what, "layer %d's input", q->index);
    float *codes;
    const gdrq_status status = make(&codes, need, sizeof *codes, what, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_device_free(g->input_codes);
    g->input_codes = codes;
    g->input_capacity = need;
    return GDRQ_OK;
}

/* In the first forward that needs it: networks that only infer, which nothing tells from others
   while they are read, do without. */
static gdrq_status make_used_weights(gdrq_quantised *q, gdrq_error *err) {
    if (q->gpu->used_weights)
        return GDRQ_OK;
    char what[64];
    snprintf(what, sizeof what, "layer %d's weights", q->index);
    return make(&q->gpu->used_weights, (size_t)q->filters * q->filter_size, sizeof(float), what,
                err);
}

void gdrq_quantised_gpu_free(gdrq_quantised *q) {
    gdrq_quantised_gpu *g = q->gpu;
    if (!g)
        return;
    void *const arrays[] = {g->input.grid,      g->input.sums,   g->groups.sums, g->weight_codes,
                            g->weight_steps,    g->factor,       g->thresholds,  g->prints,
                            g->input_codes,     g->optimisers,   g->statistics,  g->one,
                            g->weight_gradient, g->used_weights, g->search_room};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i)
        gdrq_device_free(arrays[i]);
    free(g);
    q->gpu = NULL;
}

gdrq_status gdrq_quantised_gpu_push(gdrq_quantised *q, gdrq_error *err) {
    gdrq_quantised_gpu *g = q->gpu;
    const size_t groups = (size_t)q->options.quant_groups;
    gdrq_status status = gdrq_device_push(g->input.threshold, q->input, sizeof *q->input, err);
    if (status != GDRQ_OK || !q->weight_thresholds)
        return status;
    g->searched = false;
    status = gdrq_device_push(g->thresholds, q->weight_thresholds, groups * sizeof(float), err);
    if (status == GDRQ_OK)
        status = gdrq_device_push(g->optimisers, q->weight_optimisers,
                                  groups * sizeof *g->optimisers, err);
    return status;
}

gdrq_status gdrq_quantised_gpu_pull(gdrq_quantised *q, gdrq_error *err) {
    const gdrq_quantised_gpu *g = q->gpu;
    const size_t groups = (size_t)q->options.quant_groups;
    const gdrq_running_threshold own = *q->input;
    gdrq_status status = gdrq_device_pull(q->input, g->input.threshold, sizeof *q->input, err);
    q->input->histogram = own.histogram;
    q->input->on_gpu = own.on_gpu;
    if (status != GDRQ_OK || !q->weight_thresholds || !q->weight_thresholds_set)
        return status;
    status = gdrq_device_pull(q->weight_thresholds, g->thresholds, groups * sizeof(float), err);
    if (status == GDRQ_OK)
        status = gdrq_device_pull(q->weight_optimisers, g->optimisers,
                                  groups * sizeof *g->optimisers, err);
    return status;
}

/* What the host knows of T without asking the GPU: whether it has a value by now. */
static void quantise_input(gdrq_quantised *q, const layer *l, const network *net, bool round) {
    gdrq_quantised_gpu *g = q->gpu;
    gdrq_running_threshold *t = q->input;
    gdrq_error err;
    const bool calibrates = q->training->calibrating;
    const gdrq_cuda_observing how = {.first_reader = t->first_reader == q->index,
                                     .observes = calibrates || net->train,
                                     .always = calibrates};
    if (!how.observes)
        must(gdrq_quantised_check(q, &err), &err);
    else if (t->moves == 0)
        t->moves = 1;
    must(gdrq_cuda_quantise_input(&g->input, net->input_gpu, (size_t)l->batch * (size_t)l->inputs,
                                  how, round, g->input_codes, &err),
         &err);
}

/*
 * Weights that are still as they were searched keep their T: at inference, and in training from one
 * part of a batch to the next.
 */
static void search_weights(gdrq_quantised *q, const layer *l) {
    gdrq_quantised_gpu *g = q->gpu;
    const bool learned = q->weight_thresholds && q->weight_thresholds_set;
    const gdrq_cuda_search how = {.bits = q->options.weight_bits,
                                  .norm = q->options.search_norm,
                                  .known = learned ? g->thresholds : NULL,
                                  .reuses = g->searched,
                                  .prints = g->prints,
                                  .room = g->search_room};
    gdrq_error err;
    must(gdrq_cuda_search_weights(&g->groups, l->weights_gpu, &how, g->thresholds, &err), &err);
    g->searched = !learned;
}

/* As quantised_layer.c's rule has it. */
static void quantise_weights(gdrq_quantised *q, const layer *l, bool round, float *used) {
    gdrq_quantised_gpu *g = q->gpu;
    const gdrq_layer_options *o = &q->options;
    const bool scales = !round || !uses_thresholds(q);
    const gdrq_cuda_weight_codes to = {g->weight_codes, g->weight_steps, used};
    gdrq_error err;
    if (!scales)
        search_weights(q, l);
    must(gdrq_cuda_quantise_weights(&g->groups, l->weights_gpu, o->weight_bits, o->k_weights,
                                    scales ? NULL : g->thresholds, round, &to, &err),
         &err);
}

void gdrq_quantised_gpu_pull_weights(gdrq_quantised *q, const layer *l) {
    const size_t weights = (size_t)q->filters * q->filter_size;
    const size_t groups = (size_t)q->options.quant_groups;
    gdrq_error err;
    quantise_weights(q, l, true, NULL);
    must(gdrq_device_pull(q->weight_codes, q->gpu->weight_codes, weights * sizeof(float), &err),
         &err);
    must(gdrq_device_pull(q->weight_steps, q->gpu->weight_steps, groups * sizeof(float), &err),
         &err);
}

void gdrq_quantised_gpu_begin_forward(gdrq_quantised *q, const layer *l, const network *net,
                                      bool keeps_weights) {
    gdrq_error err;
    if (!net->train && (q->training->unquantised || q->float_input || q->float_weights))
        must(gdrq_fail(&err, GDRQ_ERROR_STATE,
                       "the GPU runs networks as they are trained only; otherwise: -nogpu"),
             &err);
    must(gdrq_quantised_gpu_resize(q, l->batch, l->inputs, &err), &err);
    if (keeps_weights)
        must(make_used_weights(q, &err), &err);
    const bool round = !net->train || !gdrq_quantised_reshapes(q);
    quantise_input(q, l, net, round);
    quantise_weights(q, l, round, keeps_weights ? q->gpu->used_weights : NULL);
    must(gdrq_cuda_set_factors(q->gpu->weight_steps, q->options.quant_groups, q->filters,
                               q->gpu->input.grid, q->gpu->factor, &err),
         &err);
    /* Learned thresholds start from what was searched, which is in their place. */
    if (net->train && round && q->weight_thresholds)
        q->weight_thresholds_set = true;
}

void gdrq_quantised_gpu_end_forward(const gdrq_quantised *q, const layer *l, const network *net) {
    gdrq_error err;
    const gdrq_cuda_normalisation n = {.batch = l->batch,
                                       .filters = q->filters,
                                       .spatial = l->out_w * l->out_h,
                                       .factor = q->gpu->factor,
                                       .scales = l->batch_normalize ? l->scales_gpu : NULL,
                                       .biases = l->biases_gpu,
                                       .mean = l->mean_gpu,
                                       .variance = l->variance_gpu,
                                       .rolling_mean = l->rolling_mean_gpu,
                                       .rolling_variance = l->rolling_variance_gpu,
                                       .normalised = l->x_norm_gpu,
                                       .sums = q->gpu->statistics};
    if (!net->train && q->training->keeps_sums && l->batch_normalize)
        must(gdrq_device_copy(l->x_gpu, l->output_gpu,
                              (size_t)l->batch * (size_t)l->outputs * sizeof(float), &err),
             &err);
    must(gdrq_cuda_normalise(&n, net->train, l->output_gpu, &err), &err);
    activate_array_gpu(l->output_gpu, l->outputs * l->batch, l->activation);
}

void gdrq_quantised_gpu_backward_to_sums(const gdrq_quantised *q, const layer *l) {
    gradient_array_gpu(l->output_gpu, l->outputs * l->batch, l->activation, l->delta_gpu);
    if (!l->batch_normalize) {
        backward_bias_gpu(l->bias_updates_gpu, l->delta_gpu, l->batch, l->out_c,
                          l->out_w * l->out_h);
        return;
    }
    const gdrq_cuda_normalised n = {.batch = l->batch,
                                    .filters = q->filters,
                                    .spatial = l->out_w * l->out_h,
                                    .scales = l->scales_gpu,
                                    .variance = l->variance_gpu,
                                    .normalised = l->x_norm_gpu,
                                    .scale_updates = l->scale_updates_gpu,
                                    .bias_updates = l->bias_updates_gpu,
                                    .mean_delta = l->mean_delta_gpu,
                                    .variance_delta = l->variance_delta_gpu,
                                    .sums = q->gpu->statistics};
    gdrq_error err;
    must(gdrq_cuda_normalise_backward(&n, l->delta_gpu, &err), &err);
}

static void check_cublas(cublasStatus_t status, int line) {
    gdrq_error err;
    if (status != CUBLAS_STATUS_SUCCESS)
        must(gdrq_fail(&err, GDRQ_ERROR_DEVICE, "%s:%d: cuBLAS: status %d", __FILE__, line,
                       (int)status),
             &err);
}

/* cuBLAS has columns where we have rows: it gets transposed factors in the other order. */
static void multiply(bool transpose_a, bool transpose_b, int m, int n, int k, const float *alpha,
                     const float *a, const float *b, const float *beta, float *c) {
    check_cublas(cublasSgemm(blas_handle(), transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                             transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, n, m, k, alpha, b,
                             transpose_b ? k : n, a, transpose_a ? m : k, beta, c, n),
                 __LINE__);
}

void gdrq_gpu_multiply(bool transpose_a, bool transpose_b, int m, int n, int k, const float *a,
                       const float *b, float beta, float *c) {
    const float one = 1;
    multiply(transpose_a, transpose_b, m, n, k, &one, a, b, &beta, c);
}

/* Only then is the gradient in an array of its own worth its passes. */
static bool has_own_weight_gradient(const gdrq_quantised *q) {
    return q->gpu->weight_gradient &&
           (q->options.weight_gradient == GDRQ_WEIGHT_GRADIENT_MASK || !gdrq_quantised_reshapes(q));
}

void gdrq_quantised_gpu_multiply_weight_gradient(const gdrq_quantised *q, const layer *l,
                                                 bool transpose_a, bool transpose_b, int m, int n,
                                                 int k, const float *a, const float *b,
                                                 size_t offset, bool first) {
    const gdrq_quantised_gpu *g = q->gpu;
    if (has_own_weight_gradient(q)) {
        gdrq_gpu_multiply(transpose_a, transpose_b, m, n, k, a, b, first ? 0 : 1,
                          g->weight_gradient + offset);
        return;
    }
    /* The step is known to the GPU alone; the host's calls have their factors in its own memory. */
    check_cublas(cublasSetPointerMode(blas_handle(), CUBLAS_POINTER_MODE_DEVICE), __LINE__);
    multiply(transpose_a, transpose_b, m, n, k, &g->input.grid->step, a, b, g->one,
             l->weight_updates_gpu + offset);
    check_cublas(cublasSetPointerMode(blas_handle(), CUBLAS_POINTER_MODE_HOST), __LINE__);
}

void gdrq_quantised_gpu_add_depthwise_gradient(const gdrq_quantised *q, const layer *l,
                                               const gdrq_cuda_columns_shape *shape) {
    const gdrq_quantised_gpu *g = q->gpu;
    const bool own = has_own_weight_gradient(q);
    gdrq_error err;
    must(gdrq_cuda_depthwise_weight_gradient(
             shape, l->batch, l->delta_gpu, g->input_codes, own ? NULL : &g->input.grid->step, !own,
             own ? g->weight_gradient : l->weight_updates_gpu, &err),
         &err);
}

void gdrq_quantised_gpu_end_weight_gradient(const gdrq_quantised *q, const layer *l) {
    const gdrq_quantised_gpu *g = q->gpu;
    if (!has_own_weight_gradient(q))
        return;
    gdrq_error err;
    const bool round = !gdrq_quantised_reshapes(q), learns = g->optimisers && round;
    const gdrq_cuda_weight_gradient gradient = {.weights = l->weights_gpu,
                                                .gradient = g->weight_gradient,
                                                .steps = g->weight_steps,
                                                .thresholds = learns ? g->thresholds : NULL,
                                                .bits = q->options.weight_bits,
                                                .round = round,
                                                .mask = q->options.weight_gradient ==
                                                        GDRQ_WEIGHT_GRADIENT_MASK,
                                                .optimisers = learns ? g->optimisers : NULL,
                                                .updates = l->weight_updates_gpu};
    must(gdrq_cuda_add_weight_gradient(&g->groups, g->input.grid, &gradient, &err), &err);
}

void gdrq_quantised_gpu_end_input_gradient(const gdrq_quantised *q, const layer *l, size_t n) {
    if (!gdrq_quantised_learns_input(q))
        return;
    gdrq_error err;
    const gdrq_grid grid = gdrq_threshold_grid(q->input);
    must(gdrq_cuda_add_threshold_gradient(
             &q->gpu->input, n, gdrq_threshold_gradient_scale(grid.max, (size_t)l->inputs), &err),
         &err);
}

static gdrq_cuda_update update_of(const gdrq_quantised *q, const layer *l, const update_args *a) {
    const float rate = a->learning_rate * q->options.threshold_rate * l->learning_rate_scale;
    return (gdrq_cuda_update){.adam = a->adam,
                              .rate = a->adam ? rate : rate / (float)a->batch,
                              .shrink = -q->options.threshold_decay * (float)a->batch,
                              .momentum = a->momentum,
                              .beta1 = a->B1,
                              .beta2 = a->B2,
                              .eps = a->eps,
                              .correction1 = (float)(1 - pow(a->B1, a->t)),
                              .correction2 = (float)(1 - pow(a->B2, a->t))};
}

static void learn_thresholds(const gdrq_quantised *q, const layer *l, const update_args *a) {
    const gdrq_quantised_gpu *g = q->gpu;
    const gdrq_cuda_update update = update_of(q, l, a);
    gdrq_error err;
    if (g->optimisers && q->weight_thresholds_set && !gdrq_quantised_reshapes(q))
        must(gdrq_cuda_learn_thresholds(&update, g->groups.groups, g->thresholds, g->optimisers,
                                        &err),
             &err);
    if (gdrq_quantised_learns_input(q) && q->input->first_reader == q->index)
        must(gdrq_cuda_learn_input_threshold(&update, g->input.threshold, &err), &err);
}

void gdrq_quantised_gpu_end_update(gdrq_quantised *q, const layer *l, const update_args *a) {
    gdrq_error err;
    learn_thresholds(q, l, a);
    if (gdrq_quantised_count_update(q, a) && q->options.reshape == GDRQ_RESHAPE_PROJECT)
        must(gdrq_cuda_project_weights(&q->gpu->groups, l->weights_gpu, q->options.k_weights, &err),
             &err);
}
