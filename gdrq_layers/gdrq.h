/*
 * libgdrq: low-bit training and inference for Darknet (GDRQ, arXiv 1908.01477).
 *
 * The library plugs into programs that use the shared libdarknet.so by being loaded before it: a
 * program need not call anything below to train or run cfgs with [gdrq_convolutional] and
 * [gdrq_connected]. The functions here do the same work as the host's (parse, load, save, resize),
 * but return errors where the host's signatures cannot.
 *
 * Every function that can fail returns a gdrq_status and fills `err` (which may be NULL) with one
 * line that names the file, section or key and says what to do. On failure nothing that the caller
 * owns has changed, unless said otherwise. No function prints or exits by itself; what the host
 * prints while it parses a cfg (its table of layers) still goes to stderr.
 */
#ifndef GDRQ_H
#define GDRQ_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GDRQ_VERSION "0.1.0"

#if defined(__GNUC__)
#define GDRQ_API __attribute__((visibility("default")))
#define GDRQ_PRINTF(string, first) __attribute__((format(printf, string, first)))
#else
#define GDRQ_API
#define GDRQ_PRINTF(string, first)
#endif

typedef enum gdrq_status {
    GDRQ_OK = 0,
    GDRQ_ERROR_ARGUMENT, /* the call itself is wrong */
    GDRQ_ERROR_IO,       /* a file can't be opened, read, written, or is too short */
    GDRQ_ERROR_FORMAT,   /* a file's content is wrong: cfg, weights, labels */
    GDRQ_ERROR_MEMORY,   /* an allocation failed */
    GDRQ_ERROR_HOST,     /* libdarknet is missing, or is not the one this library was built for */
    GDRQ_ERROR_STATE,    /* not possible now, e.g. activation thresholds were never set */
    GDRQ_ERROR_DEVICE,   /* CUDA reports an error */
} gdrq_status;

typedef struct gdrq_error {
    char message[1024]; /* one line, no newline at its end */
} gdrq_error;

/*
 * Limits the instruction sets that the integer kernels of networks use which are parsed after this:
 * "c", "avx2" or "avx512vnni", each with those before it. Results don't depend on it. The
 * environment's GDRQ_CPU does the same.
 */
GDRQ_API gdrq_status gdrq_set_cpu(const char *name, gdrq_error *err);

/* GDRQ_ERROR_DEVICE, and why, if networks can't run on a GPU: there is none, or this is a CPU
 * build.
 */
GDRQ_API gdrq_status gdrq_gpu_ready(gdrq_error *err);

/* Networks that are parsed after this are on the GPU of this number; a CPU build takes any. */
GDRQ_API gdrq_status gdrq_gpu_use(const char *number, gdrq_error *err);

/* The host's network; include darknet.h to look inside. */
struct network;

/* Version of the loaded library, e.g. "0.1.0". */
GDRQ_API const char *gdrq_version(void);

/*
 * Reads, checks and parses a cfg with stock and gdrq sections, and attaches the quantised layers.
 * *net is freed with the host's free_network(). `note` (may be NULL) is called once per remark that
 * is no error, e.g. a key of another Darknet that has no effect here; it is one line.
 */
typedef void gdrq_note(void *user, const char *line);
GDRQ_API gdrq_status gdrq_network_parse(const char *cfg_path, gdrq_note *note, void *user,
                                        struct network **net, gdrq_error *err);

/* What gdrq_network_load() found in a weights file. */
typedef struct gdrq_load_report {
    int layers;          /* layers 0..layers-1 were covered by the file */
    bool complete;       /* the file covers the whole network, else it is a backbone */
    bool has_thresholds; /* it carries activation thresholds; others in the network are unset now */
    bool was_quantised;  /* it carries such thresholds, of these bits or of others */
} gdrq_load_report;

/*
 * Loads a Darknet .weights file, or for a network with folded sections the file that was written
 * beside its cfg, which is never a backbone. The file's size is checked against the network before
 * anything in memory is overwritten. A file that ends exactly behind a layer is a backbone:
 * accepted only with allow_backbone. `report` may be NULL.
 */
