/* One function per type of layer behind gdrq_layer_shape(), and what they share. */
#ifndef GDRQ_HOST_SHAPE_KINDS_H
#define GDRQ_HOST_SHAPE_KINDS_H

#include "host/shape.h"

/* The host counts elements in ints. */
#define GDRQ_MAX_ELEMENTS INT32_MAX

typedef gdrq_status gdrq_shape_fn(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                  gdrq_layer_facts *facts, gdrq_error *err);

gdrq_shape_fn gdrq_shape_convolutional, gdrq_shape_deconvolutional, gdrq_shape_local;
gdrq_shape_fn gdrq_shape_connected, gdrq_shape_recurrent, gdrq_shape_crnn;
gdrq_shape_fn gdrq_shape_maxpool, gdrq_shape_avgpool, gdrq_shape_crop, gdrq_shape_reorg;
gdrq_shape_fn gdrq_shape_upsample, gdrq_shape_normalization, gdrq_shape_batchnorm;
gdrq_shape_fn gdrq_shape_dropout, gdrq_shape_valuewise;
gdrq_shape_fn gdrq_shape_route, gdrq_shape_shortcut;
gdrq_shape_fn gdrq_shape_softmax, gdrq_shape_cost, gdrq_shape_logistic;
gdrq_shape_fn gdrq_shape_yolo, gdrq_shape_region, gdrq_shape_detection, gdrq_shape_iseg;
gdrq_shape_fn gdrq_shape_segmentation;

/* a * b for a, b >= 0; INT64_MAX instead of an overflow. */
int64_t gdrq_times(int64_t a, int64_t b);

/* Fails when the layer before gives values without width, height and channels. */
gdrq_status gdrq_shape_needs_image(const gdrq_layer_input *in, gdrq_error *err);

/* Fails when there are more of `what` than the host can count. */
gdrq_status gdrq_shape_check_count(const gdrq_layer_input *in, const char *what, int64_t count,
                                   gdrq_error *err);

/* The layer's input is the image before it. */
void gdrq_shape_set_input(const gdrq_layer_input *in, gdrq_outline_layer *layer);

/* The layer's output is a w x h x c image; fails when it is empty or too large. */
gdrq_status gdrq_shape_set_output(const gdrq_layer_input *in, gdrq_outline_layer *layer, int64_t w,
                                  int64_t h, int64_t c, gdrq_error *err);

/* The layer reads the one before it. */
gdrq_status gdrq_shape_reads_previous(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                      gdrq_error *err);

#endif
