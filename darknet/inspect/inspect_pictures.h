/* The pictures of an inspection. */
#ifndef INSPECT_INSPECT_PICTURES_H
#define INSPECT_INSPECT_PICTURES_H

#include "inspect/inspection.h"

/*
 * Writes layer_NNN.png for each quantised layer, and overview.png, into the folder, which is there;
 * each complete or not at all.
 */
gdrq_status inspect_pictures_save(const inspection *in, const char *folder, gdrq_error *err);

#endif