GDRQ_API gdrq_status gdrq_network_load(struct network *net, const char *path, bool allow_backbone,
                                       gdrq_load_report *report, gdrq_error *err);

/*
 * Saves the network as a .weights file that stock Darknet and OpenCV read too; activation
 * thresholds travel in a trailer behind the last layer. Atomic: a temporary file beside `path` is
 * written, synced and renamed, so that a file that was there survives any failure. Weights that are
 * not finite are not saved (GDRQ_ERROR_STATE): a good file is never replaced by a ruined one.
 */
GDRQ_API gdrq_status gdrq_network_save(struct network *net, const char *path, gdrq_error *err);

/* What gdrq_network_save() writes, as a gdrq_write_fn: `net` is the struct network. */
GDRQ_API gdrq_status gdrq_network_write(void *net, int fd, gdrq_error *err);

/* Changes the network's input to w x h (both in pixels). Nothing changes on error. */
GDRQ_API gdrq_status gdrq_network_resize(struct network *net, int w, int h, gdrq_error *err);

/*
 * GDRQ_ERROR_STATE if the network can't infer: an activation threshold was never set (the message
 * names the layer), or a folded network has no weights.
 */
GDRQ_API gdrq_status gdrq_network_ready(const struct network *net, gdrq_error *err);

/* GDRQ_ERROR_STATE if the network can only infer, and why: training it would crash in the host. */
GDRQ_API gdrq_status gdrq_network_trainable(const struct network *net, gdrq_error *err);

/* Whether the network has folded sections, as gdrq_fold() writes them: it can infer, no more. */
GDRQ_API bool gdrq_network_is_folded(const struct network *net);

/*
 * While on, a forward pass with net->train = 0 updates the activation thresholds as a training
 * forward would; weights and batch norm's statistics stay as they are.
 */
GDRQ_API void gdrq_network_calibrating(struct network *net, bool on);

/* Forgets the activation thresholds, so that calibrating begins with none; on the CPU only. */
GDRQ_API gdrq_status gdrq_network_forget_thresholds(struct network *net, gdrq_error *err);

/*
 * While on, forward passes with net->train = 0 quantise nothing: the network as it is in float. On
 * the CPU only: of a network on a GPU gdrq_network_ready() is then GDRQ_ERROR_STATE, and the host's
 * network_predict() ends the program.
 */
GDRQ_API void gdrq_network_unquantised(struct network *net, bool on);

/*
 * While on, forward passes of the unquantised network count the values of the tensors that
 * quantised layers read; turning it on begins with none, and off forgets them. Values of channels
 * that a convolution's weights make more of count more (train/channel_weights.h). Only turning it
 * on can fail, of a network on a GPU and for want of memory: half a megabyte per tensor.
 */
GDRQ_API gdrq_status gdrq_network_counting(struct network *net, bool on, gdrq_error *err);

/*
 * Sets the thresholds of all tensors from the values that were counted: to what `share` (0..1) of
 * their magnitudes are not above, so that quantising loses least (search_norm= of the cfg), or as
 * training would begin. k*mean|x| is of all values alike, as in training; the others go by what
 * channels count for. On the CPU only.
 */
typedef enum gdrq_calibration {
    GDRQ_CALIBRATE_BY_BITS, /* PERCENTILE for 8 bits, SEARCH for fewer */
    GDRQ_CALIBRATE_PERCENTILE,
    GDRQ_CALIBRATE_SEARCH,
    GDRQ_CALIBRATE_BY_RULE, /* as threshold_activations= says: k*mean|x| for scale, else SEARCH */
} gdrq_calibration;
GDRQ_API gdrq_status gdrq_network_set_thresholds(struct network *net, gdrq_calibration how,
                                                 double share, gdrq_error *err);

/*
 * Gives a quantised layer other bits than its cfg does, to see what they cost: 2..8, or 0 for
 * floats. activation_bits are those of the tensor that it reads, and so of all layers that read it;
 * ignored for pixels. Thresholds are searched: those of the weights from now on whatever threshold=
 * says, and that of the tensor among the values that were counted (gdrq_network_counting()). On
 * the CPU only.
 */
