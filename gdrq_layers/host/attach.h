/* From a cfg file to a parsed network with our layer functions in it. */
#ifndef GDRQ_HOST_ATTACH_H
#define GDRQ_HOST_ATTACH_H

#include "darknet.h"
#include "gdrq.h"

/* What the hook for the host's parse_network_cfg does; as gdrq_network_parse(). */
gdrq_status gdrq_attach_parse(const char *cfg_path, gdrq_note *note, void *user, network **net,
                              gdrq_error *err);

/* Frees net with all that hangs on it, also what the host's free_network() forgets. */
void gdrq_attach_free(network *net);

#endif
