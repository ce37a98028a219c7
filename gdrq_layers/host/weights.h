/*
 * Loading and saving .weights files, layers start..cutoff-1 of a network. The public entries of
 * gdrq.h and the hooks for the host's load_weights/save_weights and their _upto forms come here.
 */
#ifndef GDRQ_HOST_WEIGHTS_H
#define GDRQ_HOST_WEIGHTS_H

#include "darknet.h"
#include "gdrq.h"

/*
 * As gdrq_network_load() for a range of layers. With a cutoff below net->n the file may hold more
 * layers; else bytes beyond the last layer must be our trailer.
 */
gdrq_status gdrq_weights_load(network *net, const char *path, int start, int cutoff,
                              bool allow_backbone, gdrq_load_report *report, gdrq_error *err);

/* As gdrq_network_save() for the first `cutoff` layers; only a whole network gets a trailer. */
gdrq_status gdrq_weights_save(network *net, const char *path, int cutoff, gdrq_error *err);

#endif
