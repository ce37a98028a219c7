/* The numbers of a convolution, and what the kernel that computes it wants of them. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "infer/plan.h"

gdrq_status gdrq_node_weights_make(gdrq_node_weights *weights, int filters, size_t filter_size,
                                   gdrq_error *err) {
    const size_t n = (size_t)filters;
    *weights = (gdrq_node_weights){0};
    if (n <= SIZE_MAX / filter_size)
        weights->codes = gdrq_alloc(n * filter_size, 1);
    weights->sums = gdrq_alloc(n, sizeof *weights->sums);
    float *numbers = gdrq_alloc(n, 2 * sizeof *numbers);
    weights->epilogue.scale = numbers;
    weights->epilogue.bias = numbers ? numbers + n : NULL;
    if (weights->codes && weights->sums && numbers)
        return GDRQ_OK;
    gdrq_node_weights_free(weights);
    return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %d filters of %zu weights", filters,
                     filter_size);
}

const gdrq_conv_kernel *gdrq_node_kernel(const gdrq_node *node) {
    const gdrq_int_conv conv = gdrq_node_conv(node, NULL, 0);
    return gdrq_conv_kernel_for(&conv, &node->limits);
}

gdrq_status gdrq_node_weights_pack(gdrq_node_weights *weights, const gdrq_node *node, int zero,
                                   gdrq_error *err) {
    const gdrq_int_conv conv = gdrq_node_conv(node, weights, zero);
    const gdrq_conv_kernel *kernel = gdrq_node_kernel(node);
    const size_t size = kernel->packed_size(&conv);
    if (size == 0)
        return GDRQ_OK;
    weights->packed = gdrq_alloc_aligned(size);
    if (!weights->packed)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "out of memory for %zu bytes of packed weights",
                         size);
    kernel->pack(&conv, &node->limits, weights->packed);
    free(weights->codes);
    weights->codes = NULL;
    return GDRQ_OK;
}

void gdrq_node_weights_free(gdrq_node_weights *weights) {
    free(weights->packed);
    free(weights->codes);
    free(weights->sums);
    free((float *)weights->epilogue.scale);
    *weights = (gdrq_node_weights){0};
}

gdrq_int_conv gdrq_node_conv(const gdrq_node *node, const gdrq_node_weights *weights, int zero) {
    return (gdrq_int_conv){.in = node->in,
                           .out = node->out,
                           .size = node->size,
                           .stride = node->stride,
                           .pad = node->pad,
                           .groups = node->groups,
                           .zero = zero,
                           .weights = weights ? weights->codes : NULL,
                           .sum = weights ? weights->sums : NULL};
}