GDRQ_API gdrq_status gdrq_network_set_bits(struct network *net, int layer, int weight_bits,
                                           int activation_bits, gdrq_error *err);

/*
 * What network_predict() does with batch norm's statistics from now on. Quantising a trained float
 * network shifts what its layers compute; these shift it back, each layer before the next one runs.
 * Batch norm inside recurrent and deconvolutional layers stays as it is. Fails for want of memory,
 * and with SHIFT of a network on a GPU.
 */
typedef enum gdrq_measuring {
    GDRQ_MEASURE_NOTHING, /* as ever; forgets what was measured */
    GDRQ_MEASURE_ANEW,    /* rolling ones become those of all images predicted since */
    /* Rolling ones move by what quantising changes for these images, each of which the network
       predicts twice: a training's statistics stay in force, and few images are enough. Recurrent
       layers see each image twice as well. */
    GDRQ_MEASURE_SHIFT,
} gdrq_measuring;
GDRQ_API gdrq_status gdrq_network_measuring(struct network *net, gdrq_measuring how,
                                            gdrq_error *err);

/*
 * While on, forward passes note how far the channels reach of tensors that depthwise layers of ours
 * alone read, and off forgets it. gdrq_network_equalise() then multiplies channels, and divides the
 * weights that read them, so that all channels of a tensor reach equally far and their one
 * threshold suits all of them; in float the network stays what it is. *tensors: of how many
 * (0: there are none). Fails for want of memory, and of a network on a GPU; equalise() where
 * thresholds of weights were learned before, and changes nothing then.
 */
GDRQ_API gdrq_status gdrq_network_equalising(struct network *net, bool on, gdrq_error *err);
GDRQ_API gdrq_status gdrq_network_equalise(struct network *net, int *tensors, gdrq_error *err);

/* Starts the count of iterations that quantize_after refers to anew, as -clear does. */
GDRQ_API void gdrq_network_restart(struct network *net);

/* The decay of the running mean of weights that [net] ema= asks for; 0 if it asks for none. */
GDRQ_API float gdrq_network_ema(const struct network *net);

/* Whether there is batch norm that gdrq_network_measuring() measures. */
GDRQ_API bool gdrq_network_has_statistics(const struct network *net);

/*
 * On how many training images batch norm's statistics are measured before the mean of weights is
 * measured or saved, as [net] ema_images= says. 0: they are a running mean, too, or there is no
 * batch norm that gdrq_network_measuring() measures.
 */
GDRQ_API int gdrq_network_ema_images(const struct network *net);

/* The pixels that [net] max_shift= moves training pictures by, at most; 0 without it. */
GDRQ_API int gdrq_network_max_shift(const struct network *net);

typedef enum gdrq_arrays {
    GDRQ_ARRAYS_WEIGHTS,   /* all that a weights file holds, batch norm's statistics included */
    GDRQ_ARRAYS_OPTIMISER, /* what updates carry over: momentum, adam's moments */
} gdrq_arrays;

/*
 * Calls visit for each of the network's own arrays of that kind. Which, their sizes and their order
 * depend on the cfg alone.
 */
typedef void gdrq_visit(void *user, float *data, size_t n);
GDRQ_API void gdrq_network_arrays(const struct network *net, gdrq_arrays which, gdrq_visit *visit,
                                  void *user);

/* The same for who only reads them: of a network on a GPU, nothing is copied back to it. */
typedef void gdrq_read(void *user, const float *data, size_t n);
GDRQ_API void gdrq_network_read_arrays(const struct network *net, gdrq_arrays which,
                                       gdrq_read *read, void *user);

/* Sets the number of updates that adam's corrections count, as when a training is resumed. */
GDRQ_API void gdrq_network_set_updates(struct network *net, int updates);

/*
 * Networks of one cfg that are trained side by side, each on images of its own and on a GPU of its
 * own, as -gpus 0,1 does; as the host's train_networks(), which does all of this with its
 * sync_nets().
 *
 * Calls task(user, i, err) for each of n networks, each in a thread of its own that is set to the
 * network's GPU, and waits for all. Returns the first that failed.
 */
