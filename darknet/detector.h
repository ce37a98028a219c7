/* What the verbs of `darknet detector` have in common: the .data file, the names, the network. */
#ifndef DARKNET_DETECTOR_H
#define DARKNET_DETECTOR_H

#include "darknet.h"
#include "data/data_cfg.h"
#include "data/names.h"
#include "gdrq.h"

typedef struct detector {
    data_cfg data;
    class_names names; /* empty if the .data file names no file of names */
    network *net;
    int classes;
} detector;

/*
 * Reads both files and checks that the network is a detector and that all agree on the number of
 * classes. On failure *d is empty.
 */
gdrq_status detector_open(const char *data_path, const char *cfg_path, detector *d,
                          gdrq_error *err);

/*
 * detector_open() for detecting: the names must be there, and the weights must cover the whole
 * network with its activation thresholds.
 */
gdrq_status detector_open_trained(const char *data_path, const char *cfg_path,
                                  const char *weights_path, detector *d, gdrq_error *err);

void detector_close(detector *d);

/* The same as detector_open() for a network that was read from cfg_path and stays the caller's.
   Ends with detector_leave(). */
gdrq_status detector_of(const char *data_path, const char *cfg_path, network *net, detector *d,
                        gdrq_error *err);
void detector_leave(detector *d);

#endif
