/* What quantising does to all layers, on one picture. */
#ifndef INSPECT_OVERVIEW_H
#define INSPECT_OVERVIEW_H

#include "inspect/inspection.h"

/* A small histogram per layer, and bars of their losses. Complete or not at all. */
gdrq_status overview_save(const inspection *in, const char *path, gdrq_error *err);

#endif