typedef gdrq_status gdrq_network_task(void *user, int i, gdrq_error *err);
GDRQ_API gdrq_status gdrq_networks_each(struct network *const *nets, int n, gdrq_network_task *task,
                                        void *user, gdrq_error *err);

/* `to` becomes what `from` is as a training goes: weights, batch norm's statistics, thresholds,
 * what optimisers keep, and all counts. */
GDRQ_API gdrq_status gdrq_network_copy(struct network *from, struct network *to, gdrq_error *err);

/*
 * Each of n networks becomes the mean of all of them, in weights, batch norm's statistics,
 * thresholds and what optimisers keep: so any of them is then as good to save. Counts stay.
 */
GDRQ_API gdrq_status gdrq_networks_average(struct network *const *nets, int n, gdrq_error *err);

/* Counts iterations of the other networks, whose images and rounds a learning rate and
 * quantize_after go by as well. */
GDRQ_API void gdrq_network_count(struct network *net, int iterations);

typedef enum gdrq_stage { GDRQ_STAGE_FLOAT, GDRQ_STAGE_RESHAPE, GDRQ_STAGE_QUANTISE } gdrq_stage;

/*
 * Which stage the next training forward is in: FLOAT if no layer is quantised, RESHAPE while any
 * layer still clips without rounding, else QUANTISE.
 */
GDRQ_API gdrq_stage gdrq_network_stage(const struct network *net);

/* What gdrq_convert_cfg() writes; bits are 2..8 each. */
typedef struct gdrq_convert_options {
    int first_weight_bits;                      /* layers that read the network's input: 8 */
    int head_weight_bits, head_activation_bits; /* layers before yolo/region/softmax/cost: 8, 8 */
    int weight_bits, activation_bits;           /* all others: 4, 4 */
    const char *threshold; /* scale, search or learned, for all layers; NULL: not written */
} gdrq_convert_options;

GDRQ_API gdrq_convert_options gdrq_convert_defaults(void);

/*
 * Rewrites a stock cfg: every [convolutional] and [connected] becomes a gdrq_ section; comments,
 * order and everything else stay byte for byte. out_path is replaced atomically and may be in_path.
 */
GDRQ_API gdrq_status gdrq_convert_cfg(const char *in_path, const char *out_path,
                                      const gdrq_convert_options *options, gdrq_error *err);

/* Bits of a quantised layer in a cfg: 2..8, or 0 to leave those that it has. */
typedef struct gdrq_layer_bits {
    int layer; /* index in the network */
    int weight_bits, activation_bits;
} gdrq_layer_bits;

/*
 * Gives n quantised layers of a cfg these bits: a section whose bits differ gets keys of its own,
 * or other values of those that it has; all else stays byte for byte. Layers that read one tensor
 * must agree, as in any cfg. out_path is replaced atomically and may be in_path.
 */
GDRQ_API gdrq_status gdrq_cfg_set_bits(const char *in_path, const char *out_path,
                                       const gdrq_layer_bits *bits, int n, gdrq_error *err);

/*
 * Folds a trained network with quantised layers for deployment: batch norm and the steps of groups
 * and activations become one scale and bias per filter, and weights are packed at their width.
 * Writes a cfg with folded sections, the same layers in the same order, and its weights file
 * (gdrq_layers/model/FORMAT.md), which load and run as any others; what they compute is what the
 * trained network computes at inference, on the GPU where it is parsed for one: there batch norm
 * has another formula. [net] gets batch=1. Thresholds that were never set, backbones, and outputs
 * that would replace an input are errors. The two outputs are written as
 * gdrq_write_files_atomically() does. `note` as in gdrq_network_parse().
 */
GDRQ_API gdrq_status gdrq_fold(const char *cfg_path, const char *weights_path, const char *out_cfg,
                               const char *out_weights, gdrq_note *note, void *user,
                               gdrq_error *err);

