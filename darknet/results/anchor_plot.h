/* Anchors among the sizes of boxes that they were made from, as a picture. */
#ifndef RESULTS_ANCHOR_PLOT_H
#define RESULTS_ANCHOR_PLOT_H

#include "eval/anchors.h"

/*
 * Writes a picture (.png or .jpg) with a dot per size, in the colour of its nearest anchor, and the
 * anchors with their numbers. Of very many sizes a part is drawn.
 */
gdrq_status anchor_plot_save(const box_size *sizes, size_t n, const box_size *anchors, int k,
                             const char *path, gdrq_error *err);

#endif
