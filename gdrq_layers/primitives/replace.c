#include "primitives/replace.h"

#include <stdlib.h>

#include "primitives/activation_layer.h"
#include "primitives/avgpool_layer.h"
#include "primitives/batchnorm_layer.h"
#include "primitives/connected_layer.h"
#include "primitives/convolutional_layer.h"
#include "primitives/crnn_layer.h"
#include "primitives/dropout_layer.h"
#include "primitives/iseg_layer.h"
#include "primitives/maxpool_layer.h"
#include "primitives/region_layer.h"
#include "primitives/reorg_layer.h"
#include "primitives/replacements.h"
#include "primitives/route_layer.h"
#include "primitives/shortcut_layer.h"
#include "primitives/softmax_layer.h"
#include "primitives/stock.h"
#include "primitives/update.h"
#include "primitives/upsample_layer.h"
#include "primitives/yolo_layer.h"

typedef void layer_function(layer l, network net);
typedef void update_function(layer l, update_args a);

/* clang-format off */
static const struct {
    LAYER_TYPE type;
    gdrq_replacement name;
    layer_function *forward, *backward;
} passes[] = {
    {ACTIVE, GDRQ_REPLACES_ACTIVATION,
     gdrq_forward_activation_layer, gdrq_backward_activation_layer},
    {AVGPOOL, GDRQ_REPLACES_AVGPOOL, gdrq_forward_avgpool_layer, gdrq_backward_avgpool_layer},
    {BATCHNORM, GDRQ_REPLACES_BATCHNORM,
     gdrq_forward_batchnorm_layer, gdrq_backward_batchnorm_layer},
    {CONNECTED, GDRQ_REPLACES_CONNECTED,
     gdrq_forward_connected_layer, gdrq_backward_connected_layer},
    {CONVOLUTIONAL, GDRQ_REPLACES_CONVOLUTIONAL,
     gdrq_forward_convolutional_layer, gdrq_backward_convolutional_layer},
    {CRNN, GDRQ_REPLACES_CRNN, forward_crnn_layer, gdrq_backward_crnn_layer},
    {DROPOUT, GDRQ_REPLACES_DROPOUT, gdrq_forward_dropout_layer, gdrq_backward_dropout_layer},
    {MAXPOOL, GDRQ_REPLACES_MAXPOOL, gdrq_forward_maxpool_layer, gdrq_backward_maxpool_layer},
    {REGION, GDRQ_REPLACES_REGION, gdrq_forward_region_layer, gdrq_backward_region_layer},
    {REORG, GDRQ_REPLACES_REORG, gdrq_forward_reorg_layer, gdrq_backward_reorg_layer},
    {ROUTE, GDRQ_REPLACES_ROUTE, gdrq_forward_route_layer, gdrq_backward_route_layer},
    {SHORTCUT, GDRQ_REPLACES_SHORTCUT, gdrq_forward_shortcut_layer, gdrq_backward_shortcut_layer},
    {SOFTMAX, GDRQ_REPLACES_SOFTMAX, gdrq_forward_softmax_layer, gdrq_backward_softmax_layer},
    {UPSAMPLE, GDRQ_REPLACES_UPSAMPLE, gdrq_forward_upsample_layer, gdrq_backward_upsample_layer},
    {YOLO, GDRQ_REPLACES_YOLO, gdrq_forward_yolo_layer, gdrq_backward_yolo_layer},
};
/* clang-format on */

static const struct {
    LAYER_TYPE type;
    update_function *update;
} updates[] = {
    {CONNECTED, gdrq_update_connected_layer},
    {CONVOLUTIONAL, gdrq_update_convolutional_layer},
    {CRNN, gdrq_update_crnn_layer},
    {DECONVOLUTIONAL, gdrq_update_deconvolutional_layer},
};

static void free_normalised_copy(layer *l) {
    free(l->x_norm);
    l->x_norm = NULL;
}

static void replace_passes(layer *l, layer_function *forward, layer_function *backward) {
    l->backward = backward;
    if (l->type == CONVOLUTIONAL && gdrq_is_binary_convolution(l))
        return;
    l->forward = forward;
    /* Neither the host's column buffer nor its normalised copy of the sums is used by ours. */
    if (l->type == CONVOLUTIONAL)
        l->workspace_size = 0;
    if (l->type == CONVOLUTIONAL || l->type == CONNECTED)
        free_normalised_copy(l);
}

void gdrq_replace_layer_functions(layer *l) {
    /* Not for speed: the host's reads and writes out of bounds. */
    if (l->type == ISEG)
        l->forward = gdrq_forward_iseg_layer;
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        if (passes[i].type == l->type && gdrq_replaces(passes[i].name))
            replace_passes(l, passes[i].forward, passes[i].backward);
    for (size_t i = 0; i < sizeof updates / sizeof *updates; i++)
        if (updates[i].type == l->type && l->update && gdrq_replaces(GDRQ_REPLACES_UPDATE))
            l->update = updates[i].update;
}