/* How a folded layer compares with the one that it was made of; counts over all images so far. */
typedef struct gdrq_layer_match {
    bool folded;             /* else nothing below holds */
    bool exact;              /* all must be equal: the training graph's float sums can't round */
    size_t sums, equal_sums; /* integer sums, of layers whose training form keeps them */
    size_t values, equal_values;       /* outputs as floats */
    size_t codes, equal_codes;         /* outputs as codes, where an integer layer reads them */
    int worst_code;                    /* the largest difference between two codes */
    double worst_value, largest_value; /* the same of outputs as floats; the largest output */
} gdrq_layer_match;

/*
 * Compares a folded network, layer by layer, with the network that it was folded from, which has
 * just predicted one image (with a batch of 1 or gdrq_network_predict_pixels()): each folded layer
 * runs on the very codes that the trained one read, with the weights of the file that was loaded,
 * which is read again. Adds to matches[0..net->n).
 */
GDRQ_API gdrq_status gdrq_network_compare(const struct network *trained,
                                          const struct network *folded, gdrq_layer_match *matches,
                                          gdrq_error *err);

/* How a layer quantises: value = step * code with min <= code <= max. */
typedef struct gdrq_quantisation {
    int layer;       /* index in the network */
    bool connected;  /* else convolutional */
    int weight_bits; /* codes -Q to Q with Q = 2^(weight_bits - 1) - 1 */
    int groups; /* of filters/groups consecutive filters (or outputs), each with its own step */
    int filters;
    size_t filter_size;        /* weights of one filter */
    const float *weights;      /* filters * filter_size, as stored */
    const float *weight_codes; /* what they become, as floats */
    const float *weight_steps; /* groups; step * Q is the threshold T that a group is clipped at */

    /* Of the layer's input. Codes count from the zero code, so that code 0 is the value 0. */
    int input_bits, input_min, input_max;
    const char *input_range;           /* "pixels", "unsigned", "signed" or "offset" */
    int input_reader;                  /* the first layer that reads the same tensor */
    bool has_threshold;                /* else the two below are 0 */
    float input_threshold, input_step; /* T = step * input_max */
} gdrq_quantisation;

/*
 * How layer i quantises with the weights that it has now; false if it is not quantised or there is
 * no such layer. Pointers stay good as long as the network, and codes and steps until it runs. Of a
 * network on a GPU all of it is copied from there.
 */
GDRQ_API bool gdrq_network_quantisation(struct network *net, int i, gdrq_quantisation *q);

/*
 * What the layer would take of a folded network's file with weights of so many bits (2..8): these,
 * and the scale and bias of each filter.
 */
GDRQ_API size_t gdrq_quantisation_bytes(const gdrq_quantisation *q, int weight_bits);

enum {
    GDRQ_MOST_CODES = 256,
    GDRQ_BIN_THRESHOLDS = 3, /* bins reach from -3T to 3T */
    GDRQ_MOST_BINS = 2 * (2 * GDRQ_BIN_THRESHOLDS * (GDRQ_MOST_CODES - 1) + 1),
};

/*
 * What quantising did to some numbers. They are counted in steps, those of every group in its own,
 * so that groups with different thresholds add up to one picture. Zeroed, it is empty.
 */
typedef struct gdrq_distribution {
    int min, max;        /* codes of the grid; T is max steps */
    size_t n;            /* numbers */
    size_t below, above; /* those outside min..max steps, which clipping moved to the ends */
    double squares;      /* sum of x^2 */
    double lost;         /* sum of (x - Q(x))^2 */
    size_t codes[GDRQ_MOST_CODES]; /* [c - min]: numbers that became code c */
    int bins_per_code;             /* even: 0 and T lie between two bins */
    int n_bins;
    size_t bins[GDRQ_MOST_BINS]; /* numbers as they were; the outermost hold all beyond, too */
} gdrq_distribution;

/* Of all weights of the layer. Fails if one is not finite. */
GDRQ_API gdrq_status gdrq_weight_distribution(const gdrq_quantisation *q, gdrq_distribution *d,
                                              gdrq_error *err);

