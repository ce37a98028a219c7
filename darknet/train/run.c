#include "train/run.h"

#include "base/status.h"
#include "data/folder.h"
#include "gpus.h"
#include "image/picture.h"
#include "output_check.h"
#include "report.h"
#include "suggest.h"
#include "train/iteration.h"
#include "train/stop.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The least iterations between two measurements: a small list's epoch is soon over. */
enum { MEASURE_AT_MOST_EVERY = 100 };

enum { TRAIN_FLAGS = 14, TEACHER_FLAGS = 4 /* the last ones */ };

static train_flags default_flags(void) {
    return (train_flags){.seed = -1,
                         .measure_epochs = 1,
                         .save_weights = 10000,
                         .teacher_share = .9f,
                         .teacher_temperature = 4};
}

/* `measure`: the name of the switch for measuring, e.g. "map". */
static void declare_flags(train_flags *f, const char *measure, arg_flag *flags) {
    const arg_flag all[TRAIN_FLAGS] = {
        {.name = "clear",
         .on = &f->clear,
         .help = "start the count of iterations anew, as for fine-tuning"},
        {.name = "seed",
         .value_name = "N",
         .integer = &f->seed,
         .min = -1,
         .max = INT_MAX,
         .help = "of all random numbers; -1: by the clock"},
        {.name = measure,
         .on = &f->measure,
         .help = "measure on the valid= list as training goes, and keep BASE_best.weights"},
        {.name = "mAP_epochs",
         .value_name = "N",
         .real = &f->measure_epochs,
         .min = .01,
         .max = 1e6,
         .help = "epochs between two measurements, but 100 iterations at least"},
        {.name = "early_stop",
         .value_name = "N",
         .integer = &f->early_stop,
         .max = INT_MAX,
         .help = "stop after N measurements without a better one; 0: never"},
        {.name = "save_weights",
         .value_name = "N",
         .integer = &f->save_weights,
         .max = INT_MAX,
         .help = "iterations from one BASE_N.weights to the next; 0: none"},
        {.name = "chart",
         .value_name = "FILE",
         .text = &f->chart,
         .help = "the picture with the curves; by default BASE.png in the backup folder"},
        {.name = "letter_box",
         .on = &f->no_effect,
         .help = "no effect: what is measured always keeps its proportions"},
        {.name = "show_imgs", .on = &f->no_effect, .help = "no effect: no window is ever opened"},
        {.name = "display", .on = &f->no_effect, .help = "the same"},
        {.name = "teacher_cfg",
         .value_name = "FILE",
         .text = &f->teacher_cfg,
         .help = "a trained network, as the same in float, to learn from what it thinks of images"},
        {.name = "teacher_weights",
         .value_name = "FILE",
         .text = &f->teacher_weights,
         .help = "its weights"},
        {.name = "teacher_share",
         .value_name = "S",
         .real = &f->teacher_share,
         .min = 0,
         .max = 1,
         .help = "of the truth that is the teacher's; the rest is the label's"},
        {.name = "teacher_temperature",
         .value_name = "T",
         .real = &f->teacher_temperature,
         .min = .1,
         .max = 100,
         .help = "of softmax while they train: what the teacher finds less likely counts more"},
    };
    memcpy(flags, all, sizeof all);
}

/* Whether they make sense together: -1, or the exit status after a message. */
static int check_flags(const train_flags *f, const char *command, const char *measure) {
    const train_flags standard = default_flags();
    const bool interval = f->measure_epochs != standard.measure_epochs;
    if (!f->measure && (f->early_stop || interval))
        report("%s: -%s is for measurements: give -%s as well", command,
               f->early_stop ? "early_stop" : "mAP_epochs", measure);
    else if (!f->teacher_cfg != !f->teacher_weights)
        report("%s: -teacher_cfg and -teacher_weights: a teacher needs both", command);
    else if (!f->teacher_cfg && (f->teacher_share != standard.teacher_share ||
                                 f->teacher_temperature != standard.teacher_temperature))
        report("%s: -teacher_share and -teacher_temperature are for a teacher: give -teacher_cfg "
               "and -teacher_weights as well",
               command);
    else if (f->chart && !picture_can_save(f->chart))
        report("%s: -chart: the name '%s' must end in .jpg or .png", command, f->chart);
    else
        return -1;
    return 2;
}

