#include "train/loop.h"

#include "base/status.h"
#include "report.h"
#include "train/progress.h"
#include "train/stop.h"

#include <math.h>

enum { SAVE_EVERY = 100, RESIZE_EVERY = 10 };

typedef struct loop {
    const train_job *job;
    network *net;
    progress shown;
    size_t done;   /* iterations of this run */
    bool diverged; /* the loss, so the weights are not worth saving */
    size_t saved;  /* the iteration that BASE_last.weights holds; 0: none of this run */
} loop;

static int images_per_iteration(const network *net) {
    return net->batch * net->subdivisions;
}

/* Upstream's rule for random=1: 320 to 608, and 608 for the last 200 iterations. */
static void input_size(const loop *l, size_t iteration, int *w, int *h) {
    *w = l->net->w;
    *h = l->net->h;
    if (!l->job->random_size)
        return;
    random_stream random = random_start(~l->job->seed, iteration / RESIZE_EVERY);
    *w = *h = (random_below(&random, 10) + 10) * 32;
    if (iteration / RESIZE_EVERY * RESIZE_EVERY + 200 > (size_t)l->net->max_batches)
        *w = *h = 608;
}

static gdrq_status request(loop *l, size_t iteration, gdrq_error *err) {
    int w, h;
    input_size(l, iteration, &w, &h);
    const int n = images_per_iteration(l->net);
    return loader_request(l->job->samples, (uint64_t)iteration * (uint64_t)n, n, w, h, err);
}

/* Images first..first+net->batch-1 of the batch into the network's input; codes become code/255. */
static void feed(network *net, const loader_batch *batch, int first) {
    const size_t codes = 3 * (size_t)batch->w * batch->h;
    const unsigned char *from = batch->codes + codes * (size_t)first;
    float value_of[256];
    for (int code = 0; code < 256; code++)
        value_of[code] = (float)code / 255.f;
    for (size_t i = 0; i < codes * (size_t)net->batch; i++)
        net->input[i] = value_of[from[i]];
    memcpy(net->truth, batch->truth + (size_t)net->truths * first,
           (size_t)net->truths * net->batch * sizeof *net->truth);
}

static gdrq_status stop_diverged(loop *l, double loss, gdrq_error *err) {
    l->diverged = true;
    char kept[300] = "no file was written";
    if (l->saved)
        snprintf(kept, sizeof kept, "%.200s holds iteration %zu", l->job->files->last, l->saved);
    return gdrq_fail(err, GDRQ_ERROR_STATE,
                     "stopped in iteration %zu: the loss is %g; %s. Try a lower learning_rate, a "
                     "longer burn_in, larger k_weights and k_activations, or look for wrong labels",
                     get_current_batch(l->net) + 1, loss, kept);
}

/*
 * One sub-batch, as the host's train_network_datum(), but a cost that is not finite never reaches
 * the backward pass: it would ruin the weights, and the host's maxpool writes out of bounds then.
 */
static gdrq_status train_step(loop *l, double *cost, gdrq_error *err) {
    network *net = l->net;
    *net->seen += (size_t)net->batch;
    net->train = 1;
    forward_network(net);
    *cost = *net->cost;
    if (!isfinite(*cost)) {
        *net->seen -= (size_t)net->batch;
        return stop_diverged(l, *cost, err);
    }
    backward_network(net);
    if (*net->seen / (size_t)net->batch % (size_t)net->subdivisions == 0)
        update_network(net);
    return GDRQ_OK;
}

/*
 * One iteration on the batch. A stop signal ends it early: net->seen is then back at the
 * iteration's start, so that a resumed training does it again as a whole.
 */
static gdrq_status train_iteration(loop *l, const loader_batch *batch, double *loss,
                                   gdrq_error *err) {
    network *net = l->net;
    const size_t seen_before = *net->seen;
    double sum = 0;
    for (int first = 0; first < batch->n && !stop_signal(); first += net->batch) {
        double cost;
        feed(net, batch, first);
        const gdrq_status status = train_step(l, &cost, err);
        if (status != GDRQ_OK)
            return status;
        sum += cost;
    }
    if (stop_signal() && *net->seen < seen_before + (size_t)batch->n)
        *net->seen = seen_before;
    *loss = sum / batch->n;
    return GDRQ_OK;
}

