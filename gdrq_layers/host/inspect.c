/* What quantising does to the layers of a network (gdrq_network_quantisation() and so on). */
#include "gdrq.h"

#include "base/fatal.h"
#include "base/status.h"
#include "darknet.h"
#include "host/scratch_buffer.h"
#include "quant/distribution.h"
#include "quant/pack.h"
#include "train/quantised_layer.h"
#ifdef GPU
#include "host/cuda/gpu_network.h"
#endif

/* What the layer has now, where a training has moved it. */
static void pull_layer(const network *net, int i) {
#ifdef GPU
    gdrq_error err = {""};
    if (gdrq_is_on_gpu(net))
        gdrq_must(gdrq_gpu_pull_layer(net, i, &err), &err);
#else
    (void)net, (void)i;
#endif
}

static const char *range_name(const gdrq_running_threshold *t) {
    if (t->fixed)
        return "pixels";
    return t->range == GDRQ_RANGE_SIGNED   ? "signed"
           : t->range == GDRQ_RANGE_OFFSET ? "offset"
                                           : "unsigned";
}

bool gdrq_network_quantisation(struct network *net, int i, gdrq_quantisation *out) {
    if (i < 0 || i >= net->n)
        return false;
    const layer *l = &net->layers[i];
    gdrq_quantised *q = gdrq_quantised_state(l);
    if (!q)
        return false;
    pull_layer(net, i);
    gdrq_quantised_fold(q, l);
    *out = (gdrq_quantisation){.layer = i,
                               .connected = l->type == CONNECTED,
                               .weight_bits = q->options.weight_bits,
                               .groups = q->options.quant_groups,
                               .filters = q->filters,
                               .filter_size = q->filter_size,
                               .weights = l->weights,
                               .weight_codes = q->weight_codes,
                               .weight_steps = q->weight_steps,
                               .input_bits = q->input->bits,
                               .input_min = q->grid.min,
                               .input_max = q->grid.max,
                               .input_range = range_name(q->input),
                               .input_reader = q->input->first_reader,
                               .has_threshold = gdrq_threshold_is_set(q->input),
                               .input_threshold = q->input->threshold,
                               .input_step = q->grid.step};
    return true;
}

size_t gdrq_quantisation_bytes(const gdrq_quantisation *q, int weight_bits) {
    const size_t filter = gdrq_packed_size(q->filter_size, weight_bits) + 2 * sizeof(float);
    return (size_t)q->filters * filter;
}

gdrq_status gdrq_weight_distribution(const gdrq_quantisation *q, gdrq_distribution *d,
                                     gdrq_error *err) {
    const size_t n = (size_t)(q->filters / q->groups) * q->filter_size;
    gdrq_grid grid = gdrq_weight_grid(q->weight_bits, 0);
    gdrq_distribution_start(d, grid.min, grid.max);
    for (int g = 0; g < q->groups; ++g) {
        const size_t first = (size_t)g * n;
        grid.step = q->weight_steps[g];
        if (!gdrq_distribution_add(d, q->weights + first, q->weight_codes + first, n, &grid))
            return gdrq_fail(err, GDRQ_ERROR_STATE,
                             "layer %d has weights that are not finite: training diverged",
                             q->layer);
    }
    return GDRQ_OK;
}

static bool add_input(const network *net, int i, gdrq_distribution *d) {
    const layer *l = &net->layers[i];
    const gdrq_quantised *q = gdrq_quantised_state(l);
    if (!q)
        return true;
    const float *x = i ? net->layers[i - 1].output : net->input;
    if (!d->n)
        gdrq_distribution_start(d, q->grid.min, q->grid.max);
    return gdrq_distribution_add(d, x, q->input_codes, (size_t)l->inputs, &q->grid);
}

gdrq_status gdrq_network_add_inputs(const struct network *net, gdrq_distribution *inputs,
                                    gdrq_error *err) {
    const gdrq_status status = gdrq_check_on_cpu(net, "what layers read is looked at", err);
    if (status != GDRQ_OK)
        return status;
    int bad = net->n;
#pragma omp parallel for schedule(dynamic) reduction(min : bad)
    for (int i = 0; i < net->n; ++i)
        if (!add_input(net, i, &inputs[i]))
            bad = i < bad ? i : bad;
    return bad == net->n ? GDRQ_OK
                         : gdrq_fail(err, GDRQ_ERROR_STATE,
                                     "layer %d reads values that are not finite: training "
                                     "diverged, or the weights are of another network",
                                     bad);
}
