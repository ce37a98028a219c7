/* Memory that predicting pictures keeps from one to the next. */
#ifndef GDRQ_HOST_FRAME_H
#define GDRQ_HOST_FRAME_H

#include "infer/letterbox.h"

/* Zeroed: none yet. */
typedef struct gdrq_frame {
    gdrq_columns columns;
    uint8_t *codes; /* of a network that reads floats; else NULL */
    size_t room;    /* bytes */
} gdrq_frame;

void gdrq_frame_free(gdrq_frame *frame);

#endif
