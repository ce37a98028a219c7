#include "args.h"
#include "base/status.h"
#include "commands.h"
#include "detector.h"
#include "eval/detector_map.h"
#include "report.h"
#include "train/detection_set.h"
#include "train/run.h"
#include "train/stop.h"

/* As upstream, augmentation is set by the last layer and by [net]. */
static detection_samples augmented(const detector *d, const detection_set *set) {
    const network *net = d->net;
    const layer *last = &net->layers[net->n - 1];
    const int room = net->truths / 5;
    return (detection_samples){
        .boxes = set->boxes,
        .augment = {last->jitter, net->hue, net->saturation, net->exposure},
        .max_boxes = last->max_boxes < room ? last->max_boxes : room,
    };
}

static loader_options sample_options(const detection_samples *samples, const detection_set *set,
                                     int truths) {
    loader_options o = loader_options_default();
    o.paths = set->list.paths;
    o.n_images = set->list.n;
    o.make = detection_sample;
    o.user = samples;
    o.truths = truths;
    return o;
}

/* Upstream's. */
static const train_sizes random_sizes = {.every = 10, .least = 320, .most = 608, .last = 608};

/* What the network is measured on. */
typedef struct measured_set {
    const detector *d;
    labelled_images images;
} measured_set;

/* A stop signal ends the training, and so it ends the measurement. */
static bool keep_measuring(void *user, int done, int total) {
    (void)user, (void)done, (void)total;
    return !stop_signal();
}

static gdrq_status measure(void *user, network *net, double *value, gdrq_error *err) {
    const measured_set *set = user;
    const map_options options = {.method = MAP_COCO, .confidence = .25};
    map_result result;
    const gdrq_status status = detector_measure(net, &set->images, set->d->classes, &options,
                                                keep_measuring, NULL, &result, err);
    *value = result.map50;
    map_result_free(&result);
    return status;
}

/* The network and its images, before any work is done. */
static gdrq_status prepare(const arg_operands *operands, const train_flags *flags, detector *d,
                           detection_set *set, measured_set *measured, const char **backup,
                           gdrq_error *err) {
    const char *train, *valid;
    gdrq_status status = detector_open(operands->at[0], operands->at[1], d, err);
    if (status == GDRQ_OK)
        status = data_cfg_require(&d->data, "train", &train, err);
    if (status == GDRQ_OK)
        status = data_cfg_require(&d->data, "backup", backup, err);
    if (status == GDRQ_OK)
        status = detection_set_read(train, d->classes, set, err);
    if (status != GDRQ_OK || !flags->measure)
        return status;
    measured->d = d;
    status = data_cfg_require(&d->data, "valid", &valid, err);
    if (status == GDRQ_OK)
        status = labelled_images_read(valid, d->classes, &measured->images, err);
    if (status == GDRQ_OK && labelled_images_objects(&measured->images) == 0)
        status = gdrq_fail(err, GDRQ_ERROR_FORMAT,
                           "%s: no image of the valid list has an object to measure by", valid);
    return status;
}

static int run(const arg_operands *operands, train_flags *flags) {
    gdrq_error err;
    detector d = {0};
    detection_set set = {0};
    detection_samples samples;
    measured_set measured = {0};
    train_task task = {.command = "detector train",
                       .use = {"detect", "detector test", "IMAGE"},
                       .data = &d.data,
                       .cfg_path = operands->at[1],
                       .weights_path = operands->at[2],
                       .metric = {"mAP@0.50", "map", measure, &measured}};
    int exit_status;
    train_flags_seed(flags);
    if (prepare(operands, flags, &d, &set, &measured, &task.backup, &err) == GDRQ_OK) {
        task.net = d.net;
        if (data_cfg_find(&d.data, "valid"))
            task.use = (train_use){"measure", "detector map", NULL};
        samples = augmented(&d, &set);
        task.samples = sample_options(&samples, &set, d.net->truths);
        if (d.net->layers[d.net->n - 1].random)
            task.sizes = random_sizes;
        exit_status = train_run(&task, flags);
    } else {
        exit_status = report_error(&err);
    }
    labelled_images_free(&measured.images);
    detection_set_free(&set);
    detector_close(&d);
    return exit_status;
}

int cmd_detector_train(int argc, char **argv) {
    const arg_spec spec = {
        .command = "detector train",
        .operands = "DATA CFG [WEIGHTS]",
        .help =
            "Trains on the train= list of DATA. Into its backup= folder, which is made if missing, "
            "go\nBASE_last.weights with BASE_last.state every 100 iterations or 10 minutes and on "
            "Ctrl-C,\nBASE_final.weights at the end, BASE.csv with all losses and BASE.png with "
            "their curves, where\nBASE is the name of CFG. WEIGHTS to start from may be a whole "
            "network's, to go on, or a backbone."};
    return train_command(spec, "map", false, argc, argv, run);
}
