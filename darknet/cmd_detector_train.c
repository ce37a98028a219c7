#include "args.h"
#include "commands.h"
#include "detector.h"
#include "report.h"
#include "train/detection_set.h"
#include "train/loop.h"
#include "train/stop.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const size_t cache_bytes = (size_t)512 << 20;

typedef struct train_options {
    int seed;
    bool clear;
} train_options;

/* As upstream, augmentation is set by the last layer and by [net]. */
static loader_options sample_options(const detector *d, const detection_set *set, int seed) {
    const network *net = d->net;
    const layer *last = &net->layers[net->n - 1];
    const int room = net->truths / 5;
    return (loader_options){
        .images = set->images,
        .n_images = set->list.n,
        .augment = {last->jitter, net->hue, net->saturation, net->exposure},
        .max_boxes = last->max_boxes < room ? last->max_boxes : room,
        .truths = net->truths,
        .seed = (uint64_t)seed,
        .threads = sysconf(_SC_NPROCESSORS_ONLN) > 4 ? 4 : 2,
        .cache_bytes = cache_bytes,
    };
}

static gdrq_status load_weights_file(network *net, const char *path, gdrq_error *err) {
    gdrq_load_report found;
    const gdrq_status status = gdrq_network_load(net, path, true, &found, err);
    if (status != GDRQ_OK)
        return status;
    if (found.complete)
        printf("Loaded %s: all %d layers%s\n", path, net->n,
               found.has_thresholds ? ", with activation thresholds" : "");
    else
        printf("Loaded %s, a backbone: layers 0 to %d; layers %d to %d start at random\n", path,
               found.layers - 1, found.layers, net->n - 1);
    return GDRQ_OK;
}

static gdrq_status train_on(const detector *d, const detection_set *set, const checkpoints *files,
                            const train_options *o, gdrq_error *err) {
    network *net = d->net;
    const loader_options samples = sample_options(d, set, o->seed);
    train_job job = {.net = net,
                     .files = files,
                     .seed = (uint64_t)o->seed,
                     .random_size = net->layers[net->n - 1].random,
                     .out = stdout};
    gdrq_status status = loader_open(&samples, &job.samples, err);
    if (status != GDRQ_OK)
        return status;
    printf("Training on %d images, %d per iteration; learning rate %g, momentum %g, decay %g, seed "
           "%d\n",
           set->list.n, net->batch * net->subdivisions, net->learning_rate, net->momentum,
           net->decay, o->seed);
    fflush(stdout);
    status = train_loop(&job, err);
    loader_close(job.samples);
    return status;
}

/* The network, its weights, the images and the folder for results, before any work is done. */
static gdrq_status prepare(const arg_operands *operands, const train_options *o, detector *d,
                           detection_set *set, checkpoints *files, gdrq_error *err) {
    const char *train, *backup;
    srand((unsigned)o->seed); /* the host draws the first weights */
    gdrq_status status = detector_open(operands->at[0], operands->at[1], d, err);
    if (status == GDRQ_OK)
        status = gdrq_network_trainable(d->net, err);
    if (status == GDRQ_OK)
        status = data_cfg_require(&d->data, "train", &train, err);
    if (status == GDRQ_OK)
        status = data_cfg_require(&d->data, "backup", &backup, err);
    if (status == GDRQ_OK && operands->at[2])
        status = load_weights_file(d->net, operands->at[2], err);
    if (status != GDRQ_OK)
        return status;
    if (o->clear) {
        *d->net->seen = 0;
        gdrq_network_restart(d->net);
    }
    srand((unsigned)o->seed); /* dropout draws, too */
    status = detection_set_read(train, d->classes, set, err);
    if (status == GDRQ_OK)
        status = checkpoints_open(files, backup, operands->at[1], err);
    return status;
}

static int run(const arg_operands *operands, const train_options *o) {
    gdrq_error err;
    detector d = {0};
    detection_set set = {0};
    checkpoints files = {0};
    gdrq_status status = prepare(operands, o, &d, &set, &files, &err);
    if (status == GDRQ_OK) {
        stop_watch();
        status = train_on(&d, &set, &files, o, &err);
    }
    const int exit_status = status != GDRQ_OK ? report_error(&err)
                            : stop_signal()   ? 128 + stop_signal()
                                              : 0;
    checkpoints_close(&files);
    detection_set_free(&set);
    detector_close(&d);
    return exit_status;
}

int cmd_detector_train(int argc, char **argv) {
    train_options o = {.seed = (int)(time(NULL) & INT_MAX)};
    bool no_effect;
    const char *gpus = NULL;
    const arg_flag flags[] = {
        {.name = "clear",
         .on = &o.clear,
         .help = "start the count of iterations anew, as for fine-tuning"},
        {.name = "seed",
         .value_name = "N",
         .integer = &o.seed,
         .max = INT_MAX,
         .help = "of all random numbers; by default from the clock"},
        {.name = "gpus", .value_name = "LIST", .text = &gpus, .help = "no effect in a CPU build"},
        {.name = "dont_show", .on = &no_effect, .help = "no effect: no window is ever opened"},
    };
    const arg_spec spec = {
        .command = "detector train",
        .operands = "DATA CFG [WEIGHTS]",
        .help =
            "Trains on the train= list of DATA. Weights go to its backup= folder, which is made "
            "if missing:\nBASE_last.weights every 100 iterations and on Ctrl-C, "
            "BASE_final.weights at the end, where BASE is\nthe name of CFG. WEIGHTS to start "
            "from may be a whole network's, to go on, or a backbone.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    return done >= 0 ? done : run(&operands, &o);
}
