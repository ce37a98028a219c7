#include "host/network_state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "host/equalise.h"
#include "host/statistics.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static gdrq_network_state *first;
/* Grows with every change of the list. */
static atomic_ulong changes;

/*
 * What a thread found last, which stays right while the list does not change: a frame after another
 * finds its network without the lock. Its own network can't be freed meanwhile by anyone who may.
 */
static _Thread_local struct {
    const network *net;
    gdrq_network_state *state;
    unsigned long changes;
} last;

gdrq_network_state *gdrq_network_state_new(const network *net) {
    gdrq_network_state *state = gdrq_alloc(1, sizeof *state);
    if (!state)
        return NULL;
    state->net = net;
    state->max_batch = net->batch;
    pthread_mutex_lock(&lock);
    state->next = first;
    first = state;
    atomic_fetch_add(&changes, 1);
    pthread_mutex_unlock(&lock);
    return state;
}

gdrq_network_state *gdrq_network_state_find(const network *net) {
    if (net == last.net && last.changes == atomic_load(&changes))
        return last.state;
    pthread_mutex_lock(&lock);
    gdrq_network_state *state = first;
    while (state && state->net != net)
        state = state->next;
    last.net = net;
    last.state = state;
    last.changes = atomic_load(&changes);
    pthread_mutex_unlock(&lock);
    return state;
}

void gdrq_network_state_forget_thresholds(gdrq_network_state *state) {
    for (int i = 0; i < state->tensors.n; ++i) {
        gdrq_running_threshold *t = &state->tensors.classes[i];
        if (!t->fixed)
            t->threshold = 0;
        if (t->has_usual_k)
            t->k = gdrq_default_k_activations(t->bits);
        t->moves = t->other_rule_at = 0;
        t->pending_sum = t->pending_count = 0;
        t->optimiser = (gdrq_threshold_optimiser){0};
    }
}

void gdrq_network_state_reset(gdrq_network_state *state) {
    gdrq_network_state_forget_thresholds(state);
    for (int i = 0; i < state->net->n; ++i)
        gdrq_quantised_forget(&state->net->layers[i]);
    state->training.iteration = 0;
    state->training.start = -(int64_t)*state->net->t;
}

void gdrq_network_state_free(const network *net) {
    pthread_mutex_lock(&lock);
    gdrq_network_state **link = &first;
    while (*link && (*link)->net != net)
        link = &(*link)->next;
    gdrq_network_state *state = *link;
    if (state)
        *link = state->next;
    atomic_fetch_add(&changes, 1);
    pthread_mutex_unlock(&lock);
    if (!state)
        return;
    gdrq_tensor_classes_free(&state->tensors);
    gdrq_statistics_free(state->statistics);
    gdrq_equaliser_free(state->equaliser);
    gdrq_folded_network_free(state->folded);
    gdrq_frame_free(&state->frame);
    free(state->gpu_rooms);
    free(state);
}