int train_command(arg_spec spec, const char *measure, bool teachable, int argc, char **argv,
                  int (*run)(const arg_operands *operands, train_flags *flags)) {
    train_flags f = default_flags();
    arg_flag flags[TRAIN_FLAGS];
    arg_operands operands;
    declare_flags(&f, measure, flags);
    spec.flags = flags;
    spec.n_flags = TRAIN_FLAGS - (teachable ? 0 : TEACHER_FLAGS);
    int done = args_parse(&spec, argc, argv, &operands);
    if (done < 0)
        done = check_flags(&f, spec.command, measure);
    return done >= 0 ? done : run(&operands, &f);
}

void train_flags_seed(train_flags *f) {
    f->seed_given = f->seed >= 0;
    if (!f->seed_given)
        f->seed = (int)(time(NULL) & INT_MAX);
    srand((unsigned)f->seed);
}

/* One training from its start to its end. */
typedef struct run {
    const train_task *task;
    const train_flags *flags;
    checkpoints files;
    train_state state;
    ema mean; /* n = 0: none */
    mean_view view;
    history history;
    replicas replicas;
    loader *samples;
    train_outcome outcome;
    bool resumed_whole; /* with all of its state */
} run;

static gdrq_status load_weights_file(const train_task *task, bool *whole, gdrq_error *err) {
    gdrq_load_report found;
    const gdrq_status status = gdrq_network_load(task->net, task->weights_path, true, &found, err);
    if (status != GDRQ_OK)
        return status;
    *whole = found.complete;
    if (found.complete)
        printf("Loaded %s: all %d layers%s\n", task->weights_path, task->net->n,
               found.has_thresholds ? ", with activation thresholds" : "");
    else
        printf("Loaded %s, a backbone: layers 0 to %d; layers %d to %d start at random\n",
               task->weights_path, found.layers - 1, found.layers, task->net->n - 1);
    return GDRQ_OK;
}

static void print_resumed(const char *path, state_found found) {
    static const char *const words[] = {
        [STATE_WHOLE] = "",
        [STATE_NO_MEAN] = "it has no mean of weights: that starts anew",
        [STATE_MISSING] = "it is missing: momentum and the mean of weights start anew",
        [STATE_OTHER_WEIGHTS] = "it belongs to other weights: momentum and the mean of weights "
                                "start anew"};
    if (found == STATE_WHOLE)
        printf("Resuming with the state in %s\n", path);
    else
        printf("Resuming without all of the state in %s: %s\n", path, words[found]);
}

static gdrq_status resume(run *r, gdrq_error *err) {
    const train_task *task = r->task;
    state_found found;
    char *path = state_path(task->weights_path);
    if (!path)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory");
    const gdrq_status status =
        state_load(path, task->net, &r->state, r->mean.n ? &r->mean : NULL, &found, err);
    if (status == GDRQ_OK)
        print_resumed(path, found);
    r->resumed_whole = status == GDRQ_OK && (found == STATE_WHOLE || found == STATE_NO_MEAN);
    free(path);
    if (r->flags->seed_given)
        r->state.seed = (uint64_t)r->flags->seed;
    return status;
}

/* It can teach at all sizes of the training, and is left at the network's own. */
static gdrq_status prepare_teacher(run *r, gdrq_error *err) {
    const teacher *t = &r->task->teacher;
    const train_sizes *sizes = &r->task->sizes;
    const int classes = r->task->net->outputs;
    gdrq_status status = GDRQ_OK;
    if (sizes->every)
        status = teacher_resize(t, sizes->least, sizes->least, classes, err);
    if (status == GDRQ_OK && sizes->every)
        status = teacher_resize(t, sizes->most, sizes->most, classes, err);
    return status == GDRQ_OK ? teacher_prepare(t, r->replicas.nets, r->replicas.n,
                                               replicas_images(&r->replicas), err)
                             : status;
}

