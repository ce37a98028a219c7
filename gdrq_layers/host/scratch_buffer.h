/* net->workspace, which all layers of a network share: where the network computes, CPU or GPU. */
#ifndef GDRQ_HOST_SCRATCH_BUFFER_H
#define GDRQ_HOST_SCRATCH_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "darknet.h"
#include "gdrq.h"

/* Whether the network computes on a GPU. */
bool gdrq_is_on_gpu(const network *net);

/* A zeroed buffer; NULL on failure, of which the message says that `layer` needs it. */
gdrq_status gdrq_scratch_buffer_new(const network *net, int layer, size_t bytes, float **buffer,
                                    gdrq_error *err);
void gdrq_scratch_buffer_free(const network *net, float *buffer);

#endif
