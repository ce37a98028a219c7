#include "args.h"
#include "base/status.h"
#include "commands.h"
#include "data/folder.h"
#include "detect.h"
#include "image/picture_paths.h"
#include "output_check.h"
#include "quantised_network.h"
#include "report.h"
#include "suggest.h"
#include "task.h"
#include "work_progress.h"

#include <stdio.h>
#include <string.h>

typedef enum method { BY_BITS, BY_PERCENTILE, BY_SEARCH, BY_MEAN, KEEP } method;

static const char *const method_names[] = {"auto", "percentile", "search", "mean", "keep", NULL};

/* What becomes of batch norm's statistics. */
typedef enum statistics { BY_WEIGHTS, SHIFT, MEASURE, LEAVE } statistics;

static const char *const statistics_names[] = {"auto", "shift", "measure", "keep", NULL};

static const gdrq_calibration calibrations[] = {[BY_BITS] = GDRQ_CALIBRATE_BY_BITS,
                                                [BY_PERCENTILE] = GDRQ_CALIBRATE_PERCENTILE,
                                                [BY_SEARCH] = GDRQ_CALIBRATE_SEARCH};

typedef struct flags {
    const char *method_name, *statistics_name;
    method method;
    statistics statistics; /* not BY_WEIGHTS any more once these are loaded */
    float percentile;      /* 0..100 */
    bool equalise;
} flags;

/* What is worked on. */
typedef struct work {
    network *net;
    const picture_paths *paths;
    work_progress progress; /* in pictures */
} work;

/* How often all pictures are read. */
static int count_passes(const flags *f) {
    return (f->method != KEEP) + f->equalise + (f->statistics != LEAVE);
}

static gdrq_status predict_all(work *w, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < w->paths->n && status == GDRQ_OK; i++) {
        status = predict_picture_file(w->net, w->paths->at[i], err);
        work_progress_add(&w->progress, 1);
    }
    return status;
}

/* As the network is in float. */
static gdrq_status predict_all_unquantised(work *w, gdrq_error *err) {
    gdrq_network_unquantised(w->net, true);
    const gdrq_status status = predict_all(w, err);
    gdrq_network_unquantised(w->net, false);
    return status;
}

/* As training does, each layer reading what the ones before it give once they are quantised. */
static gdrq_status by_mean(work *w, gdrq_error *err) {
    gdrq_status status = gdrq_network_forget_thresholds(w->net, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_network_calibrating(w->net, true);
    status = predict_all(w, err);
    gdrq_network_calibrating(w->net, false);
    return status;
}

/* From the values that the network has in float. */
static gdrq_status by_counts(work *w, const flags *f, gdrq_error *err) {
    gdrq_status status = gdrq_network_counting(w->net, true, err);
    if (status == GDRQ_OK)
        status = predict_all_unquantised(w, err);
    if (status == GDRQ_OK)
        status =
            gdrq_network_set_thresholds(w->net, calibrations[f->method], f->percentile / 100, err);
    gdrq_network_counting(w->net, false, NULL);
    return status;
}

/* Channels' reach is that of the network in float, which stays what it is. */
static gdrq_status equalise(work *w, gdrq_error *err) {
    int tensors = 0;
    gdrq_status status = gdrq_network_equalising(w->net, true, err);
    if (status == GDRQ_OK)
        status = predict_all_unquantised(w, err);
    if (status == GDRQ_OK)
        status = gdrq_network_equalise(w->net, &tensors, err);
    if (status == GDRQ_OK && tensors == 0)
        status = gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                           "-equalize: no depthwise layer (groups= as many as channels, a "
                           "quant_group per filter) is the only reader of a convolution that is "
                           "linear, relu or leaky; leave it out");
    gdrq_network_equalising(w->net, false, NULL);
    return status;
}

