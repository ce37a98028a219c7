#include "host/section_keys.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "gdrq.h"
#include "primitives/segmentation_layer.h"
#include "quant/search.h"

/* Counts and sizes beyond this are nonsense; products are checked where they are formed. */
#define MAX_SIZE (1 << 24)
#define MAX_FLOAT 1e30
#define BELOW_1 0.99999994 /* the float before 1 */
#define TINY 1e-30

#define INT(key, low, high) \
    { .name = key, .kind = GDRQ_KEY_INT, .min = low, .max = high }
#define REPEATED_INT(key, low, high) \
    { .name = key, .kind = GDRQ_KEY_INT, .min = low, .max = high, .first_counts = true }
#define SWITCH(key) INT(key, 0, 1)
#define FLOAT(key, low, high, words) \
    { .name = key, .kind = GDRQ_KEY_FLOAT, .min = low, .max = high, .allowed = words }
#define ANY_FLOAT(key) FLOAT(key, -MAX_FLOAT, MAX_FLOAT, "any number")
#define NOT_NEGATIVE(key) FLOAT(key, 0, MAX_FLOAT, "0 or more")
#define POSITIVE(key) FLOAT(key, TINY, MAX_FLOAT, "above 0")
#define BELOW_ONE(key) FLOAT(key, 0, BELOW_1, "0 or more and below 1")
#define INTS(key, low, high, words) \
    { .name = key, .kind = GDRQ_KEY_INTS, .min = low, .max = high, .allowed = words }
#define FLOATS(key, low, high, words) \
    { .name = key, .kind = GDRQ_KEY_FLOATS, .min = low, .max = high, .allowed = words }
#define CHOICE(key, names) \
    { .name = key, .kind = GDRQ_KEY_CHOICE, .choices = names }
#define PATH(key) \
    { .name = key, .kind = GDRQ_KEY_PATH }
#define IGNORED(key) \
    { .name = key, .kind = GDRQ_KEY_IGNORED }
#define IGNORED_SO(key, why) \
    { .name = key, .kind = GDRQ_KEY_IGNORED, .reason = why }
#define FIXED(key, value, why) \
    { .name = key, .kind = GDRQ_KEY_FIXED, .fixed = value, .reason = why }
#define SAME(key, other, why) \
    { .name = key, .kind = GDRQ_KEY_SAME, .fixed = other, .reason = why }
#define END \
    { .name = NULL }

const char *const gdrq_activation_names[] = {
    [LOGISTIC] = "logistic", [RELU] = "relu",   [RELIE] = "relie",
    [LINEAR] = "linear",     [RAMP] = "ramp",   [TANH] = "tanh",
    [PLSE] = "plse",         [LEAKY] = "leaky", [ELU] = "elu",
    [LOGGY] = "loggy",       [STAIR] = "stair", [HARDTAN] = "hardtan",
    [LHTAN] = "lhtan",       [SELU] = "selu",   NULL};

static const char *const policies[] = {
    [GDRQ_POLICY_CONSTANT] = "constant", [GDRQ_POLICY_STEP] = "step",
    [GDRQ_POLICY_STEPS] = "steps",       [GDRQ_POLICY_EXP] = "exp",
    [GDRQ_POLICY_POLY] = "poly",         [GDRQ_POLICY_SIGMOID] = "sigmoid",
    [GDRQ_POLICY_RANDOM] = "random",     NULL};

static const char *const cost_types[] = {"sse", "masked", "L1", "seg", "smooth", "wgan", NULL};
/* In the order of gdrq_threshold, gdrq_range, gdrq_reshape and gdrq_weight_gradient. */
static const char *const thresholds[] = {"scale", "search", "learned", NULL};
static const char *const ranges[] = {"auto", "unsigned", "signed", "offset", NULL};
static const char *const reshapes[] = {"project", "copy", NULL};
static const char *const weight_gradients[] = {"pass", "mask", NULL};

