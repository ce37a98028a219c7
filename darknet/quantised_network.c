#include "quantised_network.h"

#include "base/status.h"

#include <stdio.h>

gdrq_status quantised_network_check(const network *net, const char *cfg_path, const char *verb,
                                    gdrq_error *err) {
    if (gdrq_network_is_folded(net))
        return gdrq_fail(err, GDRQ_ERROR_STATE, "%s: is folded: %s the network that it was made of",
                         cfg_path, verb);
    if (gdrq_network_stage(net) == GDRQ_STAGE_FLOAT)
        return gdrq_fail(err, GDRQ_ERROR_STATE,
                         "%s: has no quantised layers: make some with `darknet gdrq convert`",
                         cfg_path);
    return GDRQ_OK;
}

const char *quantised_type(const gdrq_quantisation *q) {
    return q->connected ? "gdrq_connected" : "gdrq_convolutional";
}

void quantised_shape(const layer *l, char *shape, size_t size) {
    if (l->type == CONNECTED)
        snprintf(shape, size, "%d to %d", l->inputs, l->outputs);
    else if (l->groups == l->c && l->groups == l->n && l->n > 1)
        snprintf(shape, size, "%dx%d depthwise, %d", l->size, l->size, l->n);
    else if (l->groups > 1)
        snprintf(shape, size, "%dx%d in %d groups, %d to %d", l->size, l->size, l->groups, l->c,
                 l->n);
    else
        snprintf(shape, size, "%dx%d, %d to %d", l->size, l->size, l->c, l->n);
}