/*
 * Adds to inputs[i], for each quantised layer i of the network, what that layer has just read: call
 * it after gdrq_network_predict_pixels(). inputs has net->n elements, zeroed before the first call.
 * On the CPU only.
 */
GDRQ_API gdrq_status gdrq_network_add_inputs(const struct network *net, gdrq_distribution *inputs,
                                             gdrq_error *err);

/* The relative quantised loss |x - Q(x)|_2 / |x|_2; 0 if all numbers are 0. */
GDRQ_API double gdrq_distribution_loss(const gdrq_distribution *d);

/* The share of numbers that were clipped. */
GDRQ_API double gdrq_distribution_clipped(const gdrq_distribution *d);

/* How many of the max - min + 1 codes occur. */
GDRQ_API int gdrq_distribution_codes_used(const gdrq_distribution *d);

/*
 * How far the codes are from uniform: the total variation distance between their histogram and the
 * uniform one over all N = max - min + 1 codes, sum |share of c - 1/N| / 2. That is the share of
 * numbers that would have to take another code to make it uniform: 0 if all codes are as frequent,
 * 1 - 1/N if there is only one.
 */
GDRQ_API double gdrq_distribution_distance(const gdrq_distribution *d);

/* The left end of bin i, in steps; that of bin n_bins is the right end of the last. */
GDRQ_API double gdrq_distribution_bin(const gdrq_distribution *d, int i);

typedef enum gdrq_pixel_order { GDRQ_RGB, GDRQ_BGR } gdrq_pixel_order;

/* An 8-bit image with three interleaved channels; rows are `stride` bytes apart. */
typedef struct gdrq_pixels {
    const unsigned char *data;
    int w, h;
    size_t stride;
    gdrq_pixel_order order;
} gdrq_pixels;

/*
 * The one resize that evaluation, verification and deployment share: fits the image into
 * net_w x net_h keeping its proportions, centred, with a border of code 128. Bilinear with pixel
 * centres at half integers and 11-bit fixed-point weights, so that every machine gives the same
 * codes. `out` receives net_w*net_h*3 codes, planar RGB.
 */
GDRQ_API gdrq_status gdrq_letterbox(const gdrq_pixels *in, int net_w, int net_h, unsigned char *out,
                                    gdrq_error *err);

/*
 * The same with interleaved codes, RGB: an image of net_w x net_h, which gdrq_letterbox() and
 * gdrq_network_predict_pixels() take as it is. So a thread can fit the next frame while the network
 * runs on this one.
 */
GDRQ_API gdrq_status gdrq_letterbox_pixels(const gdrq_pixels *in, int net_w, int net_h,
                                           unsigned char *out, gdrq_error *err);

/*
 * network_predict() of one image, fitted into the network's input by gdrq_letterbox(): pixels go
 * into a folded network as they are, and as code/255 into any other. The network reads 3 channels.
 * What batch it is set to does not matter. *seconds (may be NULL) receives the time of the
 * network's run alone.
 */
GDRQ_API gdrq_status gdrq_network_predict_pixels(struct network *net, const gdrq_pixels *image,
                                                 double *seconds, gdrq_error *err);

enum { GDRQ_MOST_PIXEL_CLASSES = 255 }; /* the index behind is left for what has no class */

/* How many classes a network gives pixels whose last layer is [segmentation]; 0 for any other. */
GDRQ_API int gdrq_network_pixel_classes(const struct network *net);

/*
 * The class of each of the image's pixels, classes[y * image->w + x], by such a network:
 * gdrq_network_predict_pixels() without its softmax, which changes no order, and
 * gdrq_network_classes(). The network's output is not computed. With classes NULL it only runs:
 * gdrq_network_classes() then tells those of a picture that gdrq_letterbox_pixels() made `image`
 * of.
 */
GDRQ_API gdrq_status gdrq_network_segment(struct network *net, const gdrq_pixels *image,
                                          unsigned char *classes, double *seconds, gdrq_error *err);

/*
 * The same for a picture of w x h that the network has just run on: of the scores that its last
 * layer reads, the class of the nearest one, of equal ones the first; scores that are not finite
 * are an error. Nothing is allocated from the second frame on.
 */
