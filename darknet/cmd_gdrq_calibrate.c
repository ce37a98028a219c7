#include "args.h"
#include "base/status.h"
#include "commands.h"
#include "data/folder.h"
#include "detect.h"
#include "image/picture_paths.h"
#include "report.h"
#include "suggest.h"

#include <stdio.h>

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

static gdrq_status calibrate_on(network *net, const picture_paths *paths, bool batch_norm,
                                gdrq_error *err) {
    gdrq_status status = batch_norm ? gdrq_network_measuring(net, true, err) : GDRQ_OK;
    gdrq_network_calibrating(net, true);
    if (status == GDRQ_OK)
        status = predict_all(net, paths, err);
    gdrq_network_calibrating(net, false);
    gdrq_network_measuring(net, false, NULL);
    return status == GDRQ_OK ? gdrq_network_ready(net, err) : status;
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

static gdrq_status run(const arg_operands *operands, bool batch_norm, gdrq_error *err) {
    network *net = NULL;
    picture_paths paths = {0};
    gdrq_status status = gdrq_network_parse(operands->at[0], report_note, NULL, &net, err);
    if (status == GDRQ_OK)
        status = check_network(net, operands->at[0], batch_norm, err);
    if (status == GDRQ_OK)
        status = gdrq_network_load(net, operands->at[1], false, NULL, err);
    if (status == GDRQ_OK)
        status = picture_paths_find(operands->at[2], &paths, err);
    if (status == GDRQ_OK)
        status = folder_check_file(operands->at[3], err);
    if (status == GDRQ_OK)
        status = calibrate_on(net, &paths, batch_norm, err);
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

int cmd_gdrq_calibrate(int argc, char **argv) {
    bool batch_norm = false;
    const arg_flag flags[] = {
        {.name = "batch_norm",
         .on = &batch_norm,
         .help = "measure batch norm's statistics anew from the pictures, too"},
    };
    const arg_spec spec = {
        .command = "gdrq calibrate",
        .operands = "CFG WEIGHTS IMAGES OUT.weights",
        .help = "Sets the activation thresholds of a network with gdrq layers from the pictures "
                "IMAGES (one, a\nfolder of them, or a file that lists them): what stock weights "
                "need to run without training.",
        .flags = flags,
        .n_flags = sizeof flags / sizeof *flags};
    arg_operands operands;
    const int done = args_parse(&spec, argc, argv, &operands);
    if (done >= 0)
        return done;
    gdrq_error err;
    return run(&operands, batch_norm, &err) == GDRQ_OK ? 0 : report_error(&err);
}
