/* What the verbs of `darknet classifier` have in common: the .data file and the network. */
#ifndef DARKNET_CLASSIFIER_H
#define DARKNET_CLASSIFIER_H

#include "darknet.h"
#include "data/class_labels.h"
#include "data/data_cfg.h"
#include "gdrq.h"

typedef struct classifier {
    data_cfg data;
    network *net;
    int classes; /* outputs of the network */
} classifier;

/*
 * Reads both files and checks that the network is a classifier and that they agree on the number of
 * classes and on their tree, if there is one. On failure *c is empty.
 */
gdrq_status classifier_open(const char *data_path, const char *cfg_path, classifier *c,
                            gdrq_error *err);

/*
 * classifier_open() for classifying: the weights must cover the whole network with its activation
 * thresholds.
 */
gdrq_status classifier_open_trained(const char *data_path, const char *cfg_path,
                                    const char *weights_path, classifier *c, gdrq_error *err);

/* The labels= of the .data file; the result lives no longer than c. */
gdrq_status classifier_labels(const classifier *c, class_labels *labels, gdrq_error *err);

/* Its names= or, where it has none, its labels=. */
gdrq_status classifier_names(const classifier *c, class_names *names, gdrq_error *err);

/* The images of a list, whose path is the value of `key`, with their classes. */
gdrq_status classifier_images(const classifier *c, const char *key, classified_images *images,
                              gdrq_error *err);

/* k of top-k: `wanted` if it is not 0, else top= of the .data file, else 1. */
gdrq_status classifier_top(const classifier *c, int wanted, int *k, gdrq_error *err);

void classifier_close(classifier *c);

/* The same as classifier_open() for a network that was read from cfg_path and stays the caller's.
   Ends with classifier_leave(). */
gdrq_status classifier_of(const char *data_path, const char *cfg_path, network *net, classifier *c,
                          gdrq_error *err);
void classifier_leave(classifier *c);

#endif
