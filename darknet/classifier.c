#include "classifier.h"

#include "base/status.h"
#include "colour_input.h"
#include "data/class_tree.h"
#include "data_file.h"
#include "report.h"
#include "stock_path.h"

#include <stdlib.h>

static bool finds_boxes(LAYER_TYPE type) {
    return type == YOLO || type == REGION || type == DETECTION;
}

/* Upstream takes the output of the last layer before any [cost] for the classes' scores. */
static gdrq_status check_layers(const network *net, const char *cfg_path, gdrq_error *err) {
    const layer *last = &net->layers[net->n - 1];
    if (last->type != SOFTMAX && last->type != LOGXENT && last->type != COST)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: not a classifier: its last section must be [softmax], [logistic] or "
                         "[cost]%s",
                         cfg_path, finds_boxes(last->type) ? "; see: darknet detector" : "");
    const layer output = get_network_output_layer((network *)net);
    if (output.type == SOFTMAX && !output.softmax_tree && output.groups > 1)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: [softmax] groups=%d; an image has one class, so it must be 1",
                         cfg_path, output.groups);
    if (net->outputs < 2 || net->truths != net->outputs)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: not a classifier: it has %d outputs and %d truths; there must be two "
                         "classes or more",
                         cfg_path, net->outputs, net->truths);
    return GDRQ_OK;
}

static gdrq_status check_classes(const classifier *c, const char *cfg_path, gdrq_error *err) {
    int classes = c->classes;
    const gdrq_status status = data_cfg_find_int(&c->data, "classes", 1, 1 << 20, &classes, err);
    if (status != GDRQ_OK || classes == c->classes)
        return status;
    return gdrq_fail(err, GDRQ_ERROR_FORMAT, "%s has classes=%d, but %s has %d outputs",
                     c->data.path, classes, cfg_path, c->classes);
}

/* The loss needs the tree in the network; upstream wants it in the .data file for the truth. */
static gdrq_status check_tree(const classifier *c, const char *cfg_path, gdrq_error *err) {
    const char *path = data_cfg_find(&c->data, "tree"), *leaves = data_cfg_find(&c->data, "leaves");
    tree *hierarchy = c->net->hierarchy;
    if ((path || leaves) && !hierarchy)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s has %s=%.300s, but the network has no tree: add tree=... to the "
                         "[softmax] of %s",
                         c->data.path, path ? "tree" : "leaves", path ? path : leaves, cfg_path);
    const gdrq_status status = path ? class_tree_check(hierarchy, path, err) : GDRQ_OK;
    return status == GDRQ_OK && leaves ? class_tree_set_leaves(hierarchy, leaves, err) : status;
}

static gdrq_status check(classifier *c, const char *cfg_path, gdrq_error *err) {
    gdrq_status status = check_layers(c->net, cfg_path, err);
    if (status == GDRQ_OK)
        status = colour_input_check(c->net, cfg_path, err);
    if (status != GDRQ_OK)
        return status;
    c->classes = c->net->outputs;
    status = check_classes(c, cfg_path, err);
    return status == GDRQ_OK ? check_tree(c, cfg_path, err) : status;
}

gdrq_status classifier_open(const char *data_path, const char *cfg_path, classifier *c,
                            gdrq_error *err) {
    *c = (classifier){0};
    gdrq_status status = data_file_read(data_path, &c->data, err);
    if (status == GDRQ_OK)
        status = gdrq_network_parse(cfg_path, report_note, NULL, &c->net, err);
    if (status == GDRQ_OK)
        status = check(c, cfg_path, err);
    if (status != GDRQ_OK)
        classifier_close(c);
    return status;
}

gdrq_status classifier_of(const char *data_path, const char *cfg_path, network *net, classifier *c,
                          gdrq_error *err) {
    *c = (classifier){.net = net};
    gdrq_status status = data_file_read(data_path, &c->data, err);
    if (status == GDRQ_OK)
        status = check(c, cfg_path, err);
    if (status != GDRQ_OK)
        classifier_leave(c);
    return status;
}

gdrq_status classifier_open_trained(const char *data_path, const char *cfg_path,
                                    const char *weights_path, classifier *c, gdrq_error *err) {
    gdrq_status status = classifier_open(data_path, cfg_path, c, err);
    if (status != GDRQ_OK)
        return status;
    status = gdrq_network_load(c->net, weights_path, false, NULL, err);
    if (status == GDRQ_OK)
        status = gdrq_network_ready(c->net, err);
    if (status != GDRQ_OK)
        classifier_close(c);
    return status;
}

gdrq_status classifier_labels(const classifier *c, class_labels *labels, gdrq_error *err) {
    const char *path;
    *labels = (class_labels){0};
    const gdrq_status status = data_cfg_require(&c->data, "labels", &path, err);
    return status == GDRQ_OK ? class_labels_read(path, c->classes, labels, err) : status;
}

gdrq_status classifier_names(const classifier *c, class_names *names, gdrq_error *err) {
    const char *path = data_cfg_find(&c->data, "names");
    *names = (class_names){0};
    if (!path)
        path = data_cfg_find(&c->data, "labels");
    if (!path)
        return gdrq_fail(err, GDRQ_ERROR_FORMAT,
                         "%s: neither 'names' nor 'labels' is there: add a line 'names = ...'",
                         c->data.path);
    char *found = stock_path(path);
    if (!found)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", path);
    const gdrq_status status = class_names_read(found, c->classes, names, err);
    free(found);
    return status;
}

gdrq_status classifier_images(const classifier *c, const char *key, classified_images *images,
                              gdrq_error *err) {
    const char *path;
    class_labels labels = {0};
    *images = (classified_images){0};
    gdrq_status status = data_cfg_require(&c->data, key, &path, err);
    if (status == GDRQ_OK)
        status = classifier_labels(c, &labels, err);
    if (status == GDRQ_OK)
        status = classified_images_read(path, &labels, images, err);
    class_labels_free(&labels);
    return status;
}

gdrq_status classifier_top(const classifier *c, int wanted, int *k, gdrq_error *err) {
    *k = wanted ? wanted : 1;
    if (!wanted)
        return data_cfg_find_int(&c->data, "top", 1, c->classes, k, err);
    if (wanted <= c->classes)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "-t: %d of %d classes can't be the likeliest ones",
                     wanted, c->classes);
}

void classifier_leave(classifier *c) {
    data_cfg_free(&c->data);
    *c = (classifier){0};
}

void classifier_close(classifier *c) {
    if (c->net)
        free_network(c->net);
    classifier_leave(c);
}
