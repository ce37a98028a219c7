/* Layers without weights that work on one input: pooling, moving and value by value. */
#include "host/shape_kinds.h"

/* For windows that lie wholly outside the image the host would index with -1. */
bool gdrq_windows_meet_image(int64_t length, int64_t out, int size, int stride, int pad) {
    const int64_t first = -(pad / 2);
    const int64_t last = first + (out - 1) * stride;
    return first + size > 0 && last < length;
}

static bool meets_image(int64_t length, int64_t out, const gdrq_outline_layer *l) {
    return gdrq_windows_meet_image(length, out, l->size, l->stride, l->pad);
}

gdrq_status gdrq_shape_maxpool(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                               gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_shape_set_input(in, layer);
    layer->stride = gdrq_value_int(layer->section, "stride", 1);
    layer->size = gdrq_value_int(layer->section, "size", layer->stride);
    layer->pad = gdrq_value_int(layer->section, "padding", layer->size - 1);
    const int64_t room_w = (int64_t)layer->w + layer->pad - layer->size;
    const int64_t room_h = (int64_t)layer->h + layer->pad - layer->size;
    if (room_w < 0 || room_h < 0)
        return gdrq_fail_section(&in->place, err,
                                 "size=%d is larger than the input of %d x %d with padding=%d",
                                 layer->size, layer->w, layer->h, layer->pad);
    const int64_t out_w = room_w / layer->stride + 1, out_h = room_h / layer->stride + 1;
    if (!meets_image(layer->w, out_w, layer) || !meets_image(layer->h, out_h, layer))
        return gdrq_fail_section(&in->place, err,
                                 "padding=%d puts whole windows of size=%d outside the input of "
                                 "%d x %d; use at most %d",
                                 layer->pad, layer->size, layer->w, layer->h,
                                 2 * (layer->size - 1));
    layer->keeps_values = true;
    facts->writes_gradient = true;
    if ((status = gdrq_shape_set_output(in, layer, out_w, out_h, layer->c, err)) != GDRQ_OK)
        return status;
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_avgpool(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                               gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_shape_set_input(in, layer);
    facts->writes_gradient = true;
    if ((status = gdrq_shape_set_output(in, layer, 1, 1, layer->c, err)) != GDRQ_OK)
        return status;
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_crop(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                            gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_shape_set_input(in, layer);
    const int crop_w = gdrq_value_int(layer->section, "crop_width", 1);
    const int crop_h = gdrq_value_int(layer->section, "crop_height", 1);
    if (crop_w > in->w || crop_h > in->h)
        return gdrq_fail_section(&in->place, err,
                                 "crop_width=%d crop_height=%d is larger than the input of %d x %d",
                                 crop_w, crop_h, in->w, in->h);
    layer->keeps_values = gdrq_value_int(layer->section, "noadjust", 0) != 0;
    facts->has_gradient = false;
    if ((status = gdrq_shape_set_output(in, layer, crop_w, crop_h, layer->c, err)) != GDRQ_OK)
        return status;
    return gdrq_shape_reads_previous(in, layer, err);
}

/* extra zeros behind the values: the host then neither moves nor shapes them. */
static gdrq_status shape_reorg_extra(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                     int extra, gdrq_error *err) {
    if (gdrq_value_int(layer->section, "flatten", 0))
        return gdrq_fail_section(&in->place, err, "flatten=1 and extra=%d exclude each other",
                                 extra);
    const int64_t outputs = (int64_t)layer->inputs + extra;
    const gdrq_status status =
        gdrq_shape_check_count(in, "outputs per batch", gdrq_times(outputs, in->batch), err);
    if (status != GDRQ_OK)
        return status;
    layer->outputs = (int)outputs;
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_reorg(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                             gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_shape_set_input(in, layer);
    layer->stride = gdrq_value_int(layer->section, "stride", 1);
    facts->writes_gradient = true;
    const int extra = gdrq_value_int(layer->section, "extra", 0);
    if (extra)
        return shape_reorg_extra(in, layer, extra, err);
    const int64_t stride = layer->stride, square = stride * stride;
    const bool reverse = gdrq_value_int(layer->section, "reverse", 0) != 0;
    if (layer->c % square || (!reverse && (layer->w % stride || layer->h % stride)))
        return gdrq_fail_section(&in->place, err,
                                 "stride=%d needs channels that are a multiple of %lld and, unless "
                                 "reverse=1, width and height that are multiples of %d; the input "
                                 "is %d x %d x %d",
                                 layer->stride, (long long)square, layer->stride, layer->w,
                                 layer->h, layer->c);
    layer->keeps_values = true;
    if (reverse)
        status = gdrq_shape_set_output(in, layer, layer->w * stride, layer->h * stride,
                                       layer->c / square, err);
    else
        status = gdrq_shape_set_output(in, layer, layer->w / stride, layer->h / stride,
                                       layer->c * square, err);
    return status == GDRQ_OK ? gdrq_shape_reads_previous(in, layer, err) : status;
}

gdrq_status gdrq_shape_upsample(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_shape_set_input(in, layer);
    const int stride = gdrq_value_int(layer->section, "stride", 2);
    layer->stride = stride < 0 ? -stride : stride; /* below 0 it sums squares of pixels */
    if (stride == 0 || (stride < 0 && (layer->w % layer->stride || layer->h % layer->stride)))
        return gdrq_fail_section(&in->place, err,
                                 "stride=%d; allowed: above 0, or below 0 if it divides the input "
                                 "of %d x %d",
                                 stride, layer->w, layer->h);
    layer->keeps_values = stride > 0 && gdrq_value_float(layer->section, "scale", 1) == 1;
    facts->writes_gradient = true;
    if (stride > 0)
        status = gdrq_shape_set_output(in, layer, (int64_t)layer->w * stride,
                                       (int64_t)layer->h * stride, layer->c, err);
    else
        status = gdrq_shape_set_output(in, layer, layer->w / layer->stride,
                                       layer->h / layer->stride, layer->c, err);
    return status == GDRQ_OK ? gdrq_shape_reads_previous(in, layer, err) : status;
}

/* The output has the input's shape. */
static gdrq_status shape_same_image(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                    gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_shape_set_input(in, layer);
    if ((status = gdrq_shape_set_output(in, layer, in->w, in->h, in->c, err)) != GDRQ_OK)
        return status;
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_normalization(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                     gdrq_layer_facts *facts, gdrq_error *err) {
    const int size = gdrq_value_int(layer->section, "size", 5);
    facts->writes_gradient = true;
    /* The first window is summed without looking at the number of channels. */
    if (size / 2 > in->c && in->c > 0)
        return gdrq_fail_section(&in->place, err,
                                 "size=%d; allowed for an input of %d channels: 1 to %lld", size,
                                 in->c, 2 * (long long)in->c + 1);
    return shape_same_image(in, layer, err);
}

gdrq_status gdrq_shape_batchnorm(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                 gdrq_layer_facts *facts, gdrq_error *err) {
    facts->writes_gradient = true;
    return shape_same_image(in, layer, err);
}

gdrq_status gdrq_shape_dropout(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                               gdrq_layer_facts *facts, gdrq_error *err) {
    if (in->index == 0)
        return gdrq_fail_section(&in->place, err,
                                 "can't be the first layer: it works in the output before it");
    layer->inputs = layer->outputs = in->inputs;
    layer->out_w = in->w;
    layer->out_h = in->h;
    layer->out_c = in->c;
    layer->keeps_values = true;
    (void)facts;
    return gdrq_shape_reads_previous(in, layer, err);
}

/* [activation], [l2norm], and [logistic] but for its truth: the shape before it, image or not. */
gdrq_status gdrq_shape_valuewise(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                 gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_shape_set_input(in, layer);
    layer->out_w = in->w;
    layer->out_h = in->h;
    layer->out_c = in->c;
    layer->outputs = in->inputs;
    facts->writes_gradient = true;
    return gdrq_shape_reads_previous(in, layer, err);
}
