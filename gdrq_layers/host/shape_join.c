/* Layers that name the layers that they read: [route] and [shortcut]. */
#include "host/shape_kinds.h"

#include "base/alloc.h"
#include "base/status.h"

/* Negative indices count back from this layer. Fails unless it is an earlier layer. */
static gdrq_status resolve(const gdrq_layer_input *in, const gdrq_cfg_option *option, int named,
                           int *index, gdrq_error *err) {
    const int64_t absolute = named < 0 ? (int64_t)in->index + named : named;
    if (in->index == 0)
        return gdrq_fail_option(&in->place, option, err,
                                "the first layer has no layers before it to read");
    if (absolute < 0 || absolute >= in->index)
        return gdrq_fail_option(&in->place, option, err,
                                "%d is no layer before this one; allowed: 0 to %d, or -1 to -%d",
                                named, in->index - 1, in->index);
    *index = (int)absolute;
    return GDRQ_OK;
}

static gdrq_status read_indices(const gdrq_layer_input *in, const gdrq_cfg_option *option,
                                gdrq_outline_layer *layer, gdrq_error *err) {
    const char *list = option->value;
    const int n = gdrq_list_count(list);
    layer->reads = gdrq_alloc((size_t)n, sizeof *layer->reads);
    if (!layer->reads)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", in->place.cfg->path);
    for (; layer->n_reads < n; layer->n_reads++) {
        const gdrq_status status =
            resolve(in, option, gdrq_list_next(&list), &layer->reads[layer->n_reads], err);
        if (status != GDRQ_OK)
            return status;
    }
    return GDRQ_OK;
}

gdrq_status gdrq_shape_route(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                             gdrq_layer_facts *facts, gdrq_error *err) {
    (void)facts;
    const gdrq_cfg_option *option = gdrq_cfg_find(layer->section, "layers");
    if (!option)
        return gdrq_fail_section(&in->place, err,
                                 "needs layers=, the indices of the layers to join, e.g. -1,8");
    const gdrq_status status = read_indices(in, option, layer, err);
    if (status != GDRQ_OK)
        return status;
    const gdrq_outline_layer *first = &in->layers[layer->reads[0]];
    int64_t outputs = first->outputs, channels = first->out_c;
    layer->out_w = first->out_w;
    layer->out_h = first->out_h;
    for (int i = 1; i < layer->n_reads; i++) {
        const gdrq_outline_layer *next = &in->layers[layer->reads[i]];
        outputs += next->outputs;
        if (next->out_w == first->out_w && next->out_h == first->out_h)
            channels += next->out_c;
        else /* no image; but, as in the host, channels of later ones count again */
            channels = layer->out_w = layer->out_h = 0;
        const gdrq_status fits = gdrq_shape_check_count(in, "outputs", outputs, err);
        if (fits != GDRQ_OK)
            return fits;
    }
    layer->out_c = (int)channels;
    layer->inputs = layer->outputs = (int)outputs;
    layer->keeps_values = true;
    return GDRQ_OK;
}

/* Both ratios must agree in both directions, else the host asserts. */
static bool scales_alike(const gdrq_outline_layer *layer) {
    return layer->w / layer->out_w == layer->h / layer->out_h &&
           layer->out_w / layer->w == layer->out_h / layer->h;
}

gdrq_status gdrq_shape_shortcut(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                gdrq_layer_facts *facts, gdrq_error *err) {
    const gdrq_cfg_option *option = gdrq_cfg_find(layer->section, "from");
    if (!option)
        return gdrq_fail_section(&in->place, err,
                                 "needs from=, the index of the layer to add, e.g. -3");
    if (gdrq_list_count(option->value) != 1)
        return gdrq_fail_option(&in->place, option, err,
                                "a shortcut of this Darknet adds one layer only");
    int from = 0;
    const char *list = option->value;
    gdrq_status status = resolve(in, option, gdrq_list_next(&list), &from, err);
    if (status != GDRQ_OK || (status = gdrq_shape_needs_image(in, err)) != GDRQ_OK)
        return status;
    const gdrq_outline_layer *added = &in->layers[from];
    if (!added->out_w || !added->out_h || !added->out_c)
        return gdrq_fail_option(&in->place, option, err, "layer %d gives no image to add", from);
    layer->w = added->out_w;
    layer->h = added->out_h;
    layer->c = added->out_c;
    status = gdrq_shape_set_output(in, layer, in->w, in->h, in->c, err);
    if (status != GDRQ_OK)
        return status;
    layer->inputs = layer->outputs;
    if (!scales_alike(layer))
        return gdrq_fail_option(&in->place, option, err,
                                "layer %d is %d x %d, the layer before is %d x %d; width and "
                                "height must differ by the same factor",
                                from, layer->w, layer->h, in->w, in->h);
    facts->writes_gradient = true;
    layer->reads = gdrq_alloc(2, sizeof *layer->reads);
    if (!layer->reads)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of memory", in->place.cfg->path);
    layer->reads[0] = in->index - 1;
    layer->reads[1] = from;
    layer->n_reads = 2;
    return GDRQ_OK;
}
