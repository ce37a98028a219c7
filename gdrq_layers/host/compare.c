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
static bool is_exact(const gdrq_quantised *q) {
    const int low = -q->grid.min, high = q->grid.max;
    const double largest = (double)((1 << (q->options.weight_bits - 1)) - 1) *
                           (low > high ? low : high) * (double)q->filter_size;
    return largest < 0x1p24;
}

static void compare_sums(const layer *l, const buffers *b, gdrq_layer_match *m) {
    const size_t plane = (size_t)l->out_w * (size_t)l->out_h, filters = (size_t)l->out_c;
    for (size_t f = 0; f < filters; f++)
        for (size_t i = 0; i < plane; i++)
            m->equal_sums += (float)b->sums[i * filters + f] == l->x[f * plane + i];
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

static void compare_outputs(const comparison *c, int i, const buffers *b, gdrq_layer_match *m) {
    const layer *l = &c->trained->layers[i];
    const gdrq_node *node = &c->folded->nodes[i];
    const size_t n = gdrq_tensor_size(node->out);
    for (size_t k = 0; k < n; k++) {
        m->equal_values += b->values[k] == l->output[k];
        m->worst_value = fmax(m->worst_value, fabs((double)b->values[k] - l->output[k]));
        m->largest_value = fmax(m->largest_value, fabs((double)l->output[k]));
    }
    m->values += n;
    const int class = gdrq_plan_class(c->folded->plan, i);
    if (class < 0)
        return;
    const gdrq_grid grid =
        gdrq_threshold_grid(&gdrq_network_state_find(c->trained)->tensors.classes[class]);
    gdrq_quantise(l->output, n, &grid, true, b->codes);
    store(node->out, b->codes, grid.min, b->expected);
    compare_codes(b, n, m);
}

/* The folded layer on the trained one's own codes, by the kernel and the packed weights that the
 * network runs with. */
static gdrq_status run_layer(const comparison *c, int i, const gdrq_node_weights *weights,
                             const buffers *b) {
    const gdrq_folded_network *f = c->folded;
    const gdrq_node *node = &f->nodes[i];
    const gdrq_quantised *q = gdrq_quantised_state(&c->trained->layers[i]);
    const gdrq_int_conv conv = gdrq_node_conv(node, weights, -f->grids[node->input_class].min);
    const int class = gdrq_plan_class(f->plan, i);
    gdrq_epilogue epilogue = weights->epilogue;
    epilogue.grid = class >= 0 ? &f->grids[class] : NULL;
    const gdrq_conv_kernel *kernel = gdrq_plan_kernel(f->plan, i);
    void *scratch = gdrq_alloc_aligned(kernel->scratch(&conv));
    if (!scratch)
        return gdrq_fail(c->err, GDRQ_ERROR_MEMORY, "layer %d: out of memory to compare it", i);
    store(f->tensors[node->reads[0] + 1], q->input_codes, q->grid.min, b->in);
    gdrq_int_conv_sums(&conv, b->in, b->sums);
    kernel->run(&conv, &node->limits, f->weights[i].packed, &epilogue, b->in, scratch,
                &(gdrq_int_output){.codes = class >= 0 ? b->out : NULL, .values = b->values});
    free(scratch);
    return GDRQ_OK;
}

static gdrq_status compare_layer(const comparison *c, int i, gdrq_layer_match *m) {
    const layer *l = &c->trained->layers[i];
    buffers b;
    gdrq_node_weights weights;
    gdrq_status status =
        gdrq_folded_unpack(c->folded, &c->file, i, l->activation, &weights, c->err);
    if (status != GDRQ_OK)
        return status;
    if (make_buffers(&b, &c->folded->nodes[i]))
        status = run_layer(c, i, &weights, &b);
    else
        status = gdrq_fail(c->err, GDRQ_ERROR_MEMORY, "layer %d: out of memory to compare it", i);
    if (status == GDRQ_OK) {
        m->folded = true;
        m->exact = is_exact(gdrq_quantised_state(l));
        if (l->batch_normalize)
            compare_sums(l, &b, m);
        compare_outputs(c, i, &b, m);
    }
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
    if (status == GDRQ_OK && (gdrq_is_on_gpu(trained) || gdrq_is_on_gpu(folded)))
        status = gdrq_fail(err, GDRQ_ERROR_STATE, "layers are compared on the CPU only: -nogpu");
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
