/* Names of a training's stages, as progress, history and chart show them. */
#ifndef DARKNET_TRAIN_STAGE_H
#define DARKNET_TRAIN_STAGE_H

#include "gdrq.h"

/* "float", "reshape" or "quantise". */
const char *stage_name(gdrq_stage stage);

/* Finds the stage of that name; false if there is none. */
bool stage_find(const char *name, gdrq_stage *stage);

#endif
