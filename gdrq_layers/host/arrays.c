/* The arrays of a network that a training changes (gdrq_network_arrays()). */
#include "darknet.h"
#include "gdrq.h"

#include "base/fatal.h"
#include "host/arrays.h"
#include "host/network_state.h"
#include "host/weight_spans.h"
#ifdef GPU
#include "host/cuda/gpu_network.h"
#endif

typedef struct visitor {
    gdrq_visit_owned *visit;
    void *user;
} visitor;

static bool visit_weights(void *user, const gdrq_weight_span *span) {
    const visitor *v = user;
    v->visit(v->user, span->owner, span->data, span->count);
    return true;
}

/* The gradient's array, which momentum is kept in, and adam's moments; statistics have none. */
static bool visit_optimiser(void *user, const gdrq_weight_span *span) {
    const visitor *v = user;
    const layer *l = span->owner;
    float *of_weights[] = {l->weight_updates, l->m, l->v};
    float *of_biases[] = {l->bias_updates, l->bias_m, l->bias_v};
    float *of_scales[] = {l->scale_updates, l->scale_m, l->scale_v};
    float **arrays = span->data == l->weights  ? of_weights
                     : span->data == l->biases ? of_biases
                     : span->data == l->scales ? of_scales
                                               : NULL;
    for (int i = 0; arrays && i < 3; i++)
        if (arrays[i])
            v->visit(v->user, l, arrays[i], span->count);
    return true;
}

/*
 * The same of learned thresholds. These themselves are not among the weights: they travel in the
 * trailer, and a mean of weights goes without a mean of them, since a T is one number for many
 * weights or values, whose noise it does not share, and may not be set yet when the mean begins.
 */
static void visit_thresholds(const struct network *net, gdrq_visit *visit, void *user) {
    enum { FLOATS = sizeof(gdrq_threshold_optimiser) / sizeof(float) };
    gdrq_network_state *state = gdrq_network_state_find(net);
    for (int i = 0; state && i < state->tensors.n; i++)
        if (state->tensors.classes[i].how == GDRQ_THRESHOLD_LEARNED)
            visit(user, &state->tensors.classes[i].optimiser.update, FLOATS);
    for (int i = 0; i < net->n; i++) {
        const gdrq_quantised *q = gdrq_quantised_state(&net->layers[i]);
        if (q && q->weight_optimisers)
            visit(user, &q->weight_optimisers->update, (size_t)q->options.quant_groups * FLOATS);
    }
}

void gdrq_visit_owned_arrays(const network *net, gdrq_arrays which, gdrq_visit_owned *visit,
                             void *user) {
    visitor v = {visit, user};
    for (int i = 0; i < net->n; i++)
        gdrq_visit_weight_spans(&net->layers[i], GDRQ_ALL,
                                which == GDRQ_ARRAYS_WEIGHTS ? visit_weights : visit_optimiser, &v);
}

typedef struct caller {
    gdrq_visit *visit;
    void *user;
} caller;

static void visit_array(void *user, const layer *owner, float *data, size_t n) {
    const caller *c = user;
    (void)owner;
    c->visit(c->user, data, n);
}

gdrq_status gdrq_arrays_pull(const network *net, gdrq_error *err) {
#ifdef GPU
    if (net->gpu_index >= 0)
        return gdrq_gpu_pull(net, err);
#endif
    (void)net, (void)err;
    return GDRQ_OK;
}

gdrq_status gdrq_arrays_push(const network *net, gdrq_error *err) {
#ifdef GPU
    if (net->gpu_index >= 0)
        return gdrq_gpu_push(net, err);
#endif
    (void)net, (void)err;
    return GDRQ_OK;
}

/* Their host's copies, from the GPU where that has them. */
static void visit_pulled(const network *net, gdrq_arrays which, gdrq_visit *visit, void *user) {
    caller c = {visit, user};
#ifdef GPU
    gdrq_error err = {""};
    if (net->gpu_index >= 0)
        gdrq_must(gdrq_gpu_pull_arrays(net, which, &err), &err);
#endif
    gdrq_visit_owned_arrays(net, which, visit_array, &c);
    if (which == GDRQ_ARRAYS_OPTIMISER)
        visit_thresholds(net, visit, user);
}

void gdrq_network_arrays(const struct network *net, gdrq_arrays which, gdrq_visit *visit,
                         void *user) {
    visit_pulled(net, which, visit, user);
#ifdef GPU
    gdrq_error err = {""};
    if (net->gpu_index >= 0)
        gdrq_must(gdrq_gpu_push_arrays(net, which, &err), &err);
#endif
}

typedef struct reader {
    gdrq_read *read;
    void *user;
} reader;

static void read_array(void *user, float *data, size_t n) {
    const reader *r = user;
    r->read(r->user, data, n);
}

void gdrq_network_read_arrays(const struct network *net, gdrq_arrays which, gdrq_read *read,
                              void *user) {
    visit_pulled(net, which, read_array, &(reader){read, user});
}
