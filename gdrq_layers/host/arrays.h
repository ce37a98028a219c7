/* gdrq_network_arrays(), for those who need to know whose the arrays are. */
#ifndef GDRQ_HOST_ARRAYS_H
#define GDRQ_HOST_ARRAYS_H

#include "darknet.h"
#include "gdrq.h"

/* Calls visit for each array of the layers; those of learned thresholds are not among them. */
typedef void gdrq_visit_owned(void *user, const layer *owner, float *data, size_t n);
void gdrq_visit_owned_arrays(const network *net, gdrq_arrays which, gdrq_visit_owned *visit,
                             void *user);

/* The host's copies of all that a training changes as they are on the GPU, where those are that
   count, and the other way round; nothing for a network that is not on one. */
gdrq_status gdrq_arrays_pull(const network *net, gdrq_error *err);
gdrq_status gdrq_arrays_push(const network *net, gdrq_error *err);

#endif