GDRQ_API gdrq_status gdrq_network_classes(struct network *net, int w, int h, unsigned char *classes,
                                          gdrq_error *err);

/*
 * Runs layers first.. of a network that is not folded again, on what the layers before left there
 * in gdrq_network_predict_pixels(): for comparing what changes of one layer do to the outputs.
 */
GDRQ_API gdrq_status gdrq_network_predict_again(struct network *net, int first, gdrq_error *err);

/* The host's: a box with the score of each class; include darknet.h to look inside. */
struct detection;

/* What of a network's outputs counts as a box. */
typedef struct gdrq_box_options {
    float thresh;        /* scores above it */
    float hier;          /* the same for going down a class tree */
    float nms;           /* overlap (IoU) above which the lesser of two boxes goes; 0: all stay */
    bool nms_objectness; /* compare objectness for all classes at once, not scores class by class */
    const int *map;      /* of a class tree: 200 of its classes; NULL: none */
} gdrq_box_options;

/*
 * Memory for boxes, which grows when a network needs more: frame after frame nothing is allocated.
 * NULL when memory is out. One at a time may use it.
 */
typedef struct gdrq_boxes gdrq_boxes;
GDRQ_API gdrq_boxes *gdrq_boxes_new(void);
GDRQ_API void gdrq_boxes_free(gdrq_boxes *boxes);

/*
 * The boxes of [yolo], [region] and [detection] layers after a forward pass, of image 0, in parts
 * of the sides of a picture of w x h that gdrq_letterbox() fitted in: what get_network_boxes() and
 * do_nms_sort() (or do_nms_obj()) find. (*found)[0..*n) lies in `boxes` until the next call.
 */
GDRQ_API gdrq_status gdrq_network_boxes(struct network *net, int w, int h,
                                        const gdrq_box_options *options, gdrq_boxes *boxes,
                                        struct detection **found, int *n, gdrq_error *err);

/* Where time goes. Seconds are of one image; texts are not to be freed. */
typedef struct gdrq_timing {
    double median, least; /* seconds */
    double macs;          /* multiply-accumulates of convolutions and connected layers */
    double bytes;         /* of input, output and weights, read or written once */
    const char *type;     /* of the layer, as its stock section is called; "" in totals */
    const char *kernel;
} gdrq_timing;

/*
 * Runs the network `runs` times on random pixels, after a few that don't count: layers[0..net->n)
 * receive the time of each layer, *total that of the whole network, both without the host's own
 * reading of boxes.
 */
GDRQ_API gdrq_status gdrq_network_bench(struct network *net, int runs, gdrq_timing *layers,
                                        gdrq_timing *total, gdrq_error *err);

/* Random codes, scales and steps for a folded network, to measure its speed without a file. */
GDRQ_API gdrq_status gdrq_network_randomise(struct network *net, gdrq_error *err);

/*
 * Multiply-accumulates of 8-bit numbers per second that the instruction set in use can do on all
 * threads, measured (0: not known), and the name of that set.
 */
GDRQ_API double gdrq_machine_peak(void);
GDRQ_API const char *gdrq_machine_cpu(void);

/*
 * Writes a file so that it is complete or untouched: `write` fills a temporary file beside `path`
 * by its descriptor, which is then synced and renamed over `path`.
 */
typedef gdrq_status gdrq_write_fn(void *user, int fd, gdrq_error *err);
GDRQ_API gdrq_status gdrq_write_atomically(const char *path, gdrq_write_fn *write, void *user,
                                           gdrq_error *err);

/*
 * The same for files that belong together: all are complete before the first is put in place, so
 * that a full disk leaves all of the old ones. Only a process that is killed, or a file system that
 * fails, between one rename and the next leaves new beside old; they are in the order given.
 */
typedef struct gdrq_output {
    const char *path;
    gdrq_write_fn *write;
    void *user;
} gdrq_output;
GDRQ_API gdrq_status gdrq_write_files_atomically(const gdrq_output *outputs, int n,
                                                 gdrq_error *err);

#ifdef __cplusplus
}
#endif
#endif
