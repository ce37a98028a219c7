/* Layers that compare with the truth: classifiers, costs, detection heads and segmentation. */
#include "host/class_files.h"
#include "host/shape_kinds.h"

/* The host's defaults of max=, the boxes of truth per image. */
#define HOST_YOLO_BOXES 90
#define HOST_REGION_BOXES 30 /* this many it reads in any case */
#define HOST_ISEG_INSTANCES 90

static gdrq_status check_tree(const gdrq_layer_input *in, int classes, gdrq_error *err) {
    const gdrq_cfg_option *tree = gdrq_cfg_find(in->place.section, "tree");
    return tree ? gdrq_tree_check(&in->place, tree, classes, err) : GDRQ_OK;
}

static gdrq_status check_map(const gdrq_layer_input *in, int classes, gdrq_error *err) {
    const gdrq_cfg_option *map = gdrq_cfg_find(in->place.section, "map");
    return map ? gdrq_map_check(&in->place, map, classes, err) : GDRQ_OK;
}

gdrq_status gdrq_shape_softmax(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                               gdrq_layer_facts *facts, gdrq_error *err) {
    const int groups = gdrq_value_int(layer->section, "groups", 1);
    if (in->inputs % groups)
        return gdrq_fail_option(&in->place, gdrq_cfg_find(layer->section, "groups"), err,
                                "must divide the %d inputs", in->inputs);
    gdrq_status status = check_tree(in, in->inputs, err);
    if (status == GDRQ_OK && gdrq_value_float(layer->section, "spatial", 0) != 0)
        status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    gdrq_shape_set_input(in, layer);
    layer->outputs = in->inputs;
    facts->writes_gradient = true;
    facts->truth_read = gdrq_value_int(layer->section, "noloss", 0) ? 0 : in->inputs;
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_cost(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                            gdrq_layer_facts *facts, gdrq_error *err) {
    layer->inputs = layer->outputs = in->inputs;
    facts->writes_gradient = true;
    facts->truth_read = in->inputs;
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_logistic(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                gdrq_layer_facts *facts, gdrq_error *err) {
    facts->truth_read = in->inputs;
    return gdrq_shape_valuewise(in, layer, facts, err);
}

/*
 * A head of `channels` values per pixel: its input must have just that many. `formula` says where
 * they come from.
 */
static gdrq_status shape_head(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                              int64_t channels, const char *formula, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    if (channels != in->c)
        return gdrq_fail_section(&in->place, err,
                                 "needs filters=%s = %lld in the layer before it, which has %d",
                                 formula, (long long)channels, in->c);
    gdrq_shape_set_input(in, layer);
    status = gdrq_shape_set_output(in, layer, in->w, in->h, in->c, err);
    return status == GDRQ_OK ? gdrq_shape_reads_previous(in, layer, err) : status;
}

static gdrq_status check_anchors(const gdrq_layer_input *in, int num, bool required,
                                 gdrq_error *err) {
    const gdrq_cfg_option *anchors = gdrq_cfg_find(in->place.section, "anchors");
    if (!anchors && required)
        return gdrq_fail_section(&in->place, err,
                                 "needs anchors=, a width and a height for each "
                                 "of the num=%d anchors",
                                 num);
    const int count = anchors ? gdrq_list_count(anchors->value) : 2 * num;
    if (count == 2 * (int64_t)num)
        return GDRQ_OK;
    return gdrq_fail_option(&in->place, anchors, err,
                            "has %d numbers; it needs %lld, a width and a height for each of the "
                            "num=%d anchors",
                            count, 2 * (long long)num, num);
}

/* *masks is how many anchors the layer predicts. */
static gdrq_status check_mask(const gdrq_layer_input *in, int num, int *masks, gdrq_error *err) {
    const gdrq_cfg_option *mask = gdrq_cfg_find(in->place.section, "mask");
    *masks = num;
    if (!mask)
        return GDRQ_OK;
    const char *list = mask->value;
    *masks = gdrq_list_count(list);
    for (int i = 0; i < *masks; i++) {
        const int anchor = gdrq_list_next(&list);
        if (anchor >= num)
            return gdrq_fail_option(&in->place, mask, err,
                                    "there is no anchor %d; allowed: 0 to %d, as num=%d", anchor,
                                    num - 1, num);
    }
    return GDRQ_OK;
}

gdrq_status gdrq_shape_yolo(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                            gdrq_layer_facts *facts, gdrq_error *err) {
    const int classes = gdrq_value_int(layer->section, "classes", 20);
    const int num = gdrq_value_int(layer->section, "num", 1);
    const int boxes = gdrq_value_int(layer->section, "max", HOST_YOLO_BOXES);
    int masks;
    gdrq_status status;
    if ((status = check_mask(in, num, &masks, err)) != GDRQ_OK ||
        (status = check_anchors(in, num, true, err)) != GDRQ_OK ||
        (status = check_map(in, classes, err)) != GDRQ_OK)
        return status;
    facts->classes = classes;
    facts->coords = 4;
    facts->truths = facts->truth_read = 5 * boxes; /* x, y, w, h and the class of each */
    facts->writes_gradient = true;
    return shape_head(in, layer, gdrq_times(classes + 5, masks), "(classes+5)*number of masks",
                      err);
}

gdrq_status gdrq_shape_region(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                              gdrq_layer_facts *facts, gdrq_error *err) {
    const int classes = gdrq_value_int(layer->section, "classes", 20);
    const int coords = gdrq_value_int(layer->section, "coords", 4);
    const int num = gdrq_value_int(layer->section, "num", 1);
    const int boxes = gdrq_value_int(layer->section, "max", HOST_REGION_BOXES);
    if (boxes < HOST_REGION_BOXES)
        return gdrq_fail_option(&in->place, gdrq_cfg_find(layer->section, "max"), err,
                                "[region] always looks at %d boxes; use that or more",
                                HOST_REGION_BOXES);
    gdrq_status status;
    if ((status = check_anchors(in, num, false, err)) != GDRQ_OK ||
        (status = check_tree(in, classes, err)) != GDRQ_OK ||
        (status = check_map(in, classes, err)) != GDRQ_OK)
        return status;
    facts->classes = classes;
    facts->coords = coords;
    const int64_t truths = gdrq_times(boxes, (int64_t)coords + 1);
    if ((status = gdrq_shape_check_count(in, "values of truth", truths, err)) != GDRQ_OK)
        return status;
    facts->truths = (int)truths;
    facts->truth_read = HOST_REGION_BOXES * (coords + 1);
    facts->writes_gradient = true;
    return shape_head(in, layer, gdrq_times((int64_t)classes + coords + 1, num),
                      "(classes+coords+1)*num", err);
}

gdrq_status gdrq_shape_detection(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                 gdrq_layer_facts *facts, gdrq_error *err) {
    const int64_t classes = gdrq_value_int(layer->section, "classes", 1);
    const int64_t num = gdrq_value_int(layer->section, "num", 1);
    const int64_t side = gdrq_value_int(layer->section, "side", 7);
    if (gdrq_value_int(layer->section, "coords", 1) != 4)
        return gdrq_fail_section(&in->place, err, "needs coords=4: boxes are x, y, w, h");
    if (gdrq_value_int(layer->section, "forced", 0) && num < 2)
        return gdrq_fail_section(&in->place, err, "forced=1 chooses between boxes: needs num=2");
    const int64_t cells = gdrq_times(side, side);
    const int64_t inputs = gdrq_times(cells, 5 * num + classes);
    if (inputs != in->inputs)
        return gdrq_fail_section(&in->place, err,
                                 "needs side*side*(5*num+classes) = %lld values (output= of a "
                                 "[connected] before it), but gets %d",
                                 (long long)inputs, in->inputs);
    const int64_t truths = gdrq_times(cells, 5 + classes);
    const gdrq_status status = gdrq_shape_check_count(in, "values of truth", truths, err);
    if (status != GDRQ_OK)
        return status;
    layer->w = layer->h = (int)side;
    layer->inputs = layer->outputs = in->inputs;
    facts->classes = (int)classes;
    facts->truths = facts->truth_read = (int)truths;
    facts->writes_gradient = true;
    return gdrq_shape_reads_previous(in, layer, err);
}

gdrq_status gdrq_shape_iseg(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                            gdrq_layer_facts *facts, gdrq_error *err) {
    const int64_t classes = gdrq_value_int(layer->section, "classes", 20);
    const int64_t ids = gdrq_value_int(layer->section, "ids", 32);
    const int64_t truths =
        gdrq_times(HOST_ISEG_INSTANCES, (int64_t)in->w * in->h + 1); /* a class and a mask each */
    const gdrq_status status = gdrq_shape_check_count(in, "values of truth", truths, err);
    if (status != GDRQ_OK)
        return status;
    facts->truths = facts->truth_read = (int)truths;
    facts->writes_gradient = true;
    return shape_head(in, layer, classes + ids, "classes+ids", err);
}

static gdrq_status check_class_weights(const gdrq_layer_input *in, int classes, gdrq_error *err) {
    const gdrq_cfg_option *weights = gdrq_cfg_find(in->place.section, "class_weights");
    const int count = weights ? gdrq_list_count(weights->value) : classes;
    if (count == classes)
        return GDRQ_OK;
    return gdrq_fail_option(&in->place, weights, err,
                            "has %d numbers; it needs one for each of the classes=%d", count,
                            classes);
}

gdrq_status gdrq_shape_segmentation(const gdrq_layer_input *in, gdrq_outline_layer *layer,
                                    gdrq_layer_facts *facts, gdrq_error *err) {
    gdrq_status status = gdrq_shape_needs_image(in, err);
    if (status != GDRQ_OK)
        return status;
    const int classes = gdrq_value_int(layer->section, "classes", 0);
    if (in->index == 0 || classes < 2)
        return gdrq_fail_section(&in->place, err,
                                 in->index == 0
                                     ? "needs a layer before it that gives each class a score"
                                     : "needs classes=, 2 or more");
    if ((status = check_class_weights(in, classes, err)) != GDRQ_OK ||
        (status = shape_head(in, layer, classes, "classes", err)) != GDRQ_OK)
        return status;
    layer->out_w = layer->out_h = layer->out_c = 0; /* as the host's softmax leaves them */
    facts->truths = facts->truth_read = in->w * in->h;
    facts->writes_gradient = true;
    return GDRQ_OK;
}
