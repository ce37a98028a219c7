/* What quantising does to one layer, as a picture. */
#ifndef INSPECT_LAYER_SHEET_H
#define INSPECT_LAYER_SHEET_H

#include "inspect/inspection.h"

/*
 * A row of two histograms for each of: the weights before training, if there are such, the weights,
 * and the input activations, if there were pictures. On the left the numbers as they are, on the
 * right as clipped and rounded. Writes a .png or .jpg file, complete or not at all.
 */
gdrq_status layer_sheet_save(const inspection *in, const inspected_layer *l, const char *path,
                             gdrq_error *err);

#endif
