/* net->workspace, which all layers of a network share: where the network computes, CPU or GPU. */
#ifndef GDRQ_HOST_SCRATCH_BUFFER_H
#define GDRQ_HOST_SCRATCH_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "darknet.h"
#include "gdrq.h"

/* Whether the network computes on a GPU. */
bool gdrq_is_on_gpu(const network *net);

/* GDRQ_ERROR_STATE, "WHAT on the CPU only: ...", of a network that computes on a GPU. */
gdrq_status gdrq_check_on_cpu(const network *net, const char *what, gdrq_error *err);

/* A zeroed buffer; NULL on failure, of which the message says that `layer` needs it. */
gdrq_status gdrq_scratch_buffer_new(const network *net, int layer, size_t bytes, float **buffer,
                                    gdrq_error *err);
void gdrq_scratch_buffer_free(const network *net, float *buffer);

#endif
