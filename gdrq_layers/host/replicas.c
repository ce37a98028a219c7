/* Networks of one cfg that are trained side by side (gdrq_network_copy() and what follows it). */
#include "darknet.h"
#include "gdrq.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "host/arrays.h"
#include "host/network_state.h"
#include "host/scratch_buffer.h"
#include "quant/average.h"

/* ---- each in a thread of its own ---- */

typedef struct worker {
    pthread_t thread;
    const network *net;
    gdrq_network_task *task;
    void *user;
    int i;
    gdrq_status status;
    gdrq_error err;
} worker;

static void *work(void *of) {
    worker *w = of;
#ifdef GPU
    /* The device is a thread's. The host's gpu_index, which changes with it, is nobody's. */
    if (gdrq_is_on_gpu(w->net))
        cuda_set_device(w->net->gpu_index);
#endif
    w->status = w->task(w->user, w->i, &w->err);
    return NULL;
}

gdrq_status gdrq_networks_each(struct network *const *nets, int n, gdrq_network_task *task,
                               void *user, gdrq_error *err) {
    worker *workers = gdrq_alloc((size_t)n, sizeof *workers);
    if (!workers)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d networks", n);
    int started = 0;
    while (started < n) {
        worker *w = &workers[started];
        *w = (worker){.net = nets[started], .task = task, .user = user, .i = started};
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            break;
        ++started;
    }
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < started; ++i) {
        pthread_join(workers[i].thread, NULL);
        if (status == GDRQ_OK && workers[i].status != GDRQ_OK)
            status = gdrq_fail(err, workers[i].status, "%s", workers[i].err.message);
    }
    free(workers);
    if (status == GDRQ_OK && started < n)
        status =
            gdrq_fail(err, GDRQ_ERROR_MEMORY, "can't start a thread for each of %d networks", n);
    return status;
}

/* ---- what a training changes ---- */

typedef struct span {
    float *data;
    size_t n;
} span;

/* The arrays of one network. */
typedef struct arrays {
    span *spans;
    size_t n, capacity;
} arrays;

static void count_array(void *user, const layer *owner, float *data, size_t n) {
    arrays *a = user;
    (void)owner, (void)data, (void)n;
    ++a->capacity;
}

static void add_array(void *user, const layer *owner, float *data, size_t n) {
    arrays *a = user;
    (void)owner;
    a->spans[a->n++] = (span){data, n};
}

static void visit_all(const network *net, gdrq_visit_owned *visit, arrays *a) {
    gdrq_visit_owned_arrays(net, GDRQ_ARRAYS_WEIGHTS, visit, a);
    gdrq_visit_owned_arrays(net, GDRQ_ARRAYS_OPTIMISER, visit, a);
}

static bool collect(const network *net, arrays *a) {
    visit_all(net, count_array, a);
    a->spans = gdrq_alloc(a->capacity, sizeof *a->spans);
    if (a->spans)
        visit_all(net, add_array, a);
    return a->spans != NULL;
}

static bool are_alike(const arrays *a, const arrays *b) {
    bool alike = a->n == b->n;
    for (size_t i = 0; alike && i < a->n; ++i)
        alike = a->spans[i].n == b->spans[i].n;
    return alike;
}

static bool have_same_classes(const gdrq_network_state *a, const gdrq_network_state *b) {
    bool same = a && b && a->tensors.n == b->tensors.n;
    for (int i = 0; same && i < a->tensors.n; ++i) {
        const gdrq_running_threshold *s = &a->tensors.classes[i], *t = &b->tensors.classes[i];
        same = s->tensor == t->tensor && s->bits == t->bits && s->range == t->range &&
               s->how == t->how && s->fixed == t->fixed;
    }
    return same;
}

static bool have_same_groups(const network *a, const network *b) {
    bool same = a->n == b->n;
    for (int i = 0; same && i < a->n; ++i) {
        const gdrq_quantised *s = gdrq_quantised_state(&a->layers[i]),
                             *t = gdrq_quantised_state(&b->layers[i]);
        same = !s == !t && (!s || (s->options.quant_groups == t->options.quant_groups &&
                                   !s->weight_thresholds == !t->weight_thresholds));
    }
    return same;
}

/* n networks, with the arrays of each. */
typedef struct group {
    network *const *nets;
    arrays *arrays;
    int n;
    bool pulls;
} group;

static void free_group(group *g) {
    for (int i = 0; g->arrays && i < g->n; ++i)
        free(g->arrays[i].spans);
    free(g->arrays);
}

static gdrq_status make_group(network *const *nets, int n, group *g, gdrq_error *err) {
    *g = (group){.nets = nets, .n = n, .arrays = gdrq_alloc((size_t)n, sizeof *g->arrays)};
    bool ok = g->arrays != NULL;
    for (int i = 0; ok && i < n; ++i)
        ok = collect(nets[i], &g->arrays[i]);
    if (!ok)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d networks", n);
    for (int i = 1; i < n; ++i)
        if (!have_same_groups(nets[0], nets[i]) || !are_alike(&g->arrays[0], &g->arrays[i]) ||
            !have_same_classes(gdrq_network_state_find(nets[0]), gdrq_network_state_find(nets[i])))
            return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                             "networks 0 and %d are not of the same cfg: they can't be trained "
                             "side by side",
                             i);
    return GDRQ_OK;
}

static gdrq_status move_one(void *user, int i, gdrq_error *err) {
    const group *g = user;
    return g->pulls ? gdrq_arrays_pull(g->nets[i], err) : gdrq_arrays_push(g->nets[i], err);
}

