#include "train/loop.h"

#include "base/status.h"
#include "report.h"
#include "seconds.h"
#include "train/chart.h"
#include "train/iteration.h"
#include "train/progress.h"
#include "train/stop.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { SAVE_EVERY = 100, SIZE_STEP = 32 /* pixels */ };
/* Slow networks are saved, and charts drawn, by the clock. */
static const double save_seconds = 600, chart_seconds = 10;

typedef struct loop {
    const train_job *job;
    network *net; /* the first of the replicas */
    int stride;   /* iterations of a step: how many these are */
    progress shown;
    int w, h;      /* of the network's input, as the cfg has it */
    size_t done;   /* iterations of this run */
    int unseen;    /* iterations since the mean of weights moved */
    bool diverged; /* the loss, so the weights are not worth saving */
    bool has_best; /* this run wrote the best weights */
    train_outcome *outcome;
    size_t measured;                    /* the last iteration that the metric was measured at */
    bool log_fails, chart_fails;        /* they cannot be written, which was told */
    double seconds_before;              /* of training, in the runs before */
    double started, saved_at, drawn_at; /* moments of seconds_now() */
} loop;

static void input_size(const loop *l, size_t iteration, int *w, int *h) {
    const train_sizes *sizes = &l->job->sizes;
    *w = l->net->w;
    *h = l->net->h;
    if (!sizes->every)
        return;
    const size_t period = iteration / (size_t)sizes->every;
    random_stream random = random_start(~l->job->state->seed, period);
    const int choices = (sizes->most - sizes->least) / SIZE_STEP + 1;
    *w = *h = sizes->least + random_below(&random, choices) * SIZE_STEP;
    if (sizes->last && period * (size_t)sizes->every + 200 > (size_t)l->net->max_batches)
        *w = *h = sizes->last;
}

static gdrq_status request(loop *l, size_t iteration, gdrq_error *err) {
    int w, h;
    input_size(l, iteration, &w, &h);
    const uint64_t first = (uint64_t)iteration * (uint64_t)iteration_images(l->net);
    return loader_request(l->job->samples, first, replicas_images(l->job->replicas), w, h, err);
}

/* What a resumed training continues from, as of now. */
static void note_state(loop *l) {
    train_state *state = l->job->state;
    state->average_loss = l->shown.average_loss;
    state->seconds = l->seconds_before + seconds_now() - l->started;
}

/* One of several networks that are apart is not what the training has come to. */
static void move_mean(loop *l) {
    ema *mean = l->job->view->mean;
    if (!replicas_are_joined(l->job->replicas))
        return;
    if (mean && l->unseen)
        ema_step(mean, l->net, l->unseen);
    l->unseen = 0;
}

/* Before the network is saved or measured. */
static gdrq_status join(loop *l, gdrq_error *err) {
    const gdrq_status status = replicas_join(l->job->replicas, err);
    if (status == GDRQ_OK)
        move_mean(l);
    return status;
}

static gdrq_status save_last(loop *l, gdrq_error *err) {
    const checkpoints *files = l->job->files;
    note_state(l);
    gdrq_status status = join(l, err);
    if (status == GDRQ_OK)
        status = state_save(files->last, files->last_state, l->net, l->job->state,
                            l->job->view->mean, err);
    if (status != GDRQ_OK)
        return status;
    l->outcome->saved = get_current_batch(l->net);
    l->saved_at = seconds_now();
    progress_end_line(&l->shown);
    fprintf(l->job->out, "Saved %s\n", files->last);
    return GDRQ_OK;
}

/*
 * The network becomes what is worth measuring and keeping: the mean of weights, if there is one.
 * To be followed by mean_view_hide(). `measured`: it will run, at the cfg's size, and may as well
 * be stopped.
 */
static gdrq_status show_result(loop *l, bool measured, gdrq_error *err) {
    const train_job *job = l->job;
    const bool runs = measured || job->view->samples;
    gdrq_status status = join(l, err);
    if (status == GDRQ_OK && runs)
        status = replicas_resize(job->replicas, l->w, l->h, err);
    if (status == GDRQ_OK && runs)
        status = gdrq_network_ready(l->net, err);
    return status == GDRQ_OK ? mean_view_show(job->view, l->net, measured, err) : status;
}

