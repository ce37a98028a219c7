/*
 * The host's reorg layer, threaded: to the bit its results, with its own idea of which value goes
 * where.
 */
#ifndef GDRQ_PRIMITIVES_REORG_LAYER_H
#define GDRQ_PRIMITIVES_REORG_LAYER_H

#include "darknet.h"

void gdrq_forward_reorg_layer(layer l, network net);

/*
 * Adds to net.delta, which may be NULL. The host overwrites it, and what a shortcut or route had
 * put there is lost; with reverse=1 and extra= it reads and writes out of bounds as well.
 */
void gdrq_backward_reorg_layer(layer l, network net);

#endif
