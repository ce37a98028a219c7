/* Batch norm's statistics over everything that a network predicts (gdrq_network_measuring()). */
#ifndef GDRQ_HOST_STATISTICS_H
#define GDRQ_HOST_STATISTICS_H

#include "darknet.h"
#include "gdrq.h"

typedef struct gdrq_statistics gdrq_statistics;

/* Starts anew, with ANEW or, on the CPU, SHIFT; `net` must outlive it. Free with
 * gdrq_statistics_free(). */
gdrq_status gdrq_statistics_new(const network *net, gdrq_measuring how,
                                gdrq_statistics **statistics, gdrq_error *err);

/* Whether any layer of the network has statistics that can be measured. */
bool gdrq_statistics_any(const network *net);

/*
 * As network_predict(). Behind every layer with batch norm its rolling statistics become those of
 * all images so far, this forward's included; or with SHIFT, which predicts twice, they move by how
 * far these are from those of the unquantised network. The layer's output is what they make of it.
 * So what a layer measures already has the layers before it put right: measured all at once
 * instead, each layer would correct what the others correct, too.
 */
float *gdrq_statistics_predict(gdrq_statistics *statistics, float *input);

void gdrq_statistics_free(gdrq_statistics *statistics);

#endif
