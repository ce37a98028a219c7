#include "primitives/replace.h"

#include <stdlib.h>

#include "primitives/convolutional_layer.h"
#include "primitives/maxpool_layer.h"
#include "primitives/region_layer.h"
#include "primitives/yolo_layer.h"

static void replace_convolutional(layer *l) {
    l->backward = gdrq_backward_convolutional_layer;
    if (l->binary || l->xnor)
        return;
    l->forward = gdrq_forward_convolutional_layer;
    /* Neither the host's column buffer nor its normalised copy of the sums is used by ours. */
    l->workspace_size = 0;
    free(l->x_norm);
    l->x_norm = NULL;
}

void gdrq_replace_layer_functions(layer *l) {
    switch (l->type) {
    case CONVOLUTIONAL:
        replace_convolutional(l);
        break;
    case MAXPOOL:
        l->forward = gdrq_forward_maxpool_layer;
        l->backward = gdrq_backward_maxpool_layer;
        break;
    case YOLO:
        l->forward = gdrq_forward_yolo_layer;
        l->backward = gdrq_backward_yolo_layer;
        break;
    case REGION:
        l->forward = gdrq_forward_region_layer;
        l->backward = gdrq_backward_region_layer;
        break;
    default:
        break;
    }
}
