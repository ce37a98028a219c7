#include "args.h"
#include "base/status.h"
#include "commands.h"
#include "eval/miou.h"
#include "report.h"
#include "segmenter.h"
#include "train/crop_options.h"
#include "train/run.h"
#include "train/segmentation_set.h"
#include "train/stop.h"

/* All that a training works on. */
typedef struct training {
    segmenter s;
    segmentation_set set;
    image_list valid; /* if the flags ask for measurements */
    const char *backup;
} training;

/* A stop signal ends the training, and so it ends the measurement. */
static bool keep_measuring(void *unused, int done, int total) {
    (void)unused, (void)done, (void)total;
    return !stop_signal();
}

static gdrq_status measure(void *user, network *net, double *value, gdrq_error *err) {
    const training *t = user;
    confusion counts;
    const gdrq_status status =
        miou_measure(net, &t->valid, &t->s.rules, keep_measuring, NULL, &counts, err);
    if (status != GDRQ_OK)
        return status;
    *value = confusion_mean_iou(&counts);
    confusion_free(&counts);
    return GDRQ_OK;
}

/* As for classifiers, augmentation is set by [net] alone. */
static gdrq_status read_augmentation(const network *net, const char *cfg_path, crop_options *o,
                                     gdrq_error *err) {
    *o = crop_options_of(net);
    if (net->random)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: [net] random=1 changes the size of the input, which segmentation "
                         "does not do; its scale changes between min_crop and max_crop",
                         cfg_path);
    return crop_options_check(o, cfg_path, err);
}

/* Before any work is done. */
static gdrq_status prepare(const arg_operands *operands, const train_flags *flags, training *t,
                           gdrq_error *err) {
    const char *cfg_path = operands->at[1];
    segmenter *s = &t->s;
    gdrq_status status = segmenter_open(operands->at[0], cfg_path, s, err);
    if (status == GDRQ_OK)
        status = read_augmentation(s->net, cfg_path, &t->set.augment, err);
    if (status == GDRQ_OK)
        status = data_cfg_require(&s->data, "backup", &t->backup, err);
    if (status == GDRQ_OK)
        status = segmenter_images(s, "train", &t->set.images, err);
    if (status == GDRQ_OK && flags->measure)
        status = segmenter_images(s, "valid", &t->valid, err);
    if (status != GDRQ_OK)
        return status;
    t->set.rules = s->rules;
    t->set.w = s->net->layers[s->net->n - 1].w;
    t->set.h = s->net->layers[s->net->n - 1].h;
    return GDRQ_OK;
}

static loader_options sample_options(const training *t) {
    loader_options o = loader_options_default();
    o.paths = t->set.images.paths;
    o.n_images = t->set.images.n;
    o.make = segmentation_sample;
    o.user = &t->set;
    o.truths = t->s.net->truths;
    return o;
}

static int run(const arg_operands *operands, train_flags *flags) {
    gdrq_error err;
    training t = {0};
    int exit_status;
    train_flags_seed(flags);
    if (prepare(operands, flags, &t, &err) == GDRQ_OK) {
        const bool measurable = data_cfg_find(&t.s.data, "valid");
        const train_task task = {.command = "segmenter train",
                                 .use = measurable
                                            ? (train_use){"measure", "segmenter valid", NULL}
                                            : (train_use){"segment", "segmenter test", "IMAGE"},
                                 .net = t.s.net,
                                 .data = &t.s.data,
                                 .cfg_path = operands->at[1],
                                 .weights_path = operands->at[2],
                                 .backup = t.backup,
                                 .samples = sample_options(&t),
                                 .metric = {"mIoU", "miou", measure, &t}};
        exit_status = train_run(&task, flags);
    } else {
        exit_status = report_error(&err);
    }
    image_list_free(&t.valid);
    image_list_free(&t.set.images);
    segmenter_close(&t.s);
    return exit_status;
}

int cmd_segmenter_train(int argc, char **argv) {
    const arg_spec spec = {
        .command = "segmenter train",
        .operands = "DATA CFG [WEIGHTS]",
        .help = "Trains on the train= list of DATA. The classes of images/NAME.jpg are the numbers "
                "in the pixels of\nmasks/NAME.png (or upstream's run lengths in mask/NAME.txt). "
                "Files go to the backup= folder as with\n'detector train'. WEIGHTS to start from "
                "may be a whole network's, to go on, or a backbone."};
    return train_command(spec, "miou", false, argc, argv, run);
}
