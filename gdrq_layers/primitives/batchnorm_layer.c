#include "primitives/batchnorm_layer.h"

#include "primitives/blas.h"
#include "primitives/convolutional_parts.h"

/* The layer as the batch norm of a linear convolution whose sums are the input. */
static layer as_convolution(const layer *l, const network *net) {
    layer view = *l;
    view.n = l->out_c;
    view.batch_normalize = 1;
    view.activation = LINEAR;
    view.x = net->input;
    return view;
}

void gdrq_forward_batchnorm_layer(layer l, network net) {
    const layer view = as_convolution(&l, &net);
    gdrq_normalise_sums(&view, NULL, net.input, net.train, l.mean_delta, l.variance_delta);
}

void gdrq_backward_batchnorm_layer(layer l, network net) {
    const layer view = as_convolution(&l, &net);
    gdrq_backward_to_sums(&view, NULL, net.train);
    if (net.delta)
        gdrq_add_scaled(1, l.delta, (size_t)l.batch * (size_t)l.outputs, net.delta);
}