static const gdrq_key net_keys[] = {
    REPEATED_INT("batch", 1, MAX_SIZE),
    REPEATED_INT("subdivisions", 1, MAX_SIZE),
    INT("time_steps", 1, MAX_SIZE),
    INT("width", 0, MAX_SIZE),
    INT("height", 0, MAX_SIZE),
    INT("channels", 0, MAX_SIZE),
    INT("inputs", 1, INT_MAX),
    NOT_NEGATIVE("learning_rate"),
    BELOW_ONE("momentum"),
    NOT_NEGATIVE("decay"),
    CHOICE("policy", policies),
    INT("burn_in", 0, INT_MAX),
    ANY_FLOAT("power"),
    INT("step", 1, INT_MAX),
    ANY_FLOAT("scale"),
    INTS("steps", INT_MIN, INT_MAX, "whole numbers"),
    FLOATS("scales", -MAX_FLOAT, MAX_FLOAT, "numbers"),
    ANY_FLOAT("gamma"),
    INT("max_batches", 0, INT_MAX),
    SWITCH("adam"),
    BELOW_ONE("B1"),
    BELOW_ONE("B2"),
    POSITIVE("eps"),
    SWITCH("notruth"),
    SWITCH("random"),
    INT("max_crop", 0, MAX_SIZE),
    INT("min_crop", 0, MAX_SIZE),
    NOT_NEGATIVE("max_ratio"),
    NOT_NEGATIVE("min_ratio"),
    SWITCH("center"),
    NOT_NEGATIVE("clip"),
    ANY_FLOAT("angle"),
    NOT_NEGATIVE("aspect"),
    NOT_NEGATIVE("saturation"),
    NOT_NEGATIVE("exposure"),
    ANY_FLOAT("hue"),
    IGNORED("seen"),
    END,
};

/* Of the training, not of any layer. */
static const gdrq_key net_own_keys[] = {BELOW_ONE("ema"), INT("ema_images", 0, MAX_SIZE),
                                        INT("max_shift", 0, MAX_SIZE), END};

static const gdrq_key net_fork_keys[] = {
    IGNORED("learning_rate_min"),
    IGNORED("sgdr_cycle"),
    IGNORED("sgdr_mult"),
    IGNORED("seq_scales"),
    IGNORED("track"),
    IGNORED("augment_speed"),
    IGNORED("sequential_subdivisions"),
    IGNORED("try_fix_nan"),
    IGNORED("weights_reject_freq"),
    IGNORED("equidistant_point"),
    IGNORED("badlabels_rejection_percentage"),
    IGNORED("num_sigmas_reject_badlabels"),
    IGNORED("ema_alpha"),
    IGNORED("use_cuda_graph"),
    IGNORED("loss_scale"),
    IGNORED("dynamic_minibatch"),
    IGNORED("optimized_memory"),
    IGNORED("workspace_size_limit_MB"),
    IGNORED("flip"),
    IGNORED("blur"),
    IGNORED("gaussian_noise"),
    IGNORED("mixup"),
    IGNORED("cutmix"),
    IGNORED("mosaic"),
    IGNORED("mosaic_bound"),
    IGNORED("letter_box"),
    IGNORED("letterbox"),
    IGNORED("contrastive"),
    IGNORED("contrastive_jit_flip"),
    IGNORED("contrastive_color"),
    IGNORED("unsupervised"),
    IGNORED("label_smooth_eps"),
    IGNORED("resize_step"),
    IGNORED("attention"),
    IGNORED("adversarial_lr"),
    IGNORED("max_chart_loss"),
    IGNORED("show_receptive_field"),
    END,
};

static const gdrq_key quantised_keys[] = {
    INT("weight_bits", 2, 8),
    INT("activation_bits", 2, 8),
    INT("quant_groups", 1, MAX_SIZE),
    POSITIVE("k_weights"),
    POSITIVE("k_activations"),
    CHOICE("threshold", thresholds),
    CHOICE("threshold_weights", thresholds),
    CHOICE("threshold_activations", thresholds),
    INT("search_norm", 1, GDRQ_MAX_NORM),
    NOT_NEGATIVE("threshold_rate"),
    NOT_NEGATIVE("threshold_decay"),
    CHOICE("weight_gradient", weight_gradients),
    CHOICE("activation_range", ranges),
    FLOAT("activation_momentum", TINY, 1, "above 0 and at most 1"),
    INT("quantize_after", 0, INT_MAX),
    CHOICE("reshape", reshapes),
    END,
};

