#include "train/replicas.h"

#include "base/alloc.h"
#include "base/status.h"
#include "gpus.h"
#include "train/iteration.h"

#include <stdlib.h>

/* Upstream's: a mean takes all weights to the host and back. */
enum { JOIN_EVERY = 4 /* steps */ };

/* The mean of n steps on a batch each is a step on n batches, which can be n times as long. */
static gdrq_status make_alike(replicas *r, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 1; i < r->n && status == GDRQ_OK; i++)
        status = gdrq_network_copy(r->nets[0], r->nets[i], err);
    for (int i = 0; i < r->n && status == GDRQ_OK; i++)
        r->nets[i]->learning_rate *= (float)r->n;
    return status;
}

static void free_networks(network **nets, int n) {
    for (int i = 0; i < n; i++)
        if (nets[i])
            free_network(nets[i]);
}

gdrq_status replicas_of(replicas *r, network *first, network **others, int n, gdrq_error *err) {
    *r = (replicas){.nets = gdrq_alloc((size_t)n, sizeof(network *))};
    if (!r->nets) {
        free_networks(others, n - 1);
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d networks", n);
    }
    r->n = n;
    r->nets[0] = first;
    for (int i = 1; i < n; i++)
        r->nets[i] = others[i - 1];
    return make_alike(r, err);
}

gdrq_status replicas_open(replicas *r, network *first, const char *cfg_path, gdrq_error *err) {
    network *others[GPUS_MOST] = {0};
    const int n = gpus_count();
    gdrq_status status = GDRQ_OK;
    *r = (replicas){0};
    for (int i = 1; i < n && status == GDRQ_OK; i++) {
        status = gpus_use(i, err);
        if (status == GDRQ_OK)
            status = gdrq_network_parse(cfg_path, NULL, NULL, &others[i - 1], err);
    }
    if (status == GDRQ_OK && n > 1)
        status = gpus_use(0, err);
    if (status == GDRQ_OK)
        return replicas_of(r, first, others, n, err);
    free_networks(others, n - 1);
    return status;
}

int replicas_images(const replicas *r) {
    return r->n * iteration_images(r->nets[0]);
}

typedef struct step {
    const replicas *r;
    const loader_batch *batch;
    double losses[GPUS_MOST];
} step;

static gdrq_status train_one(void *user, int i, gdrq_error *err) {
    step *s = user;
    network *net = s->r->nets[i];
    (void)err;
    s->losses[i] = iteration_train(net, s->batch, i * iteration_images(net));
    return GDRQ_OK;
}

gdrq_status replicas_train(replicas *r, const loader_batch *batch, double *loss, gdrq_error *err) {
    step s = {.r = r, .batch = batch};
    gdrq_status status =
        r->n > 1 ? gdrq_networks_each(r->nets, r->n, train_one, &s, err) : train_one(&s, 0, err);
    if (status != GDRQ_OK)
        return status;
    *loss = 0;
    for (int i = 0; i < r->n; i++) {
        *loss += s.losses[i] / r->n;
        gdrq_network_count(r->nets[i], r->n - 1);
    }
    return ++r->apart >= JOIN_EVERY ? replicas_join(r, err) : GDRQ_OK;
}

gdrq_status replicas_join(replicas *r, gdrq_error *err) {
    if (r->apart == 0)
        return GDRQ_OK;
    r->apart = 0;
    return gdrq_networks_average(r->nets, r->n, err);
}

bool replicas_are_joined(const replicas *r) {
    return r->n == 1 || r->apart == 0;
}

gdrq_status replicas_resize(replicas *r, int w, int h, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < r->n && status == GDRQ_OK; i++)
        if (r->nets[i]->w != w || r->nets[i]->h != h)
            status = gdrq_network_resize(r->nets[i], w, h, err);
    return status;
}

void replicas_close(replicas *r) {
    if (r->n > 1)
        free_networks(r->nets + 1, r->n - 1);
    free(r->nets);
    *r = (replicas){0};
}
