#include "primitives/convolutional_parts.h"

#include "primitives/batchnorm.h"

static gdrq_bn_shape output_shape(const layer *l) {
    return (gdrq_bn_shape){.batch = l->batch, .channels = l->n, .spatial = l->out_h * l->out_w};
}

gdrq_conv_shape gdrq_layer_conv_shape(const layer *l) {
    return (gdrq_conv_shape){.batch = l->batch,
                             .c = l->c,
                             .h = l->h,
                             .w = l->w,
                             .n = l->n,
                             .groups = l->groups,
                             .size = l->size,
                             .stride = l->stride,
                             .pad = l->pad};
}

/* This batch's statistics; the rolling ones are rounded as the host rounds them. */
static void update_statistics(const layer *l, const float *factor, const float *sums) {
    const gdrq_bn_shape shape = output_shape(l);
    gdrq_batchnorm_statistics(&shape, sums, factor, l->mean, l->variance);
    for (int i = 0; i < l->n; i++) {
        l->rolling_mean[i] = .99f * l->rolling_mean[i] + .01f * l->mean[i];
        l->rolling_variance[i] = .99f * l->rolling_variance[i] + .01f * l->variance[i];
    }
}

void gdrq_normalise_sums(const layer *l, const float *factor, const float *sums, bool train,
                         float *scale, float *bias) {
    const gdrq_bn_shape shape = output_shape(l);
    if (!l->batch_normalize) {
        gdrq_scale_bias_activate(&shape, sums, factor, l->biases, l->activation, l->output);
        return;
    }
    if (train) {
        float *centre = bias;
        update_statistics(l, factor, sums);
        gdrq_batchnorm_centre(l->n, factor, l->scales, l->mean, l->variance, centre, scale);
        gdrq_centre_scale_activate(&shape, sums, centre, scale, l->biases, l->activation,
                                   l->output);
    } else {
        gdrq_batchnorm_fold(l->n, factor, l->scales, l->biases, l->rolling_mean,
                            l->rolling_variance, scale, bias);
        gdrq_scale_bias_activate(&shape, sums, scale, bias, l->activation, l->output);
    }
}

layer gdrq_with_own_statistics(const layer *l) {
    const gdrq_bn_shape shape = output_shape(l);
    layer own = *l;
    own.mean = l->mean_delta;
    own.variance = l->variance_delta;
    gdrq_batchnorm_statistics(&shape, own.x, NULL, own.mean, own.variance);
    return own;
}

void gdrq_backward_to_sums(const layer *l, const float *factor, bool train) {
    const gdrq_bn_shape shape = output_shape(l);
    if (!l->batch_normalize)
        gdrq_bias_backward(&shape, l->output, l->activation, l->delta, l->bias_updates);
    else if (train)
        gdrq_batchnorm_backward(&shape, l->x, factor, l->mean, l->variance, l->scales, l->output,
                                l->activation, l->delta, l->scale_updates, l->bias_updates);
    else
        gdrq_batchnorm_backward_frozen(&shape, l->x, factor, l->rolling_mean, l->rolling_variance,
                                       l->scales, l->output, l->activation, l->delta,
                                       l->scale_updates, l->bias_updates);
}
