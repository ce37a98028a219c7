#include "args.h"
#include "base/status.h"
#include "commands.h"
#include "data/folder.h"
#include "detect.h"
#include "image/picture_paths.h"
#include "report.h"
#include "suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum method { BY_MEAN, BY_PERCENTILE, BY_SEARCH, METHODS } method;

static const char *const method_names[METHODS] = {"mean", "percentile", "search"};

typedef struct flags {
    const char *method_name;
    method method;
    float percentile; /* 0..100 */
    bool batch_norm;
} flags;

static gdrq_status predict_all(network *net, const picture_paths *paths, gdrq_error *err) {
    gdrq_status status = GDRQ_OK;
    for (int i = 0; i < paths->n && status == GDRQ_OK; i++) {
        picture p;
        status = picture_load(paths->at[i], &p, err);
        if (status == GDRQ_OK)
            status = predict_picture(net, &p, NULL, err);
        picture_free(&p);
    }
    return status;
}

/* By k * mean|x|, each layer reading what the ones before it give once they are quantised. */
static gdrq_status by_mean(network *net, const picture_paths *paths, gdrq_error *err) {
    gdrq_network_calibrating(net, true);
    const gdrq_status status = predict_all(net, paths, err);
    gdrq_network_calibrating(net, false);
    return status;
}

/* From the values that the network has in float. */
static gdrq_status by_counts(network *net, const picture_paths *paths, const flags *f,
                             gdrq_error *err) {
    gdrq_status status = gdrq_network_counting(net, true, err);
    gdrq_network_unquantised(net, true);
    if (status == GDRQ_OK)
        status = predict_all(net, paths, err);
    gdrq_network_unquantised(net, false);
    if (status == GDRQ_OK)
        status = gdrq_network_set_thresholds(
            net, f->method == BY_SEARCH ? GDRQ_CALIBRATE_SEARCH : GDRQ_CALIBRATE_PERCENTILE,
            f->percentile / 100, err);
    gdrq_network_counting(net, false, NULL);
    return status;
}

static gdrq_status shift_batch_norm(network *net, const picture_paths *paths, gdrq_error *err) {
    gdrq_status status = gdrq_network_measuring(net, GDRQ_MEASURE_REFERENCE, err);
    gdrq_network_unquantised(net, true);
    if (status == GDRQ_OK)
        status = predict_all(net, paths, err);
    gdrq_network_unquantised(net, false);
    if (status == GDRQ_OK)
        status = gdrq_network_measuring(net, GDRQ_MEASURE_SHIFT, err);
    if (status == GDRQ_OK)
        status = predict_all(net, paths, err);
    gdrq_network_measuring(net, GDRQ_MEASURE_NOTHING, NULL);
    return status;
}

static gdrq_status measure_batch_norm(network *net, const picture_paths *paths, gdrq_error *err) {
    gdrq_status status = gdrq_network_measuring(net, GDRQ_MEASURE_ANEW, err);
    if (status == GDRQ_OK)
        status = predict_all(net, paths, err);
    gdrq_network_measuring(net, GDRQ_MEASURE_NOTHING, NULL);
    return status;
}

static gdrq_status calibrate_on(network *net, const picture_paths *paths, const flags *f,
                                gdrq_error *err) {
    gdrq_status status =
        f->method == BY_MEAN ? by_mean(net, paths, err) : by_counts(net, paths, f, err);
    if (status == GDRQ_OK)
        status = gdrq_network_ready(net, err);
    if (status == GDRQ_OK && f->batch_norm)
        status = getenv("SHIFT") ? shift_batch_norm(net, paths, err)
                                 : measure_batch_norm(net, paths, err);
    return status;
}

static void suggest_measuring(const network *net, const char *cfg_path, const char *weights_path) {
    const char *words[] = {"DATA", cfg_path, weights_path};
    const LAYER_TYPE last = net->layers[net->n - 1].type;
    suggest("measure", last == YOLO || last == REGION ? "detector map" : "classifier valid", words,
            3);
}

/* What calibrating does nothing for, or can't be done to. */
static gdrq_status check_network(const network *net, const char *cfg_path, bool batch_norm,
                                 gdrq_error *err) {
    if (gdrq_network_is_folded(net))
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "%s: is folded: calibrate the network that it was made of, and fold anew",
                         cfg_path);
    if (!batch_norm && gdrq_network_stage(net) == GDRQ_STAGE_FLOAT)
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "%s: has no quantised layers: make some with `darknet gdrq convert`",
                         cfg_path);
    return GDRQ_OK;
}

static gdrq_status run(const arg_operands *operands, const flags *f, gdrq_error *err) {
    network *net = NULL;
    picture_paths paths = {0};
    gdrq_status status = gdrq_network_parse(operands->at[0], report_note, NULL, &net, err);
    if (status == GDRQ_OK)
        status = check_network(net, operands->at[0], f->batch_norm, err);
    if (status == GDRQ_OK)
        status = gdrq_network_load(net, operands->at[1], false, NULL, err);
    if (status == GDRQ_OK)
        status = picture_paths_find(operands->at[2], &paths, err);
    if (status == GDRQ_OK)
        status = folder_check_file(operands->at[3], err);
    if (status == GDRQ_OK)
        status = calibrate_on(net, &paths, f, err);
    if (status == GDRQ_OK)
        status = gdrq_network_save(net, operands->at[3], err);
    if (status == GDRQ_OK) {
        printf("Wrote %s, calibrated on %d pictures\n", operands->at[3], paths.n);
        suggest_measuring(net, operands->at[0], operands->at[3]);
    }
    picture_paths_free(&paths);
    if (net)
        free_network(net);
    return status;
}

static gdrq_status find_method(flags *f, gdrq_error *err) {
    for (int i = 0; i < METHODS; i++)
        if (!strcmp(f->method_name, method_names[i])) {
            f->method = (method)i;
            return GDRQ_OK;
        }
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-method: %s is none of mean, percentile, search",
                     f->method_name);
}

int cmd_gdrq_calibrate(int argc, char **argv) {
    flags f = {.method_name = "search", .percentile = 99.99f};
    const arg_flag declared[] = {
        {.name = "method",
         .value_name = "NAME",
         .text = &f.method_name,
         .help = "search: what loses least when values are rounded; percentile; mean: "
                 "k_activations times the mean of |x|"},
        {.name = "percentile",
         .value_name = "P",
         .real = &f.percentile,
         .min = 50,
         .max = 100,
         .help = "with -method percentile: how many of 100 values are not clipped"},
        {.name = "batch_norm",
         .on = &f.batch_norm,
         .help = "then measure batch norm's statistics anew from the pictures, too"},
    };
    const arg_spec spec = {
        .command = "gdrq calibrate",
        .operands = "CFG WEIGHTS IMAGES OUT.weights",
        .help = "Sets the activation thresholds of a network with gdrq layers from the pictures "
                "IMAGES (one, a\nfolder of them, or a file that lists them): what stock weights "
                "need to run without training.",
        .flags = declared,
        .n_flags = sizeof declared / sizeof *declared};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    if (find_method(&f, &err) != GDRQ_OK || run(&operands, &f, &err) != GDRQ_OK)
        return report_error(&err);
    return 0;
}