static gdrq_status move_statistics(work *w, gdrq_measuring how, gdrq_error *err) {
    gdrq_status status = gdrq_network_measuring(w->net, how, err);
    if (status == GDRQ_OK)
        status = predict_all(w, err);
    gdrq_network_measuring(w->net, GDRQ_MEASURE_NOTHING, NULL);
    return status;
}

static gdrq_status set_thresholds(work *w, const flags *f, gdrq_error *err) {
    if (f->method == KEEP)
        return GDRQ_OK;
    return f->method == BY_MEAN ? by_mean(w, err) : by_counts(w, f, err);
}

static gdrq_status calibrate_on(work *w, const flags *f, gdrq_error *err) {
    gdrq_status status = f->equalise ? equalise(w, err) : GDRQ_OK;
    if (status == GDRQ_OK)
        status = set_thresholds(w, f, err);
    if (status == GDRQ_OK)
        status = gdrq_network_ready(w->net, err);
    if (status == GDRQ_OK && f->statistics != LEAVE)
        status = move_statistics(w, f->statistics == SHIFT ? GDRQ_MEASURE_SHIFT : GDRQ_MEASURE_ANEW,
                                 err);
    return status;
}

static void suggest_measuring(const network *net, const char *cfg_path, const char *weights_path) {
    const char *words[] = {"DATA", cfg_path, weights_path};
    suggest("measure", task_measuring(task_of(net)), words, 3);
}

/* Batch norm's statistics can be measured anew in any network that is not folded. */
static gdrq_status check_network(const network *net, const char *cfg_path, const flags *f,
                                 gdrq_error *err) {
    const bool has_statistics = gdrq_network_has_statistics(net);
    const gdrq_status status = quantised_network_check(net, cfg_path, "calibrate", err);
    if (f->statistics == MEASURE && has_statistics && !gdrq_network_is_folded(net)) {
        if (status == GDRQ_OK || f->method == BY_BITS || f->method == KEEP)
            return GDRQ_OK;
        return gdrq_fail(
            err, GDRQ_ERROR_ARGUMENT,
            "-method %s: no layer of %s is quantised and has a threshold to set; leave "
            "it out",
            f->method_name, cfg_path);
    }
    if (status == GDRQ_OK && (f->statistics == SHIFT || f->statistics == MEASURE) &&
        !has_statistics)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "%s: no layer has batch norm whose statistics could be shifted or "
                         "measured; leave out -batch_norm and -method keep",
                         cfg_path);
    return status;
}

/* Those of weights that have thresholds are a quantised network's already, trained or shifted. */
static statistics choose_statistics(const network *net, const gdrq_load_report *weights) {
    return gdrq_network_has_statistics(net) && !weights->was_quantised ? SHIFT : LEAVE;
}

static void tell(const network *net, const arg_operands *operands, int pictures, const flags *f) {
    printf("Wrote %s, calibrated on %d picture%s\n", operands->at[3], pictures,
           pictures == 1 ? "" : "s");
    if (f->statistics == LEAVE && strcmp(f->statistics_name, "keep") != 0 &&
        gdrq_network_has_statistics(net))
        report_note(NULL, "batch norm's statistics stay, since the weights had thresholds: they "
                          "were quantised before; -batch_norm shift moves them all the same");
    suggest_measuring(net, operands->at[0], operands->at[3]);
}

static gdrq_status run(const arg_operands *operands, flags *f, gdrq_error *err) {
    network *net = NULL;
    gdrq_load_report weights;
    picture_paths paths = {0};
    gdrq_status status = gdrq_network_parse(operands->at[0], report_note, NULL, &net, err);
    if (status == GDRQ_OK)
        status = check_network(net, operands->at[0], f, err);
    if (status == GDRQ_OK)
        status = gdrq_network_load(net, operands->at[1], false, &weights, err);
    if (status == GDRQ_OK && f->statistics == BY_WEIGHTS)
        f->statistics = choose_statistics(net, &weights);
    if (status == GDRQ_OK)
        status = picture_paths_find(operands->at[2], &paths, err);
    if (status == GDRQ_OK)
        status = folder_check_output(operands->at[3], operands->at, 3, err);
    if (status == GDRQ_OK)
        status =
            output_check(&operands->at[3], 1,
                         &(run_inputs){.files = (const char *const *)paths.at, .n = paths.n}, err);
    if (status == GDRQ_OK) {
        work w = {net, &paths, work_progress_start("calibrating", count_passes(f) * paths.n)};
        status = calibrate_on(&w, f, err);
        work_progress_end(&w.progress);
    }
    if (status == GDRQ_OK)
        status = gdrq_network_save(net, operands->at[3], err);
    if (status == GDRQ_OK)
        tell(net, operands, paths.n, f);
    picture_paths_free(&paths);
    if (net)
        free_network(net);
    return status;
}

