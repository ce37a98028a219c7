#include "train/mean_view.h"

#include "base/alloc.h"
#include "base/status.h"
#include "train/iteration.h"
#include "train/stop.h"

#include <stdlib.h>
#include <string.h>

gdrq_status mean_view_open(mean_view *v, ema *mean, const network *net,
                           const loader_options *samples, gdrq_error *err) {
    *v = (mean_view){.mean = mean, .images = gdrq_network_ema_images(net)};
    if (!mean || v->images == 0)
        return GDRQ_OK;
    v->kept = gdrq_alloc(mean->n, sizeof *v->kept);
    v->measured = gdrq_alloc(mean->n, sizeof *v->measured);
    if (!v->kept || !v->measured)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for the running mean of weights");
    loader_options other = *samples;
    other.seed = ~samples->seed; /* not the images of the first iterations */
    other.cache_bytes = 0;
    return loader_open(&other, &v->samples, err);
}

/* The next batch is prepared while the network runs. */
static gdrq_status predict_samples(mean_view *v, network *net, bool stoppable, gdrq_error *err) {
    const int batches = (v->images + net->batch - 1) / net->batch;
    gdrq_status status = loader_request(v->samples, 0, net->batch, net->w, net->h, err);
    for (int i = 0; i < batches && status == GDRQ_OK; i++) {
        const loader_batch *batch;
        const uint64_t next = (uint64_t)(i + 1) * (uint64_t)net->batch;
        status = loader_take(v->samples, &batch, err);
        /* Before the next request, which would have to be taken. */
        if (status == GDRQ_OK && stoppable && stop_signal())
            return gdrq_fail(err, GDRQ_ERROR_STATE, "stopped by a signal");
        if (status == GDRQ_OK && i + 1 < batches)
            status = loader_request(v->samples, next, net->batch, net->w, net->h, err);
        if (status != GDRQ_OK)
            return status;
        iteration_feed(net, batch, 0);
        network_predict(net, net->input);
    }
    return status;
}

static gdrq_status measure_statistics(mean_view *v, network *net, bool stoppable, gdrq_error *err) {
    gdrq_status status = gdrq_network_measuring(net, GDRQ_MEASURE_ANEW, err);
    if (status == GDRQ_OK)
        status = predict_samples(v, net, stoppable, err);
    gdrq_network_measuring(net, GDRQ_MEASURE_NOTHING, NULL);
    return status;
}

gdrq_status mean_view_show(mean_view *v, network *net, bool stoppable, gdrq_error *err) {
    if (!v->mean)
        return GDRQ_OK;
    if (!v->samples) {
        ema_swap(v->mean, net);
        return GDRQ_OK;
    }
    const size_t bytes = v->mean->n * sizeof *v->kept;
    const bool again = v->measured_at == v->mean->steps && v->has_measured;
    memcpy(v->kept, v->mean->mean, bytes);
    if (again)
        memcpy(v->mean->mean, v->measured, bytes);
    ema_swap(v->mean, net);
    const gdrq_status status = again ? GDRQ_OK : measure_statistics(v, net, stoppable, err);
    v->has_measured = status == GDRQ_OK;
    v->measured_at = v->mean->steps;
    if (status != GDRQ_OK)
        mean_view_hide(v, net);
    return status;
}

void mean_view_hide(mean_view *v, network *net) {
    if (!v->mean)
        return;
    ema_swap(v->mean, net);
    if (!v->samples)
        return;
    memcpy(v->measured, v->mean->mean, v->mean->n * sizeof *v->measured);
    memcpy(v->mean->mean, v->kept, v->mean->n * sizeof *v->kept);
}

void mean_view_close(mean_view *v) {
    loader_close(v->samples);
    free(v->kept);
    free(v->measured);
    *v = (mean_view){0};
}