/* The weights and all that a training has beside them. */
static gdrq_status start(run *r, gdrq_error *err) {
    network *net = r->task->net;
    const float decay = gdrq_network_ema(net);
    bool whole = false;
    r->state.seed = (uint64_t)r->flags->seed;
    gdrq_status status = gdrq_network_trainable(net, err);
    if (status == GDRQ_OK && r->task->weights_path)
        status = load_weights_file(r->task, &whole, err);
    if (status == GDRQ_OK && r->flags->clear) {
        *net->seen = 0;
        gdrq_network_restart(net);
    }
    if (status == GDRQ_OK && decay > 0)
        status = ema_start(&r->mean, net, decay, err);
    if (status == GDRQ_OK && whole && get_current_batch(net) > 0)
        status = resume(r, err);
    if (status == GDRQ_OK)
        status = replicas_open(&r->replicas, net, r->task->cfg_path, err);
    if (status == GDRQ_OK)
        status = prepare_teacher(r, err);
    return status;
}

/* The best measurement of the log, for a training without its state. */
static void take_best_of_log(run *r) {
    train_state *s = &r->state;
    for (size_t i = 0; i < r->history.n; i++) {
        const history_row *row = &r->history.rows[i];
        if (isnan(row->metric))
            continue;
        const bool best = !s->measured || row->metric > s->best;
        s->measured++;
        s->since_best = best ? 0 : s->since_best + 1;
        if (best) {
            s->best = row->metric;
            s->best_iteration = row->iteration;
        }
    }
    if (s->measured)
        printf("The best %s so far is %.4f at %llu, by %s\n", r->task->metric.name, s->best,
               (unsigned long long)s->best_iteration, r->files.log);
}

static const char *chart_path(const run *r) {
    return r->flags->chart ? r->flags->chart : r->files.chart;
}

/* A picture: it could be one of those to train on. */
static gdrq_status check_chart(const run *r, gdrq_error *err) {
    const char *const files[] = {r->task->cfg_path, r->task->weights_path};
    const char *const chart = chart_path(r);
    const run_inputs inputs = {.files = files,
                               .n = 2,
                               .data = r->task->data,
                               .lists = {"train", r->flags->measure ? "valid" : NULL},
                               .task = task_of(r->task->net)};
    return output_check(&chart, 1, &inputs, err);
}

/* What is trained must not replace its teacher. */
static gdrq_status check_teacher(const run *r, gdrq_error *err) {
    const checkpoints *c = &r->files;
    const char *const outputs[] = {c->last, c->best, c->final};
    const char *const teacher[] = {r->flags->teacher_cfg, r->flags->teacher_weights};
    return output_check(outputs, 3, &(run_inputs){.files = teacher, .n = 2}, err);
}

static gdrq_status open_files(run *r, gdrq_error *err) {
    const char *metric = r->flags->measure ? r->task->metric.name : NULL;
    gdrq_status status = checkpoints_open(&r->files, r->task->backup, r->task->cfg_path, err);
    if (status == GDRQ_OK)
        status = check_teacher(r, err);
    if (status == GDRQ_OK && r->flags->chart)
        status = folder_check_file(r->flags->chart, err);
    if (status == GDRQ_OK)
        status = check_chart(r, err);
    if (status == GDRQ_OK)
        status =
            history_open(&r->history, r->files.log, metric, get_current_batch(r->task->net), err);
    if (status == GDRQ_OK && metric && !r->resumed_whole)
        take_best_of_log(r);
    return status;
}

static gdrq_status open_samples(run *r, gdrq_error *err) {
    loader_options samples = r->task->samples;
    samples.seed = r->state.seed;
    const gdrq_status status = loader_open(&samples, &r->samples, err);
    if (status != GDRQ_OK)
        return status;
    return mean_view_open(&r->view, r->mean.n ? &r->mean : NULL, r->task->net, &samples, err);
}

/* Iterations for so many epochs. */
static size_t measuring_interval(const run *r) {
    const double per_epoch = (double)r->task->samples.n_images / iteration_images(r->task->net);
    const double every = ceil(per_epoch * r->flags->measure_epochs);
    return every > MEASURE_AT_MOST_EVERY ? (size_t)every : MEASURE_AT_MOST_EVERY;
}