static gdrq_status save_shown(loop *l, const char *path, gdrq_error *err) {
    const gdrq_status status = gdrq_network_save(l->net, path, err);
    if (status != GDRQ_OK)
        return status;
    progress_end_line(&l->shown);
    fprintf(l->job->out, "Saved %s\n", path);
    return GDRQ_OK;
}

/* A stop signal waits for it: what is due is written. */
static gdrq_status save_result(loop *l, const char *path, gdrq_error *err) {
    gdrq_status status = show_result(l, false, err);
    if (status != GDRQ_OK)
        return status;
    status = save_shown(l, path, err);
    mean_view_hide(l->job->view, l->net);
    return status;
}

static gdrq_status save_milestone(loop *l, size_t iteration, gdrq_error *err) {
    char *path = checkpoints_milestone(l->job->files, iteration);
    if (!path)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    const gdrq_status status = save_result(l, path, err);
    free(path);
    return status;
}

/* A full disk is no reason to lose the training: it goes on, and the next save may succeed. */
static gdrq_status forgive(loop *l, gdrq_status status, const gdrq_error *err) {
    if (status != GDRQ_ERROR_IO)
        return status;
    progress_end_line(&l->shown);
    report_error(err);
    return GDRQ_OK;
}

/* The same for what is written so often that one message must do until it is written again. */
static gdrq_status forgive_once(loop *l, bool *told, gdrq_status status, const gdrq_error *err) {
    const bool fails = status == GDRQ_ERROR_IO;
    if (!fails || !*told)
        status = forgive(l, status, err);
    *told = fails;
    return fails ? GDRQ_OK : status;
}

/* Whether the step that ended with this iteration came to, or beyond, a multiple of `every`. */
static bool is_time(const loop *l, size_t iteration, size_t every) {
    const size_t stride = (size_t)l->stride;
    return iteration / every != (iteration > stride ? iteration - stride : 0) / every;
}

static gdrq_status checkpoint(loop *l, size_t iteration, gdrq_error *err) {
    const size_t milestone = l->job->milestone_every;
    gdrq_status status = GDRQ_OK;
    if (is_time(l, iteration, SAVE_EVERY) || seconds_now() - l->saved_at > save_seconds)
        status = forgive(l, save_last(l, err), err);
    if (status == GDRQ_OK && milestone && is_time(l, iteration, milestone))
        status = forgive(l, save_milestone(l, iteration, err), err);
    return status;
}

/* The first best of this run must not replace one of another that may be better. */
static gdrq_status set_old_best_aside(loop *l, gdrq_error *err) {
    const char *best = l->job->files->best;
    if (!l->job->best_is_old || l->has_best || access(best, F_OK) != 0)
        return GDRQ_OK;
    char *old = checkpoints_old(best);
    gdrq_status status = GDRQ_OK;
    if (!old)
        status = gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    else if (rename(best, old) != 0)
        status = gdrq_fail_errno(err, GDRQ_ERROR_IO, "%s: can't rename it to %s", best, old);
    else
        fprintf(l->job->out, "Kept what was %s as %s\n", best, old);
    free(old);
    return status;
}

static gdrq_status save_best(loop *l, gdrq_error *err) {
    gdrq_status status = set_old_best_aside(l, err);
    if (status == GDRQ_OK)
        status = save_shown(l, l->job->files->best, err);
    l->has_best |= status == GDRQ_OK;
    return status;
}

/* Notes what was measured, and keeps the network that is shown if no other was better. */
static gdrq_status note_measured(loop *l, size_t iteration, double value, gdrq_error *err) {
    train_state *state = l->job->state;
    const bool best = !state->measured || value > state->best;
    state->since_best = best ? 0 : state->since_best + 1;
    state->measured++;
    l->measured = iteration;
    if (best) {
        state->best = value;
        state->best_iteration = iteration;
    }
    fprintf(l->job->out, "%s = %.4f", l->job->metric->name, value);
    if (best)
        fprintf(l->job->out, ", the best so far\n");
    else
        fprintf(l->job->out, ", the best is %.4f at %llu\n", state->best,
                (unsigned long long)state->best_iteration);
    return best ? forgive(l, save_best(l, err), err) : GDRQ_OK;
}

/*
 * *value in 0..1; a better one than ever is worth a file. A stop signal cuts it short: then *value
 * is NAN, and a resumed run measures.
 */
