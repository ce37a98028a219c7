/* A training's history as a picture: loss and metric over the iterations. */
#ifndef DARKNET_TRAIN_CHART_H
#define DARKNET_TRAIN_CHART_H

#include "image/picture.h"
#include "train/history.h"

typedef struct chart_options {
    const char *title;     /* ASCII, e.g. the cfg's name; cut where there is no room */
    size_t last_iteration; /* of the whole training, max_batches */
    int width, height;     /* pixels; 0, 0: 1000 x 700; at least 320 x 240 */
} chart_options;

/*
 * Draws into a new picture: the average loss over the single losses, on a logarithmic axis where
 * they span more than a factor of ten; the metric, if the history has one, on an axis 0..100 %
 * with its best value; where the stage or a step of the learning rate changed. The x axis ends at
 * last_iteration, or sooner while less than a quarter of it is done. Values that are not finite are
 * left out. Any number of rows will do. The caller frees *out.
 */
gdrq_status chart_draw(const history *h, const chart_options *o, picture *out, gdrq_error *err);

/* Draws and writes a .png or .jpg file, complete or not at all. */
gdrq_status chart_save(const history *h, const chart_options *o, const char *path, gdrq_error *err);

#endif
