#include "train/ema.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

/* A walk over the network's arrays beside the mean's memory. */
typedef struct walk {
    float *mean;
    float rate;
} walk;

static void add_size(void *user, const float *data, size_t n) {
    (void)data;
    *(size_t *)user += n;
}

static void copy_array(void *user, const float *data, size_t n) {
    walk *w = user;
    memcpy(w->mean, data, n * sizeof *data);
    w->mean += n;
}

static void move_array(void *user, const float *data, size_t n) {
    walk *w = user;
    for (size_t i = 0; i < n; i++)
        w->mean[i] += w->rate * (data[i] - w->mean[i]);
    w->mean += n;
}

static void swap_array(void *user, float *data, size_t n) {
    walk *w = user;
    for (size_t i = 0; i < n; i++) {
        const float mean = w->mean[i];
        w->mean[i] = data[i];
        data[i] = mean;
    }
    w->mean += n;
}

gdrq_status ema_start(ema *e, const network *net, double decay, gdrq_error *err) {
    *e = (ema){.decay = decay};
    gdrq_network_read_arrays(net, GDRQ_ARRAYS_WEIGHTS, add_size, &e->n);
    e->mean = gdrq_alloc(e->n, sizeof *e->mean);
    if (!e->mean)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the running mean of weights");
    gdrq_network_read_arrays(net, GDRQ_ARRAYS_WEIGHTS, copy_array, &(walk){.mean = e->mean});
    return GDRQ_OK;
}

void ema_step(ema *e, const network *net, int iterations) {
    double keep = 1;
    for (int i = 0; i < iterations; i++) {
        const double t = (double)++e->steps, start = (1 + t) / (10 + t);
        keep *= start < e->decay ? start : e->decay;
    }
    const float rate = (float)(1 - keep);
    /* Of a network on a GPU, the weights are copied to the host in every step. */
    gdrq_network_read_arrays(net, GDRQ_ARRAYS_WEIGHTS, move_array, &(walk){e->mean, rate});
}

void ema_swap(ema *e, const network *net) {
    gdrq_network_arrays(net, GDRQ_ARRAYS_WEIGHTS, swap_array, &(walk){.mean = e->mean});
}

void ema_free(ema *e) {
    free(e->mean);
    *e = (ema){0};
}