static gdrq_status train(run *r, gdrq_error *err) {
    network *net = r->task->net;
    const train_job job = {.replicas = &r->replicas,
                           .samples = r->samples,
                           .teacher = r->task->teacher,
                           .n_images = r->task->samples.n_images,
                           .files = &r->files,
                           .history = &r->history,
                           .chart = chart_path(r),
                           .title = r->task->cfg_path,
                           .state = &r->state,
                           .view = &r->view,
                           .best_is_old = !r->resumed_whole,
                           .metric = r->flags->measure ? &r->task->metric : NULL,
                           .measure_every = measuring_interval(r),
                           .patience = r->flags->early_stop,
                           .milestone_every = (size_t)r->flags->save_weights,
                           .sizes = r->task->sizes,
                           .out = stdout};
    if (gpus_list())
        printf("Training %d networks, on the GPUs %s\n", r->replicas.n, gpus_list());
    printf("Training on %d images, %d per iteration; learning rate %g, momentum %g, decay %g, seed "
           "%llu\n",
           job.n_images, iteration_images(net), net->learning_rate, net->momentum, net->decay,
           (unsigned long long)r->state.seed);
    if (r->task->teacher.net)
        printf("Taught by %s: %g of the truth, at temperature %g\n", r->flags->teacher_weights,
               r->task->teacher.share, r->task->teacher.temperature);
    fflush(stdout);
    return train_loop(&job, &r->outcome, err);
}

/* The flags that matter to the rest of a training: not -clear, and the seed is in its state. */
static void suggest_resuming(const run *r) {
    const train_flags *f = r->flags, standard = default_flags();
    char numbers[5][40];
    const char *words[19] = {r->task->data->path, r->task->cfg_path, r->files.last};
    char measure[32];
    int n = 3;
    snprintf(measure, sizeof measure, "-%s", r->task->metric.flag);
    snprintf(numbers[0], sizeof *numbers, "-mAP_epochs=%g", f->measure_epochs);
    snprintf(numbers[1], sizeof *numbers, "-early_stop=%d", f->early_stop);
    snprintf(numbers[2], sizeof *numbers, "-save_weights=%d", f->save_weights);
    snprintf(numbers[3], sizeof *numbers, "-teacher_share=%g", f->teacher_share);
    snprintf(numbers[4], sizeof *numbers, "-teacher_temperature=%g", f->teacher_temperature);
    if (f->measure)
        words[n++] = measure;
    if (f->measure_epochs != standard.measure_epochs)
        words[n++] = numbers[0];
    if (f->early_stop != standard.early_stop)
        words[n++] = numbers[1];
    if (f->save_weights != standard.save_weights)
        words[n++] = numbers[2];
    if (f->teacher_cfg) {
        words[n++] = "-teacher_cfg";
        words[n++] = f->teacher_cfg;
        words[n++] = "-teacher_weights";
        words[n++] = f->teacher_weights;
    }
    if (f->teacher_share != standard.teacher_share)
        words[n++] = numbers[3];
    if (f->teacher_temperature != standard.teacher_temperature)
        words[n++] = numbers[4];
    if (f->chart) {
        words[n++] = "-chart";
        words[n++] = f->chart;
    }
    if (gpus_list()) {
        words[n++] = "-gpus";
        words[n++] = gpus_list();
    }
    suggest("go on", r->task->command, words, n);
}

/* `status` is what the training ended with. What diverged would do so again as it is. */
static void suggest_next(const run *r, gdrq_status status) {
    const train_task *task = r->task;
    const train_use *use = &task->use;
    const char *words[] = {task->data->path, task->cfg_path, r->files.final, use->operand};
    const size_t saved = r->outcome.saved;
    if (r->outcome.whole)
        suggest(use->purpose, use->command, words, use->operand ? 4 : 3);
    else if (saved && (saved < (size_t)task->net->max_batches || r->outcome.unmeasured) &&
             status != GDRQ_ERROR_STATE)
        suggest_resuming(r);
}

int train_run(const train_task *task, const train_flags *flags) {
    run r = {.task = task, .flags = flags};
    gdrq_error err;
    gdrq_status status = start(&r, &err);
    if (status == GDRQ_OK)
        status = open_files(&r, &err);
    if (status == GDRQ_OK)
        status = open_samples(&r, &err);
    if (status == GDRQ_OK) {
        stop_watch();
        status = train(&r, &err);
    }
    if (status != GDRQ_OK)
        report_error(&err);
    suggest_next(&r, status);
    loader_close(r.samples);
    history_close(&r.history);
    replicas_close(&r.replicas);
    mean_view_close(&r.view);
    ema_free(&r.mean);
    checkpoints_close(&r.files);
    return status != GDRQ_OK ? 1 : stop_signal() ? 128 + stop_signal() : 0;
}
