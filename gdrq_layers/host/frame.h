/* Memory that predicting pictures keeps from one to the next. */
#ifndef GDRQ_HOST_FRAME_H
#define GDRQ_HOST_FRAME_H

#include "darknet.h"
#include "infer/letterbox.h"

/* Zeroed: none yet. */
typedef struct gdrq_frame {
    gdrq_columns columns;
    uint8_t *codes;   /* of a network that reads floats; else NULL */
    size_t room;      /* bytes */
    uint8_t *classes; /* of the network's pixels, where it segments; else NULL */
    size_t class_room;
    int *cells; /* the network's column for each of a picture's */
    size_t cell_room;
} gdrq_frame;

void gdrq_frame_free(gdrq_frame *frame);

/* gdrq_network_predict_pixels() of the network's first `layers` layers alone. */
gdrq_status gdrq_frame_predict(network *net, const gdrq_pixels *image, int layers, double *seconds,
                               gdrq_error *err);

#endif
