#include "primitives/iseg_layer.h"

#include <string.h>

#include "primitives/activation.h"
#include "primitives/stock_detection.h"

/* Instances per image that the host's layer has room for. */
enum { MAX_INSTANCES = 90 };

/*
 * An image's truth is MAX_INSTANCES times { class, mask of w*h values }, ended by a negative class.
 * An instance with an empty mask has no effect; ending the list there would lose those behind it.
 */
static void clear_unknown_classes(const layer *l, float *truth) {
    const size_t mask = (size_t)l->w * (size_t)l->h;
    for (int i = 0; i < MAX_INSTANCES; ++i) {
        float *instance = truth + (size_t)i * (mask + 1);
        if (instance[0] < 0)
            return;
        if (!(instance[0] < (float)l->classes))
            memset(instance, 0, (mask + 1) * sizeof *instance);
    }
}

static void infer(const layer *l, const float *input) {
    const size_t outputs = (size_t)l->outputs, maps = (size_t)(l->classes * l->w * l->h);
    memcpy(l->output, input, (size_t)l->batch * outputs * sizeof(float));
    for (int b = 0; b < l->batch; ++b)
        gdrq_activate(l->output + (size_t)b * outputs, maps, LOGISTIC);
    memset(l->delta, 0, (size_t)l->batch * outputs * sizeof(float));
}

void gdrq_forward_iseg_layer(layer l, network net) {
    if (!net.truth) {
        infer(&l, net.input);
        return;
    }
    for (int b = 0; b < l.batch; ++b)
        clear_unknown_classes(&l, net.truth + (size_t)b * (size_t)l.truths);
    forward_iseg_layer(l, net);
}
