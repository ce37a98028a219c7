/* Checks that need all layers: what they expect of each other and of the network. */
#ifndef GDRQ_HOST_NETWORK_CHECK_H
#define GDRQ_HOST_NETWORK_CHECK_H

#include "host/section_check.h"
#include "host/shape.h"

/*
 * The output layer, the workspace, the truth, and the detection heads. facts has one element per
 * layer.
 */
gdrq_status gdrq_network_check(const gdrq_outline *outline, const gdrq_layer_facts *facts,
                               gdrq_error *err);

/*
 * Networks that can run but whose training the host would crash on: sets untrainable, and notes it.
 * Of others it notes what has an effect on a GPU only. Fails only for want of memory.
 */
gdrq_status gdrq_network_check_training(gdrq_outline *outline, const gdrq_layer_facts *facts,
                                        gdrq_notes *notes, gdrq_error *err);

#endif