/* The parser reads these in every section but [net]. */
static const gdrq_key common_keys[] = {
    SWITCH("truth"),          SWITCH("onlyforward"),
    SWITCH("stopbackward"),   SWITCH("dontsave"),
    SWITCH("dontload"),       INT("numload", 0, MAX_SIZE),
    SWITCH("dontloadscales"), ANY_FLOAT("learning_rate"),
    ANY_FLOAT("smooth"),      IGNORED("dont_update"),
    IGNORED("burnin_update"), IGNORED("train_only_bn"),
    IGNORED("clip"),          IGNORED("stream"),
    IGNORED("wait_stream"),   END,
};

/* What convolutions are, folded or not; the same of connected layers below. */
static const gdrq_key kernel_keys[] = {
    INT("filters", 1, MAX_SIZE),
    INT("size", 1, MAX_SIZE),
    INT("stride", 1, MAX_SIZE),
    SWITCH("pad"),
    INT("padding", 0, MAX_SIZE),
    INT("groups", 1, MAX_SIZE),
    CHOICE("activation", gdrq_activation_names),
    END,
};

static const gdrq_key convolutional_keys[] = {
    SWITCH("batch_normalize"),
    SWITCH("flipped"),
    ANY_FLOAT("dot"),
    FIXED("dilation", "1", "this Darknet has no dilated convolutions"),
    SAME("stride_x", "stride", "this Darknet has one stride for both directions"),
    SAME("stride_y", "stride", "this Darknet has one stride for both directions"),
    FIXED("antialiasing", "0", "this Darknet has no blurred strides"),
    FIXED("share_index", "none", "layers of this Darknet can't share weights"),
    FIXED("cbn", "0", "this Darknet has no cross-iteration batch norm"),
    FIXED("bin_output", "0", "this Darknet has no binary outputs"),
    FIXED("sway", "0", "this Darknet has no deformed kernels"),
    FIXED("rotate", "0", "this Darknet has no deformed kernels"),
    FIXED("stretch", "0", "this Darknet has no deformed kernels"),
    FIXED("stretch_sway", "0", "this Darknet has no deformed kernels"),
    FIXED("coordconv", "0", "this Darknet has no coordinate channels"),
    FIXED("reverse", "0", "this Darknet can't reverse gradients"),
    IGNORED("assisted_excitation"),
    IGNORED("angle"),
    IGNORED("grad_centr"),
    END,
};

/* Batch norm and steps are merged, and nothing can be trained. */
static const gdrq_key folded_keys[] = {
    INT("weight_bits", 2, 8),
    INT("activation_bits", 2, 8),
    CHOICE("activation_range", ranges),
    END,
};

static const gdrq_key binary_keys[] = {SWITCH("binary"), SWITCH("xnor"), END};

static const gdrq_key no_binary_keys[] = {
    FIXED("binary", "0", "one-bit weights contradict [gdrq_convolutional]; use [convolutional]"),
    FIXED("xnor", "0", "one-bit weights contradict [gdrq_convolutional]; use [convolutional]"),
    END,
};

static const gdrq_key deconvolutional_keys[] = {
    INT("filters", 1, MAX_SIZE), INT("size", 1, MAX_SIZE),
    INT("stride", 1, MAX_SIZE),  SWITCH("pad"),
    INT("padding", 0, MAX_SIZE), CHOICE("activation", gdrq_activation_names),
    SWITCH("batch_normalize"),   END,
};

static const gdrq_key local_keys[] = {
    INT("filters", 1, MAX_SIZE),
    INT("size", 1, MAX_SIZE),
    INT("stride", 1, MAX_SIZE),
    SWITCH("pad"),
    CHOICE("activation", gdrq_activation_names),
    END,
};

static const gdrq_key output_keys[] = {
    INT("output", 1, INT_MAX),
    CHOICE("activation", gdrq_activation_names),
    END,
};

static const gdrq_key connected_keys[] = {SWITCH("batch_normalize"), END};

static const gdrq_key rnn_keys[] = {
    INT("output", 1, INT_MAX),
    CHOICE("activation", gdrq_activation_names),
    SWITCH("batch_normalize"),
    SWITCH("shortcut"),
    IGNORED("hidden"),
    FIXED("logistic", "0", "the activation of this Darknet's [rnn] is activation="),
    END,
};

static const gdrq_key gru_keys[] = {
    INT("output", 1, INT_MAX),
    SWITCH("batch_normalize"),
    SWITCH("tanh"),
    END,
};

