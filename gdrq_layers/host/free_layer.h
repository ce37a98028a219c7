/* Freeing layers with all that hangs on them. */
#ifndef GDRQ_HOST_FREE_LAYER_H
#define GDRQ_HOST_FREE_LAYER_H

#include "darknet.h"

/*
 * What the hook for the host's free_layer() does: frees what `host_free` (the host's own) forgets,
 * the layers inside of recurrent ones among it, and then calls that.
 */
void gdrq_free_layer(const layer *l, void (*host_free)(layer));

#endif
