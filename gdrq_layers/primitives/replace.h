/* Puts our implementations of the host's layer functions into a layer of a parsed network. */
#ifndef GDRQ_PRIMITIVES_REPLACE_H
#define GDRQ_PRIMITIVES_REPLACE_H

#include "darknet.h"

/*
 * Replaces forward/backward of a stock layer where we have a better one (faster, or without one of
 * the host's bugs); other layers stay as they are.
 */
void gdrq_replace_layer_functions(layer *l);

#endif