static const gdrq_key lstm_keys[] = {INT("output", 1, INT_MAX), SWITCH("batch_normalize"), END};

static const gdrq_key crnn_keys[] = {
    INT("output_filters", 1, MAX_SIZE),
    INT("hidden_filters", 1, MAX_SIZE),
    CHOICE("activation", gdrq_activation_names),
    SWITCH("batch_normalize"),
    SWITCH("shortcut"),
    END,
};

static const gdrq_key maxpool_keys[] = {
    INT("size", 1, MAX_SIZE),
    INT("stride", 1, MAX_SIZE),
    INT("padding", 0, MAX_SIZE),
    SAME("stride_x", "stride", "this Darknet has one stride for both directions"),
    SAME("stride_y", "stride", "this Darknet has one stride for both directions"),
    FIXED("maxpool_depth", "0", "this Darknet has no maxpool over channels"),
    FIXED("out_channels", "1", "this Darknet has no maxpool over channels"),
    FIXED("antialiasing", "0", "this Darknet has no blurred strides"),
    FIXED("maxpool_zero_nonmax", "0", "this Darknet can't zero what is no maximum"),
    END,
};

static const gdrq_key reorg_keys[] = {
    INT("stride", 1, 4096), SWITCH("reverse"), SWITCH("flatten"), INT("extra", 0, INT_MAX), END,
};

static const gdrq_key crop_keys[] = {
    INT("crop_height", 1, MAX_SIZE),
    INT("crop_width", 1, MAX_SIZE),
    SWITCH("flip"),
    ANY_FLOAT("angle"),
    ANY_FLOAT("saturation"),
    ANY_FLOAT("exposure"),
    ANY_FLOAT("shift"),
    SWITCH("noadjust"),
    END,
};

static const gdrq_key no_keys[] = {END};

static const gdrq_key dropout_keys[] = {
    BELOW_ONE("probability"),
    IGNORED("dropblock"),
    IGNORED("dropblock_size_rel"),
    IGNORED("dropblock_size_abs"),
    END,
};

static const gdrq_key normalization_keys[] = {
    ANY_FLOAT("alpha"), ANY_FLOAT("beta"), ANY_FLOAT("kappa"), INT("size", 1, MAX_SIZE), END,
};

static const gdrq_key shortcut_keys[] = {
    INTS("from", INT_MIN, INT_MAX, "the index of an earlier layer"),
    CHOICE("activation", gdrq_activation_names),
    ANY_FLOAT("alpha"),
    ANY_FLOAT("beta"),
    FIXED("weights_type", "none", "shortcuts of this Darknet have no weights"),
    IGNORED("weights_normalization"),
    END,
};

static const gdrq_key route_keys[] = {
    INTS("layers", INT_MIN, INT_MAX, "indices of earlier layers"),
    FIXED("groups", "1", "routes of this Darknet take whole layers"),
    FIXED("group_id", "0", "routes of this Darknet take whole layers"),
    END,
};

static const gdrq_key upsample_keys[] = {
    INT("stride", -4096, 4096),
    ANY_FLOAT("scale"),
    END,
};

static const gdrq_key activation_keys[] = {CHOICE("activation", gdrq_activation_names), END};

static const gdrq_key softmax_keys[] = {
    INT("groups", 1, INT_MAX), POSITIVE("temperature"), PATH("tree"),
    ANY_FLOAT("spatial"),      SWITCH("noloss"),        END,
};

static const gdrq_key cost_keys[] = {
    CHOICE("type", cost_types), ANY_FLOAT("scale"),  ANY_FLOAT("ratio"),
    ANY_FLOAT("noobj"),         ANY_FLOAT("thresh"), END,
};

static const gdrq_key yolo_keys[] = {
    INT("classes", 1, MAX_SIZE),
    INT("num", 1, MAX_SIZE),
    INTS("mask", 0, MAX_SIZE, "indices of anchors"),
    FLOATS("anchors", TINY, MAX_FLOAT, "numbers above 0"),
    INT("max", 1, MAX_SIZE),
    BELOW_ONE("jitter"),
    ANY_FLOAT("ignore_thresh"),
    ANY_FLOAT("truth_thresh"),
    SWITCH("random"),
    PATH("map"),
    END,
};

