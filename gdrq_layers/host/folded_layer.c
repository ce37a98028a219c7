#include "host/folded_layer.h"

#include "base/fatal.h"
#include "base/status.h"

void gdrq_refuse_training(void) {
    gdrq_error err;
    gdrq_fail(&err, GDRQ_ERROR_STATE,
              "a folded network can't be trained: train the one that it was made of");
    gdrq_fatal(&err);
}

static void forward_nothing(layer l, network net) {
    (void)l, (void)net;
    gdrq_refuse_training();
}

static void update_nothing(layer l, update_args a) {
    (void)l, (void)a;
    gdrq_refuse_training();
}

bool gdrq_is_folded_layer(const layer *l) {
    return l->update == update_nothing;
}

static layer bare_layer(LAYER_TYPE type, int batch, ACTIVATION activation) {
    return (layer){.type = type,
                   .batch = batch,
                   .activation = activation,
                   .forward = forward_nothing,
                   .backward = forward_nothing,
                   .update = update_nothing};
}

/* The host's parser has checked nothing, but our outline has: sizes are positive and small. */
layer gdrq_make_folded_convolutional_layer(int batch, int h, int w, int c, int n, int groups,
                                           int size, int stride, int padding,
                                           ACTIVATION activation) {
    layer l = bare_layer(CONVOLUTIONAL, batch, activation);
    l.w = w;
    l.h = h;
    l.c = c;
    l.n = n;
    l.groups = groups;
    l.size = size;
    l.stride = stride;
    l.pad = padding;
    l.nweights = c / groups * n * size * size;
    l.nbiases = n;
    l.out_w = (w + 2 * padding - size) / stride + 1;
    l.out_h = (h + 2 * padding - size) / stride + 1;
    l.out_c = n;
    l.inputs = w * h * c;
    l.outputs = l.out_w * l.out_h * l.out_c;
    return l;
}

layer gdrq_make_folded_connected_layer(int batch, int inputs, int outputs, ACTIVATION activation) {
    layer l = bare_layer(CONNECTED, batch, activation);
    l.w = l.h = l.out_w = l.out_h = 1;
    l.inputs = l.c = inputs;
    l.outputs = l.out_c = outputs;
    return l;
}