/* The place of a name, which is among them. */
static int place_of(const char *name, const char *const *names) {
    int i = 0;
    while (strcmp(name, names[i]) != 0)
        i++;
    return i;
}

static void find_names(flags *f) {
    f->method = (method)place_of(f->method_name, method_names);
    f->statistics = (statistics)place_of(f->statistics_name, statistics_names);
    if (f->method == KEEP && f->statistics == BY_WEIGHTS)
        f->statistics = MEASURE;
}

static const float usual_percentile = 99.995f;

static gdrq_status check_flags(flags *f, gdrq_error *err) {
    find_names(f);
    if (f->method == KEEP && f->equalise)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "-method keep: -equalize changes what the thresholds are for; leave one "
                         "of them out");
    if (f->method == KEEP && f->statistics == LEAVE)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "-method keep with -batch_norm keep changes nothing; leave one of them "
                         "out");
    if (f->percentile != usual_percentile && f->method != BY_PERCENTILE && f->method != BY_BITS)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT,
                         "-percentile: -method %s doesn't clip by it; leave one of them out",
                         f->method_name);
    return GDRQ_OK;
}

int cmd_gdrq_calibrate(int argc, char **argv) {
    flags f = {.method_name = "auto", .statistics_name = "auto", .percentile = usual_percentile};
    const arg_flag declared[] = {
        {.name = "method",
         .value_name = "NAME",
         .text = &f.method_name,
         .choices = method_names,
         .help = "how: percentile, search, mean, keep, or auto: percentile for 8 bits, search for "
                 "fewer"},
        {.name = "percentile",
         .value_name = "P",
         .real = &f.percentile,
         .min = 50,
         .max = 100,
         .help = "how many of 100 values, by their channels' weights, are not clipped"},
        {.name = "equalize",
         .on = &f.equalise,
         .help = "before all, give the channels that depthwise layers read the same reach"},
        {.name = "batch_norm",
         .value_name = "NAME",
         .text = &f.statistics_name,
         .choices = statistics_names,
         .help = "batch norm's statistics: shift, measure, keep, or auto: shift those of float "
                 "weights"},
    };
    const arg_spec spec = {
        .command = "gdrq calibrate",
        .operands = "CFG WEIGHTS IMAGES OUT.weights",
        .help =
            "Sets the activation thresholds of a network with gdrq layers from the pictures "
            "IMAGES (one, a\nfolder of them, or a file that lists them), and moves batch norm's "
            "statistics back by what\nquantising shifts them: what stock weights need to run "
            "without training.\n\n"
            "-method      percentile: few values are clipped; search: clipping and rounding lose "
            "least;\n             mean: as in training; keep: a trained network's own thresholds "
            "stay, and only\n             batch norm's statistics are measured\n"
            "-batch_norm  shift: by the difference between the network in float and quantised; "
            "measure: anew,\n             which takes many pictures, like those of the training; "
            "keep: they stay",
        .flags = declared,
        .n_flags = sizeof declared / sizeof *declared};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    if (check_flags(&f, &err) != GDRQ_OK)
        return report_usage(spec.command, &err);
    return run(&operands, &f, &err) == GDRQ_OK ? 0 : report_error(&err);
}
