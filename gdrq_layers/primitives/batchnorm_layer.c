#include "primitives/batchnorm_layer.h"

#include "primitives/blas.h"
#include "primitives/convolutional_parts.h"

/* The layer as the batch norm of a linear convolution with these sums. */
static layer as_convolution(const layer *l, float *sums) {
    layer view = *l;
    view.n = l->out_c;
    view.batch_normalize = 1;
    view.activation = LINEAR;
    view.x = sums;
    return view;
}

void gdrq_forward_batchnorm_layer(layer l, network net) {
    const bool is_part = l.type != BATCHNORM;
    if (is_part)
        gdrq_copy_cpu(l.batch * l.outputs, l.output, 1, l.x, 1);
    const layer view = as_convolution(&l, is_part ? l.x : net.input);
    gdrq_normalise_sums(&view, NULL, view.x, net.train, l.mean_delta, l.variance_delta);
}

void gdrq_backward_batchnorm_layer(layer l, network net) {
    const bool is_part = l.type != BATCHNORM;
    layer view = as_convolution(&l, is_part ? l.x : net.input);
    if (is_part && net.train)
        view = gdrq_with_own_statistics(&view);
    gdrq_backward_to_sums(&view, NULL, net.train);
    if (!is_part && net.delta)
        gdrq_add_scaled(1, l.delta, (size_t)l.batch * (size_t)l.outputs, net.delta);
}