static gdrq_status evaluate(loop *l, size_t iteration, double *value, gdrq_error *err) {
    const train_job *job = l->job;
    progress_end_line(&l->shown);
    gdrq_status status = show_result(l, true, err);
    const bool shown = status == GDRQ_OK;
    if (shown)
        status = job->metric->measure(job->metric->user, l->net, value, err);
    l->outcome->unmeasured = status != GDRQ_OK && stop_signal();
    if (status == GDRQ_OK)
        status = note_measured(l, iteration, *value, err);
    else
        *value = NAN;
    if (shown)
        mean_view_hide(job->view, l->net);
    return l->outcome->unmeasured ? GDRQ_OK : status;
}

static bool is_last(const loop *l, size_t iteration) {
    return iteration >= (size_t)l->net->max_batches;
}

static bool is_to_be_measured(const loop *l, size_t iteration) {
    return l->job->metric &&
           (is_time(l, iteration, l->job->measure_every) || is_last(l, iteration));
}

static bool is_hopeless(const loop *l) {
    return l->job->patience && l->job->state->since_best >= (uint64_t)l->job->patience;
}

static gdrq_status draw_chart(loop *l, gdrq_error *err) {
    const chart_options options = {.title = l->job->title,
                                   .last_iteration = (size_t)l->net->max_batches};
    l->drawn_at = seconds_now();
    return chart_save(l->job->history, &options, l->job->chart, err);
}

/* After iteration number `iteration`, counted from 1. */
static gdrq_status record(loop *l, size_t iteration, gdrq_stage stage, double loss,
                          gdrq_error *err) {
    const train_job *job = l->job;
    const double images = (double)iteration * iteration_images(l->net);
    double metric = NAN;
    gdrq_status status = GDRQ_OK;
    progress_step(&l->shown, iteration, stage, loss, get_current_rate(l->net));
    if (is_to_be_measured(l, iteration))
        status = evaluate(l, iteration, &metric, err);
    if (status != GDRQ_OK)
        return status;
    const history_row row = {.iteration = iteration,
                             .epoch = images / job->n_images,
                             .stage = stage,
                             .loss = loss,
                             .average_loss = l->shown.average_loss,
                             .rate = get_current_rate(l->net),
                             .seconds = l->seconds_before + seconds_now() - l->started,
                             .metric = metric};
    status = forgive_once(l, &l->log_fails, history_add(job->history, &row, err), err);
    if (status == GDRQ_OK && (seconds_now() - l->drawn_at > chart_seconds || !isnan(metric)))
        status = forgive_once(l, &l->chart_fails, draw_chart(l, err), err);
    progress_resume(&l->shown);
    return status;
}

/* What dropout draws depends on the seed and the iteration alone, as samples do. */
static void seed_host(const loop *l, size_t iteration) {
    random_stream random = random_start(l->job->state->seed ^ UINT64_C(0x5eed), iteration);
    srand((unsigned)random_next(&random));
}

static gdrq_status stop_diverged(loop *l, size_t iteration, double loss, gdrq_error *err) {
    l->diverged = true;
    char kept[300] = "no file was written";
    if (l->outcome->saved)
        snprintf(kept, sizeof kept, "%.200s holds iteration %zu", l->job->files->last,
                 l->outcome->saved);
    return gdrq_fail(err, GDRQ_ERROR_STATE,
                     "stopped in iteration %zu: the loss is %g; %s. Try a lower learning_rate, a "
                     "longer burn_in, larger k_weights and k_activations, or look for wrong labels",
                     iteration, loss, kept);
}

static gdrq_status next_iteration(loop *l, gdrq_error *err) {
    const train_job *job = l->job;
    const size_t start = get_current_batch(l->net), end = start + (size_t)l->stride;
    const loader_batch *batch;
    double loss = NAN;
    gdrq_status status = loader_take(job->samples, &batch, err);
    if (status == GDRQ_OK && !is_last(l, end))
        status = request(l, end, err);
    if (status == GDRQ_OK)
        status = replicas_resize(job->replicas, batch->w, batch->h, err);
    if (status == GDRQ_OK)
        status = teacher_teach(&job->teacher, batch, l->net->truths, err);
    const gdrq_stage stage = gdrq_network_stage(l->net);
    if (status != GDRQ_OK)
        return status;
    seed_host(l, start);
    status = replicas_train(job->replicas, batch, &loss, err);
    if (status != GDRQ_OK)
        return status;
    if (!isfinite(loss))
        return stop_diverged(l, start + 1, loss, err);
    l->done++;
    l->unseen += l->stride;
    move_mean(l);
    status = record(l, end, stage, loss, err);
    return status == GDRQ_OK ? checkpoint(l, end, err) : status;
}