/* Each GPU has a way of its own to the host: all at once. */
static gdrq_status move(group *g, bool pulls, gdrq_error *err) {
    bool any = false;
    for (int i = 0; i < g->n; ++i)
        any |= gdrq_is_on_gpu(g->nets[i]);
    g->pulls = pulls;
    return any ? gdrq_networks_each(g->nets, g->n, move_one, g, err) : GDRQ_OK;
}

/* ---- one becomes another ---- */

enum { OPTIMISER_FLOATS = sizeof(gdrq_threshold_optimiser) / sizeof(float) };

static void copy_class(const gdrq_running_threshold *from, gdrq_running_threshold *to) {
    const gdrq_running_threshold own = *to;
    *to = *from;
    to->histogram = own.histogram;
    to->on_gpu = own.on_gpu;
}

static void copy_learned(const gdrq_quantised *from, gdrq_quantised *to) {
    if (!from || !from->weight_thresholds)
        return;
    const size_t groups = (size_t)from->options.quant_groups;
    memcpy(to->weight_thresholds, from->weight_thresholds, groups * sizeof(float));
    memcpy(to->weight_optimisers, from->weight_optimisers, groups * sizeof *to->weight_optimisers);
    to->weight_thresholds_set = from->weight_thresholds_set;
}

static void copy_all(const group *g) {
    const network *from = g->nets[0];
    network *to = g->nets[1];
    const gdrq_network_state *own = gdrq_network_state_find(from);
    gdrq_network_state *others = gdrq_network_state_find(to);
    for (size_t i = 0; i < g->arrays[0].n; ++i)
        memcpy(g->arrays[1].spans[i].data, g->arrays[0].spans[i].data,
               g->arrays[0].spans[i].n * sizeof(float));
    for (int i = 0; i < own->tensors.n; ++i)
        copy_class(&own->tensors.classes[i], &others->tensors.classes[i]);
    for (int i = 0; i < from->n; ++i)
        copy_learned(gdrq_quantised_state(&from->layers[i]), gdrq_quantised_state(&to->layers[i]));
    others->training.iteration = own->training.iteration;
    others->training.start = own->training.start;
    *to->seen = *from->seen;
    *to->t = *from->t;
}

gdrq_status gdrq_network_copy(struct network *from, struct network *to, gdrq_error *err) {
    network *const nets[] = {from, to};
    group g;
    gdrq_status status = make_group(nets, 2, &g, err);
    if (status == GDRQ_OK)
        status = move(&g, true, err);
    if (status == GDRQ_OK) {
        copy_all(&g);
        status = move(&g, false, err);
    }
    free_group(&g);
    return status;
}

/* ---- all become their mean ---- */

/* Gives each network's array of some kind to a mean, by way of `slots` with room for n. */
static void average_arrays(const group *g, float **slots) {
    for (size_t k = 0; k < g->arrays[0].n; ++k) {
        for (int i = 0; i < g->n; ++i)
            slots[i] = g->arrays[i].spans[k].data;
        gdrq_average_arrays(slots, g->n, g->arrays[0].spans[k].n);
    }
}

static void average_classes(const group *g, gdrq_running_threshold **slots) {
    const int classes = gdrq_network_state_find(g->nets[0])->tensors.n;
    for (int k = 0; k < classes; ++k) {
        for (int i = 0; i < g->n; ++i)
            slots[i] = &gdrq_network_state_find(g->nets[i])->tensors.classes[k];
        if (!slots[0]->fixed)
            gdrq_average_thresholds(slots, g->n);
    }
}

/* Learned thresholds of the weights of layer k; they are set from the first forward that rounds. */
static void average_learned(const group *g, int k, float **slots) {
    const size_t groups =
        (size_t)gdrq_quantised_state(&g->nets[0]->layers[k])->options.quant_groups;
    for (int i = 0; i < g->n; ++i) {
        const gdrq_quantised *q = gdrq_quantised_state(&g->nets[i]->layers[k]);
        if (!q->weight_thresholds_set)
            return;
        slots[i] = q->weight_thresholds;
    }
    gdrq_average_arrays(slots, g->n, groups);
    for (int i = 0; i < g->n; ++i)
        slots[i] = &gdrq_quantised_state(&g->nets[i]->layers[k])->weight_optimisers->update;
    gdrq_average_arrays(slots, g->n, groups * OPTIMISER_FLOATS);
}

static gdrq_status average_all(const group *g, gdrq_error *err) {
    float **slots = gdrq_alloc((size_t)g->n, sizeof *slots);
    gdrq_running_threshold **classes = gdrq_alloc((size_t)g->n, sizeof *classes);
    if (slots && classes) {
        average_arrays(g, slots);
        average_classes(g, classes);
        for (int k = 0; k < g->nets[0]->n; ++k) {
            const gdrq_quantised *q = gdrq_quantised_state(&g->nets[0]->layers[k]);
            if (q && q->weight_thresholds)
                average_learned(g, k, slots);
        }
    }
    const bool ok = slots && classes;
    free(slots);
    free(classes);
    return ok ? GDRQ_OK : gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d networks", g->n);
}

gdrq_status gdrq_networks_average(struct network *const *nets, int n, gdrq_error *err) {
    if (n < 2)
        return GDRQ_OK;
    group g;
    gdrq_status status = make_group(nets, n, &g, err);
    if (status == GDRQ_OK)
        status = move(&g, true, err);
    if (status == GDRQ_OK)
        status = average_all(&g, err);
    if (status == GDRQ_OK)
        status = move(&g, false, err);
    free_group(&g);
    return status;
}

void gdrq_network_count(struct network *net, int iterations) {
    gdrq_network_state *state = gdrq_network_state_find(net);
    *net->seen += (size_t)iterations * (size_t)net->batch * (size_t)net->subdivisions;
    if (!state)
        return;
    state->training.iteration += iterations;
    state->training.start += iterations;
}