static const gdrq_key yolo_fork_keys[] = {
    IGNORED_SO("scale_x_y", "boxes are decoded without it"),
    IGNORED_SO("new_coords", "boxes are decoded without it"),
    IGNORED("show_details"),
    IGNORED("max_delta"),
    IGNORED("counters_per_class"),
    IGNORED("label_smooth_eps"),
    IGNORED("objectness_smooth"),
    IGNORED("iou_normalizer"),
    IGNORED("obj_normalizer"),
    IGNORED("cls_normalizer"),
    IGNORED("delta_normalizer"),
    IGNORED("iou_loss"),
    IGNORED("iou_thresh"),
    IGNORED("iou_thresh_kind"),
    IGNORED("beta_nms"),
    IGNORED("nms_kind"),
    IGNORED("resize"),
    IGNORED("focal_loss"),
    IGNORED("track_history_size"),
    IGNORED("sim_thresh"),
    IGNORED("dets_for_track"),
    IGNORED("dets_for_show"),
    IGNORED("track_ciou_norm"),
    IGNORED("embedding_layer"),
    END,
};

static const gdrq_key region_keys[] = {
    INT("classes", 1, MAX_SIZE),
    INT("coords", 4, MAX_SIZE),
    INT("num", 1, MAX_SIZE),
    FLOATS("anchors", TINY, MAX_FLOAT, "numbers above 0"),
    INT("max", 1, MAX_SIZE),
    SWITCH("log"),
    SWITCH("sqrt"),
    SWITCH("softmax"),
    SWITCH("background"),
    BELOW_ONE("jitter"),
    SWITCH("rescore"),
    ANY_FLOAT("thresh"),
    INT("classfix", -2, 2),
    SWITCH("absolute"),
    SWITCH("random"),
    ANY_FLOAT("coord_scale"),
    ANY_FLOAT("object_scale"),
    ANY_FLOAT("noobject_scale"),
    ANY_FLOAT("mask_scale"),
    ANY_FLOAT("class_scale"),
    SWITCH("bias_match"),
    PATH("tree"),
    PATH("map"),
    IGNORED("focal_loss"),
    IGNORED("resize"),
    END,
};

static const gdrq_key detection_keys[] = {
    INT("classes", 1, MAX_SIZE),
    INT("coords", 1, MAX_SIZE),
    INT("num", 1, MAX_SIZE),
    INT("side", 1, MAX_SIZE),
    SWITCH("rescore"),
    SWITCH("softmax"),
    SWITCH("sqrt"),
    INT("max", 1, MAX_SIZE),
    SWITCH("forced"),
    ANY_FLOAT("coord_scale"),
    ANY_FLOAT("object_scale"),
    ANY_FLOAT("noobject_scale"),
    ANY_FLOAT("class_scale"),
    BELOW_ONE("jitter"),
    SWITCH("random"),
    SWITCH("reorg"),
    IGNORED("resize"),
    END,
};

/* Classes of every pixel; the host gets a [softmax] without any of these. */
static const gdrq_key segmentation_keys[] = {
    INT("classes", 2, GDRQ_MOST_PIXEL_CLASSES),
    FLOATS("class_weights", 0, MAX_FLOAT, "numbers of 0 or more"),
    END,
};

static const gdrq_key iseg_keys[] = {INT("classes", 1, MAX_SIZE), INT("ids", 0, MAX_SIZE), END};

#define LAYER(section, other, layer_type, own)                                            \
    {                                                                                     \
        .name = section, .alias = other, .stock = section, .type = layer_type, .lists = { \
            {own, false},                                                                 \
            {common_keys, false}                                                          \
        }                                                                                 \
    }

