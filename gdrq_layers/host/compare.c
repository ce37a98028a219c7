/* A folded network against the one that it was folded from (gdrq_network_compare()). */
#include "gdrq.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "host/network_state.h"
#include "host/scratch_buffer.h"
#include "quant/quantise.h"
#include "train/quantised_layer.h"
#ifdef GPU
#include "base/cuda/device.h"
#include "host/cuda/folded_gpu.h"
#include "train/cuda/quantised_gpu.h"
#endif

/* What the trained network's forward has left of a layer, of image 0. */
typedef struct trained_layer {
    gdrq_grid grid;      /* of its input */
    bool exact;          /* nothing that it computes is rounded otherwise than in the folded one */
    const float *codes;  /* of its input, relative to the zero code, NCHW */
    const float *sums;   /* NULL: they are not there any more */
    const float *output; /* NCHW */
    float *copies;       /* what of these came from a GPU; to be freed */
} trained_layer;

typedef struct comparison {
    const network *trained, *host; /* host: of the folded one */
    const gdrq_folded_network *folded;
    gdrq_folded file; /* of the folded network: codes, which it has packed for its kernels only */
    gdrq_error *err;
} comparison;

/* The buffers of one layer. */
typedef struct buffers {
    uint8_t *in, *out, *expected; /* stored codes, NHWC */
    float *values, *codes;
    int32_t *sums;
} buffers;

static void free_buffers(buffers *b) {
    free(b->in);
    free(b->out);
    free(b->expected);
    free(b->values);
    free(b->codes);
    free(b->sums);
}

static bool make_buffers(buffers *b, const gdrq_node *node) {
    const size_t in = gdrq_tensor_size(node->in), out = gdrq_tensor_size(node->out);
    *b = (buffers){.in = gdrq_alloc(in, 1),
                   .out = gdrq_alloc(out, 1),
                   .expected = gdrq_alloc(out, 1),
                   .values = gdrq_alloc(out, sizeof(float)),
                   .codes = gdrq_alloc(out, sizeof(float)),
                   .sums = gdrq_alloc(out, sizeof(int32_t))};
    return b->in && b->out && b->expected && b->values && b->codes && b->sums;
}

/* Codes relative to the zero code in NCHW, as training has them, to stored ones in NHWC. */
static void store(gdrq_tensor_shape s, const float *codes, int min, uint8_t *stored) {
    const size_t plane = (size_t)s.w * (size_t)s.h, channels = (size_t)s.c;
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < plane; i++)
            stored[i * channels + c] = (uint8_t)((int)codes[c * plane + i] - min);
}

/* Sums below 2^24 are exact in float, in whatever order they are added. */
static bool has_exact_sums(const gdrq_quantised *q, const gdrq_grid *grid) {
    const int low = -grid->min, high = grid->max;
    const double largest = (double)((1 << (q->options.weight_bits - 1)) - 1) *
                           (low > high ? low : high) * (double)q->filter_size;
    return largest < 0x1p24;
}

#ifdef GPU
/* There sums have become outputs, and activations with an exponential are the host's. */
static gdrq_status pull_layer(const layer *l, trained_layer *t, gdrq_error *err) {
    const gdrq_quantised *q = gdrq_quantised_state(l);
    const size_t inputs = (size_t)l->inputs, outputs = (size_t)l->outputs;
    t->copies = gdrq_alloc(inputs + outputs, sizeof *t->copies);
    if (!t->copies)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "layer %d: out of memory to compare it", q->index);
    t->grid = gdrq_threshold_grid(q->input);
    t->exact =
        has_exact_sums(q, &t->grid) && gdrq_folded_activation(l->activation).kind != GDRQ_INT_OTHER;
    t->codes = t->copies;
    t->output = t->copies + inputs;
    const gdrq_status status =
        gdrq_device_pull(t->copies, q->gpu->input_codes, inputs * sizeof *t->copies, err);
    return status == GDRQ_OK ? gdrq_device_pull(t->copies + inputs, l->output_gpu,
                                                outputs * sizeof *t->copies, err)
                             : status;
}
#endif

static gdrq_status look_at(const comparison *c, int i, trained_layer *t) {
    const layer *l = &c->trained->layers[i];
    const gdrq_quantised *q = gdrq_quantised_state(l);
    *t = (trained_layer){0};
#ifdef GPU
    if (gdrq_is_on_gpu(c->trained))
        return pull_layer(l, t, c->err);
#endif
    t->grid = q->grid;
    t->exact = has_exact_sums(q, &q->grid);
    t->codes = q->input_codes;
    t->sums = l->batch_normalize ? l->x : NULL;
    t->output = l->output;
    return GDRQ_OK;
}

static void compare_sums(const layer *l, const trained_layer *t, const buffers *b,
                         gdrq_layer_match *m) {
    const size_t plane = (size_t)l->out_w * (size_t)l->out_h, filters = (size_t)l->out_c;
    for (size_t f = 0; f < filters; f++)
        for (size_t i = 0; i < plane; i++)
            m->equal_sums += (float)b->sums[i * filters + f] == t->sums[f * plane + i];
    m->sums += plane * filters;
}

static void compare_codes(const buffers *b, size_t n, gdrq_layer_match *m) {
    for (size_t i = 0; i < n; i++) {
        const int difference = abs((int)b->out[i] - (int)b->expected[i]);
        m->equal_codes += difference == 0;
        if (difference > m->worst_code)
            m->worst_code = difference;
    }
    m->codes += n;
}