/* After the last iteration, or as many measurements in vain as the user allowed. */
static gdrq_status finish_whole(loop *l, gdrq_error *err) {
    const size_t iteration = get_current_batch(l->net);
    if (!is_last(l, iteration))
        fprintf(l->job->out,
                "Stopped early: %d measurements without a better %s than %.4f at %llu\n",
                l->job->patience, l->job->metric->name, l->job->state->best,
                (unsigned long long)l->job->state->best_iteration);
    gdrq_status status = l->outcome->saved == iteration ? GDRQ_OK : save_last(l, err);
    if (status == GDRQ_OK)
        status = save_result(l, l->job->files->final, err);
    l->outcome->whole = status == GDRQ_OK;
    return status;
}

/* `failed` is what the loop ended with; keeps what was learnt. */
static gdrq_status finish(loop *l, gdrq_status failed, gdrq_error *err) {
    progress_end_line(&l->shown);
    gdrq_error other;
    if (l->done && forgive_once(l, &l->chart_fails, draw_chart(l, &other), &other) != GDRQ_OK)
        report_error(&other);
    if (failed == GDRQ_OK && !l->outcome->unmeasured &&
        (!stop_signal() || is_last(l, get_current_batch(l->net))))
        return finish_whole(l, err);
    if (l->diverged)
        return failed;
    if (!l->done) {
        if (failed == GDRQ_OK)
            fprintf(l->job->out, "Stopped before the first iteration's end; nothing is saved\n");
        return failed;
    }
    const gdrq_status status = save_last(l, failed == GDRQ_OK ? err : &other);
    if (failed != GDRQ_OK && status != GDRQ_OK)
        report_error(&other);
    return failed == GDRQ_OK ? status : failed;
}

/* Whether the run before was stopped in the measurement that was due when it ended. */
static bool has_to_be_made_up_for(const loop *l, size_t iteration) {
    const history_row *last = history_last(l->job->history);
    return iteration > 0 && is_to_be_measured(l, iteration) && last &&
           last->iteration == iteration && isnan(last->metric);
}

static gdrq_status make_up_for(loop *l, size_t iteration, gdrq_error *err) {
    double value;
    gdrq_status status = evaluate(l, iteration, &value, err);
    if (status == GDRQ_OK && !isnan(value))
        status = forgive_once(l, &l->log_fails, history_measured(l->job->history, value, err), err);
    return status;
}

gdrq_status train_loop(const train_job *job, train_outcome *outcome, gdrq_error *err) {
    network *net = job->replicas->nets[0];
    *outcome = (train_outcome){0};
    const size_t start = get_current_batch(net);
    loop l = {.job = job,
              .net = net,
              .stride = job->replicas->n,
              .outcome = outcome,
              .w = net->w,
              .h = net->h,
              .seconds_before = job->state->seconds,
              .started = seconds_now(),
              .drawn_at = seconds_now(),
              .saved_at = seconds_now()};
    const bool measures = has_to_be_made_up_for(&l, start), trains = !is_last(&l, start);
    /* What the run before, which this one goes on with, could not write. */
    const bool ends = !trains && !job->best_is_old && access(job->files->final, F_OK) != 0;
    if (!trains && !measures && !ends)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "nothing to train: the weights are at iteration %zu and the cfg's "
                         "max_batches is %d; -clear starts the count anew",
                         start, net->max_batches);
    /* A file of another batch size may stand in the middle of an iteration. */
    for (int i = 0; i < l.stride; i++)
        *job->replicas->nets[i]->seen = start * (size_t)iteration_images(net);
    l.shown = progress_start(job->out, (size_t)net->max_batches, iteration_images(net), l.stride);
    if (job->state->seconds > 0)
        progress_continue(&l.shown, job->state->average_loss);
    gdrq_status status = trains ? request(&l, start, err) : GDRQ_OK;
    if (status == GDRQ_OK && measures)
        status = make_up_for(&l, start, err);
    while (status == GDRQ_OK && !stop_signal() && !is_last(&l, get_current_batch(net)) &&
           !is_hopeless(&l))
        status = next_iteration(&l, err);
    return finish(&l, status, err);
}
