#include "detector.h"

#include "base/status.h"
#include "colour_input.h"
#include "data_file.h"
#include "report.h"
#include "stock_path.h"

#include <stdlib.h>

static gdrq_status check_layers(const network *net, const char *cfg_path, int *classes,
                                gdrq_error *err) {
    const layer *last = &net->layers[net->n - 1];
    if (last->type != YOLO && last->type != REGION)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: not a detector: its last section must be [yolo] or [region]",
                         cfg_path);
    if (last->type == REGION && last->coords != 4)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s: [region] coords=%d; only 4 is supported",
                         cfg_path, last->coords);
    /* The host sizes every detection by the last layer's classes. */
    for (int i = 0; i < net->n; i++)
        if ((net->layers[i].type == YOLO || net->layers[i].type == REGION) &&
            net->layers[i].classes != last->classes)
            return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                             "%s: layer %d has classes=%d, but the last layer has classes=%d",
                             cfg_path, i, net->layers[i].classes, last->classes);
    *classes = last->classes;
    return GDRQ_OK;
}

static gdrq_status read_names(detector *d, const char *path, gdrq_error *err) {
    char *found = stock_path(path);
    if (!found)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    const gdrq_status status = class_names_read(found, d->classes, &d->names, err);
    free(found);
    return status;
}

static gdrq_status check_classes(detector *d, const char *cfg_path, gdrq_error *err) {
    int classes = d->classes;
    gdrq_status status = data_cfg_find_int(&d->data, "classes", 1, 1 << 20, &classes, err);
    if (status != GDRQ_OK)
        return status;
    if (classes != d->classes)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s has classes=%d, but the last layer of %s has classes=%d", d->data.path,
                         classes, cfg_path, d->classes);
    const char *names = data_cfg_find(&d->data, "names");
    if (!names)
        return GDRQ_OK;
    status = read_names(d, names, err);
    if (status == GDRQ_OK && d->names.n != d->classes)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s has %d names, but the last layer of %s has classes=%d", names,
                         d->names.n, cfg_path, d->classes);
    return status;
}

static gdrq_status check(detector *d, const char *cfg_path, gdrq_error *err) {
    gdrq_status status = check_layers(d->net, cfg_path, &d->classes, err);
    if (status == GDRQ_OK)
        status = colour_input_check(d->net, cfg_path, err);
    return status == GDRQ_OK ? check_classes(d, cfg_path, err) : status;
}

gdrq_status detector_open(const char *data_path, const char *cfg_path, detector *d,
                          gdrq_error *err) {
    *d = (detector){0};
    gdrq_status status = data_file_read(data_path, &d->data, err);
    if (status == GDRQ_OK)
        status = gdrq_network_parse(cfg_path, report_note, NULL, &d->net, err);
    if (status == GDRQ_OK)
        status = check(d, cfg_path, err);
    if (status != GDRQ_OK)
        detector_close(d);
    return status;
}

gdrq_status detector_of(const char *data_path, const char *cfg_path, network *net, detector *d,
                        gdrq_error *err) {
    *d = (detector){.net = net};
    gdrq_status status = data_file_read(data_path, &d->data, err);
    if (status == GDRQ_OK)
        status = check(d, cfg_path, err);
    if (status != GDRQ_OK)
        detector_leave(d);
    return status;
}

gdrq_status detector_open_trained(const char *data_path, const char *cfg_path,
                                  const char *weights_path, detector *d, gdrq_error *err) {
    const char *names;
    gdrq_status status = detector_open(data_path, cfg_path, d, err);
    if (status != GDRQ_OK)
        return status;
    status = data_cfg_require(&d->data, "names", &names, err);
    if (status == GDRQ_OK)
        status = gdrq_network_load(d->net, weights_path, false, NULL, err);
    if (status == GDRQ_OK)
        status = gdrq_network_ready(d->net, err);
    if (status != GDRQ_OK)
        detector_close(d);
    return status;
}

void detector_leave(detector *d) {
    data_cfg_free(&d->data);
    class_names_free(&d->names);
    *d = (detector){0};
}

void detector_close(detector *d) {
    if (d->net)
        free_network(d->net);
    detector_leave(d);
}