const gdrq_section_kind gdrq_section_kinds[] = {
    {.name = "net",
     .alias = "network",
     .stock = "net",
     .type = NETWORK,
     .lists =
         {{net_keys, false}, {quantised_keys, true}, {net_own_keys, true}, {net_fork_keys, false}}},
    {.name = "gdrq_convolutional",
     .stock = "convolutional",
     .type = CONVOLUTIONAL,
     .quantised = true,
     .lists = {{kernel_keys, false},
               {convolutional_keys, false},
               {quantised_keys, true},
               {no_binary_keys, false},
               {common_keys, false}}},
    {.name = "gdrq_connected",
     .stock = "connected",
     .type = CONNECTED,
     .quantised = true,
     .lists = {{output_keys, false},
               {connected_keys, false},
               {quantised_keys, true},
               {common_keys, false}}},
    {.name = "folded_convolutional",
     .stock = "convolutional",
     .type = CONVOLUTIONAL,
     .quantised = true,
     .folded = true,
     .lists = {{kernel_keys, false}, {folded_keys, true}}},
    {.name = "folded_connected",
     .stock = "connected",
     .type = CONNECTED,
     .quantised = true,
     .folded = true,
     .lists = {{output_keys, false}, {folded_keys, true}}},
    {.name = "convolutional",
     .alias = "conv",
     .stock = "convolutional",
     .type = CONVOLUTIONAL,
     .lists = {{kernel_keys, false},
               {convolutional_keys, false},
               {binary_keys, false},
               {common_keys, false}}},
    {.name = "yolo",
     .stock = "yolo",
     .type = YOLO,
     .lists = {{yolo_keys, false}, {common_keys, false}, {yolo_fork_keys, false}}},
    LAYER("activation", NULL, ACTIVE, activation_keys),
    LAYER("avgpool", "avg", AVGPOOL, no_keys),
    LAYER("batchnorm", NULL, BATCHNORM, no_keys),
    {.name = "connected",
     .alias = "conn",
     .stock = "connected",
     .type = CONNECTED,
     .lists = {{output_keys, false}, {connected_keys, false}, {common_keys, false}}},
    LAYER("cost", NULL, COST, cost_keys),
    LAYER("crnn", NULL, CRNN, crnn_keys),
    LAYER("crop", NULL, CROP, crop_keys),
    LAYER("deconvolutional", "deconv", DECONVOLUTIONAL, deconvolutional_keys),
    LAYER("detection", NULL, DETECTION, detection_keys),
    LAYER("dropout", NULL, DROPOUT, dropout_keys),
    LAYER("gru", NULL, GRU, gru_keys),
    LAYER("iseg", NULL, ISEG, iseg_keys),
    LAYER("l2norm", NULL, L2NORM, no_keys),
    LAYER("local", NULL, LOCAL, local_keys),
    LAYER("logistic", NULL, LOGXENT, no_keys),
    LAYER("lstm", NULL, LSTM, lstm_keys),
    LAYER("maxpool", "max", MAXPOOL, maxpool_keys),
    LAYER("normalization", "lrn", NORMALIZATION, normalization_keys),
    LAYER("region", NULL, REGION, region_keys),
    LAYER("reorg", NULL, REORG, reorg_keys),
    LAYER("rnn", NULL, RNN, rnn_keys),
    LAYER("route", NULL, ROUTE, route_keys),
    {.name = "segmentation",
     .stock = "softmax",
     .type = SOFTMAX,
     .segmentation = true,
     .lists = {{segmentation_keys, true}, {common_keys, false}}},
    LAYER("shortcut", NULL, SHORTCUT, shortcut_keys),
    LAYER("softmax", "soft", SOFTMAX, softmax_keys),
    LAYER("upsample", NULL, UPSAMPLE, upsample_keys),
    {.name = NULL},
};

const gdrq_section_kind *gdrq_section_kind_find(const char *name) {
    for (const gdrq_section_kind *kind = gdrq_section_kinds; kind->name; kind++)
        if (strcmp(name, kind->name) == 0 || (kind->alias && strcmp(name, kind->alias) == 0))
            return kind;
    return NULL;
}

const char *gdrq_section_name(const layer *l) {
    const bool segments = gdrq_is_segmentation_layer(l);
    const gdrq_section_kind *kind = gdrq_section_kinds;
    while (kind->name &&
           (kind->type != l->type || kind->quantised || kind->segmentation != segments))
        kind++;
    return kind->name ? kind->name : "";
}

const gdrq_key *gdrq_key_find(const gdrq_section_kind *kind, const char *name, bool *ours) {
    for (size_t i = 0; i < sizeof kind->lists / sizeof kind->lists[0]; i++)
        for (const gdrq_key *key = kind->lists[i].keys; key && key->name; key++)
            if (strcmp(name, key->name) == 0) {
                if (ours)
                    *ours = kind->lists[i].ours;
                return key;
            }
    return NULL;
}