static gdrq_status save_last(loop *l, gdrq_error *err) {
    const gdrq_status status = gdrq_network_save(l->net, l->job->files->last, err);
    if (status != GDRQ_OK)
        return status;
    l->saved = get_current_batch(l->net);
    progress_end_line(&l->shown);
    fprintf(l->job->out, "Saved %s\n", l->job->files->last);
    return GDRQ_OK;
}

/* A full disk is no reason to lose the training: it goes on, and the next save may succeed. */
static gdrq_status checkpoint(loop *l, gdrq_error *err) {
    if (get_current_batch(l->net) % SAVE_EVERY)
        return GDRQ_OK;
    const gdrq_status status = save_last(l, err);
    if (status != GDRQ_ERROR_IO)
        return status;
    progress_end_line(&l->shown);
    report_error(err);
    return GDRQ_OK;
}

static gdrq_status resize_to(network *net, const loader_batch *batch, gdrq_error *err) {
    if (net->w == batch->w && net->h == batch->h)
        return GDRQ_OK;
    return gdrq_network_resize(net, batch->w, batch->h, err);
}

static gdrq_status next_iteration(loop *l, gdrq_error *err) {
    network *net = l->net;
    const size_t iteration = get_current_batch(net);
    const loader_batch *batch;
    gdrq_status status = loader_take(l->job->samples, &batch, err);
    if (status == GDRQ_OK)
        status = resize_to(net, batch, err);
    if (status == GDRQ_OK && iteration + 1 < (size_t)net->max_batches)
        status = request(l, iteration + 1, err);
    const gdrq_stage stage = gdrq_network_stage(net);
    double loss;
    if (status == GDRQ_OK)
        status = train_iteration(l, batch, &loss, err);
    if (status != GDRQ_OK || get_current_batch(net) == iteration)
        return status;
    l->done++;
    progress_step(&l->shown, iteration + 1, stage, loss, get_current_rate(net));
    return checkpoint(l, err);
}

/* `failed` is what the loop ended with; keeps what was learnt. */
static gdrq_status finish(loop *l, gdrq_status failed, gdrq_error *err) {
    progress_end_line(&l->shown);
    if (failed == GDRQ_OK && !stop_signal()) {
        const gdrq_status status = gdrq_network_save(l->net, l->job->files->final, err);
        if (status == GDRQ_OK)
            fprintf(l->job->out, "Saved %s\n", l->job->files->final);
        return status;
    }
    if (l->diverged)
        return failed;
    if (!l->done) {
        if (failed == GDRQ_OK)
            fprintf(l->job->out, "Stopped before the first iteration's end; nothing is saved\n");
        return failed;
    }
    gdrq_error save_error;
    const gdrq_status status = save_last(l, failed == GDRQ_OK ? err : &save_error);
    if (failed != GDRQ_OK && status != GDRQ_OK)
        report_error(&save_error);
    return failed == GDRQ_OK ? status : failed;
}

gdrq_status train_loop(const train_job *job, gdrq_error *err) {
    network *net = job->net;
    const size_t start = get_current_batch(net);
    if (start >= (size_t)(net->max_batches > 0 ? net->max_batches : 0))
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "nothing to train: the weights are at iteration %zu and the cfg's "
                         "max_batches is %d; -clear starts the count anew",
                         start, net->max_batches);
    loop l = {.job = job, .net = net};
    /* A file of another batch size may stand in the middle of an iteration. */
    *net->seen = start * (size_t)images_per_iteration(net);
    l.shown = progress_start(job->out, (size_t)net->max_batches, images_per_iteration(net));
    gdrq_status status = request(&l, start, err);
    while (status == GDRQ_OK && !stop_signal() && get_current_batch(net) < (size_t)net->max_batches)
        status = next_iteration(&l, err);
    return finish(&l, status, err);
}