static void compare_outputs(const comparison *c, int i, const trained_layer *t, const buffers *b,
                            gdrq_layer_match *m) {
    const gdrq_node *node = &c->folded->nodes[i];
    const size_t n = gdrq_tensor_size(node->out);
    for (size_t k = 0; k < n; k++) {
        m->equal_values += b->values[k] == t->output[k];
        m->worst_value = fmax(m->worst_value, fabs((double)b->values[k] - t->output[k]));
        m->largest_value = fmax(m->largest_value, fabs((double)t->output[k]));
    }
    m->values += n;
    const int class = gdrq_plan_class(c->folded->plan, i);
    if (class < 0)
        return;
    const gdrq_grid grid =
        gdrq_threshold_grid(&gdrq_network_state_find(c->trained)->tensors.classes[class]);
    gdrq_quantise(t->output, n, &grid, true, b->codes);
    store(node->out, b->codes, grid.min, b->expected);
    compare_codes(b, n, m);
}

/* The folded layer on the trained one's own codes, by the kernel and the packed weights that the
 * network runs with. */
static gdrq_status run_kernel(const comparison *c, int i, const gdrq_node_weights *weights,
                              const gdrq_int_conv *conv, const buffers *b) {
    const gdrq_folded_network *f = c->folded;
#ifdef GPU
    if (f->gpu)
        return gdrq_folded_gpu_run_alone(f, i, b->in, b->out, b->values, c->err);
#endif
    const int class = gdrq_plan_class(f->plan, i);
    gdrq_epilogue epilogue = weights->epilogue;
    epilogue.grid = class >= 0 ? &f->grids[class] : NULL;
    const gdrq_conv_kernel *kernel = gdrq_plan_kernel(f->plan, i);
    void *scratch = gdrq_alloc_aligned(kernel->scratch(conv));
    if (!scratch)
        return gdrq_fail(c->err, GDRQ_ERROR_MEMORY, "layer %d: out of memory to compare it", i);
    kernel->run(conv, &f->nodes[i].limits, f->weights[i].packed, &epilogue, b->in, scratch,
                &(gdrq_int_output){.codes = class >= 0 ? b->out : NULL, .values = b->values});
    free(scratch);
    return GDRQ_OK;
}

static gdrq_status run_layer(const comparison *c, int i, const gdrq_node_weights *weights,
                             const trained_layer *t, const buffers *b) {
    const gdrq_folded_network *f = c->folded;
    const gdrq_node *node = &f->nodes[i];
    const gdrq_int_conv conv = gdrq_node_conv(node, weights, -f->grids[node->input_class].min);
    store(f->tensors[node->reads[0] + 1], t->codes, t->grid.min, b->in);
    gdrq_int_conv_sums(&conv, b->in, b->sums);
    return run_kernel(c, i, weights, &conv, b);
}

static gdrq_status compare_layer(const comparison *c, int i, gdrq_layer_match *m) {
    const layer *l = &c->trained->layers[i];
    buffers b;
    trained_layer t;
    gdrq_node_weights weights;
    gdrq_status status =
        gdrq_folded_unpack(c->folded, &c->file, i, l->activation, &weights, c->err);
    if (status != GDRQ_OK)
        return status;
    status = look_at(c, i, &t);
    if (!make_buffers(&b, &c->folded->nodes[i]))
        status = gdrq_fail(c->err, GDRQ_ERROR_MEMORY, "layer %d: out of memory to compare it", i);
    if (status == GDRQ_OK)
        status = run_layer(c, i, &weights, &t, &b);
    if (status == GDRQ_OK) {
        m->folded = true;
        m->exact = t.exact;
        if (t.sums)
            compare_sums(l, &t, &b, m);
        compare_outputs(c, i, &t, &b, m);
    }
    free(t.copies);
    free_buffers(&b);
    gdrq_node_weights_free(&weights);
    return status;
}

/* Everything that the loops above rely on. */
static gdrq_status check_pair(const comparison *c) {
    const network *net = c->trained;
    bool fits = c->folded && net->n == c->folded->n &&
                c->folded->classes->n == gdrq_network_state_find(net)->tensors.n;
    for (int i = 0; fits && i < net->n; i++) {
        const layer *l = &net->layers[i];
        const gdrq_node *node = &c->folded->nodes[i];
        fits = (gdrq_quantised_state(l) != NULL) == (c->folded->weight_bits[i] > 0) &&
               (size_t)l->outputs == gdrq_tensor_size(node->out) &&
               (c->folded->weight_bits[i] == 0 || (size_t)l->inputs == gdrq_tensor_size(node->in));
    }
    return fits ? GDRQ_OK
                : gdrq_fail(c->err, GDRQ_ERROR_ARGUMENT,
                            "the folded network was not made of this one, or not at this size");
}

static gdrq_status open_file(comparison *c) {
    const gdrq_folded_network *f = c->folded;
    return f->path ? gdrq_folded_open(c->host, f, f->path, &c->file, c->err)
                   : gdrq_fail(c->err, GDRQ_ERROR_STATE, "the folded network has random numbers");
}

gdrq_status gdrq_network_compare(const struct network *trained, const struct network *folded,
                                 gdrq_layer_match *matches, gdrq_error *err) {
    const gdrq_network_state *state = gdrq_network_state_find(folded);
    comparison c = {
        .trained = trained, .host = folded, .folded = state ? state->folded : NULL, .err = err};
    gdrq_status status = check_pair(&c);
    if (status == GDRQ_OK)
        status = gdrq_network_ready(folded, err);
    if (status == GDRQ_OK)
        status = open_file(&c);
    for (int i = 0; status == GDRQ_OK && i < trained->n; i++)
        if (c.folded->weight_bits[i] > 0)
            status = compare_layer(&c, i, &matches[i]);
    gdrq_folded_close(&c.file);
    return status;
}
