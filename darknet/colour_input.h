/* Pictures are read in colour; networks must take them so. */
#ifndef DARKNET_COLOUR_INPUT_H
#define DARKNET_COLOUR_INPUT_H

#include "darknet.h"
#include "gdrq.h"

gdrq_status colour_input_check(const network *net, const char *cfg_path, gdrq_error *err);

#endif
