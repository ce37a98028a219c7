#include "args.h"
#include "base/status.h"
#include "classifier.h"
#include "commands.h"
#include "eval/topk.h"
#include "report.h"
#include "train/classification_set.h"
#include "train/crop_options.h"
#include "train/run.h"
#include "train/stop.h"

/* Upstream's. */
static const train_sizes random_sizes = {.every = 40, .least = 128, .most = 448};

/* All that a training works on. */
typedef struct training {
    classifier c;
    classification_set set;
    classified_images valid; /* if the flags ask for measurements */
    classifier teacher;      /* if the flags name one */
    const char *backup;
} training;

/* A stop signal ends the training, and so it ends the measurement. */
static bool keep_measuring(void *unused, const topk_step *step) {
    (void)unused, (void)step;
    return !stop_signal();
}

static gdrq_status measure(void *user, network *net, double *value, gdrq_error *err) {
    const training *t = user;
    topk_result result;
    const gdrq_status status = topk_measure(net, &t->valid, 1, keep_measuring, NULL, &result, err);
    *value = topk_first(&result);
    return status;
}

/* As upstream, augmentation is set by [net] alone. */
static gdrq_status read_augmentation(const network *net, const char *cfg_path, crop_options *o,
                                     gdrq_error *err) {
    *o = crop_options_of(net);
    return crop_options_check(o, cfg_path, err);
}

/* Other sizes must be possible, and must leave one output per class. */
static gdrq_status check_sizes(network *net, const char *cfg_path, gdrq_error *err) {
    const int w = net->w, h = net->h, truths = net->truths;
    if (!net->random)
        return GDRQ_OK;
    const gdrq_status status =
        gdrq_network_resize(net, random_sizes.least, random_sizes.least, err);
    if (status != GDRQ_OK)
        return status;
    const bool same = net->truths == truths;
    if (gdrq_network_resize(net, w, h, err) == GDRQ_OK && same)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                     "%s: [net] random=1 needs an [avgpool] before the classes: other input sizes "
                     "give more outputs",
                     cfg_path);
}

/* Before any work is done. */
static gdrq_status prepare(const arg_operands *operands, const train_flags *flags, training *t,
                           gdrq_error *err) {
    const char *cfg_path = operands->at[1];
    gdrq_status status = classifier_open(operands->at[0], cfg_path, &t->c, err);
    if (status == GDRQ_OK)
        status = read_augmentation(t->c.net, cfg_path, &t->set.augment, err);
    if (status == GDRQ_OK)
        status = check_sizes(t->c.net, cfg_path, err);
    if (status == GDRQ_OK)
        status = data_cfg_require(&t->c.data, "backup", &t->backup, err);
    if (status == GDRQ_OK)
        status = classifier_images(&t->c, "train", &t->set.images, err);
    if (status == GDRQ_OK && flags->measure)
        status = classifier_images(&t->c, "valid", &t->valid, err);
    if (status == GDRQ_OK && flags->teacher_cfg)
        status = classifier_open_trained(operands->at[0], flags->teacher_cfg,
                                         flags->teacher_weights, &t->teacher, err);
    if (status == GDRQ_OK)
        t->set.hierarchy = t->c.net->hierarchy;
    return status;
}

static loader_options sample_options(const training *t) {
    loader_options o = loader_options_default();
    o.paths = t->set.images.list.paths;
    o.n_images = t->set.images.list.n;
    o.make = classification_sample;
    o.user = &t->set;
    o.truths = t->c.net->truths;
    return o;
}

static int run(const arg_operands *operands, train_flags *flags) {
    gdrq_error err;
    training t = {0};
    int exit_status;
    train_flags_seed(flags);
    if (prepare(operands, flags, &t, &err) == GDRQ_OK) {
        const bool measurable = data_cfg_find(&t.c.data, "valid");
        const train_task task = {.command = "classifier train",
                                 .use = measurable
                                            ? (train_use){"measure", "classifier valid", NULL}
                                            : (train_use){"predict", "classifier predict", "IMAGE"},
                                 .net = t.c.net,
                                 .data = &t.c.data,
                                 .cfg_path = operands->at[1],
                                 .weights_path = operands->at[2],
                                 .backup = t.backup,
                                 .samples = sample_options(&t),
                                 .sizes = t.c.net->random ? random_sizes : (train_sizes){0},
                                 .metric = {"top-1", "topk", measure, &t},
                                 .teacher = {t.teacher.net, flags->teacher_cfg,
                                             flags->teacher_share, flags->teacher_temperature}};
        exit_status = train_run(&task, flags);
    } else {
        exit_status = report_error(&err);
    }
    classified_images_free(&t.valid);
    classified_images_free(&t.set.images);
    classifier_close(&t.teacher);
    classifier_close(&t.c);
    return exit_status;
}

int cmd_classifier_train(int argc, char **argv) {
    const arg_spec spec = {
        .command = "classifier train",
        .operands = "DATA CFG [WEIGHTS]",
        .help = "Trains on the train= list of DATA. The class of an image is the one line of the "
                "labels= file that occurs\nin its path; where several do, the one that is a whole "
                "folder's name. Files go to the backup= folder as\nwith 'detector train'. WEIGHTS "
                "to start from may be a whole network's, to go on, or a backbone."};
    return train_command(spec, "topk", true, argc, argv, run);
}
