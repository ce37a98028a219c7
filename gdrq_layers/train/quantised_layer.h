/*
 * What all layers share that train with low-bit weights and activations (GDRQ, arXiv 1908.01477):
 * their state, the quantising of weights and input, the straight-through gradient and the reshape
 * stage. gdrq_convolutional_layer.h and gdrq_connected_layer.h add the product of the two.
 *
 * To the host such a layer keeps its stock type, with weights, biases and batch norm where they
 * always are, so that saving, loading and visualising go on working; what quantising needs hangs on
 * l.self_layer, which the host leaves alone for these types.
 *
 * Forward: the weights and the input become integer-valued floats (codes), an ordinary float
 * product runs on them, and one factor per filter, step_w[group] * step_x, makes its sums real
 * values. While |sum| < 2^24 the sums are exact, so an integer engine gets the very same ones.
 * At inference (net.train = 0) all that follows is act(scale*sum + bias), with scale and bias from
 * gdrq_batchnorm_fold().
 *
 * "Filters" are also the outputs of a connected layer.
 */
#ifndef GDRQ_TRAIN_QUANTISED_LAYER_H
#define GDRQ_TRAIN_QUANTISED_LAYER_H

#include "darknet.h"
#include "gdrq.h"
#include "quant/options.h"
#include "quant/running_threshold.h"

/* What all quantised layers of one network share; lives as long as the network. */
typedef struct gdrq_training {
    bool calibrating;  /* forwards with net.train = 0 move the thresholds too */
    bool unquantised;  /* forwards with net.train = 0 take weights and inputs as they are */
    bool keeps_sums;   /* those of the GPU leave what batch norm reads in x_gpu */
    int64_t iteration; /* updates since the start of this training; saved with the thresholds */
    int64_t start;     /* iteration - the host's count of updates (update_args.t) */
} gdrq_training;

typedef struct gdrq_quantised {
    gdrq_layer_options options;
    gdrq_training *training;         /* shared, not owned */
    gdrq_running_threshold *input;   /* T of the tensor that it reads; shared, not owned */
    int index;                       /* of the layer in its network */
    bool float_weights, float_input; /* taken as they are at inference, for comparisons */
    int filters;
    size_t filter_size;  /* weights of one filter */
    gdrq_grid grid;      /* of the input, as the last forward used it */
    float *weight_codes; /* filters * filter_size */
    float *weight_steps; /* quant_groups */
    /* Of learned thresholds, else NULL; quant_groups of each. */
    float *weight_thresholds;
    gdrq_threshold_optimiser *weight_optimisers;
    bool weight_thresholds_set;
    /* What inference searched last, and what for: it stays while the weights do. */
    float *searched_thresholds;
    struct {
        bool valid;
        int bits;
        uint64_t weights; /* fingerprint */
    } searched;
    float *channel_weights; /* l->c, while a convolution's input is counted; else NULL */
    float *factor;          /* filters: weight step * activation step */
    float *scale, *bias;    /* filters: what batch norm comes to */
    float *input_codes;     /* batch * inputs; backward leaves the input's gradient here */
    size_t input_capacity;  /* floats in input_codes */
    struct gdrq_quantised_gpu
        *gpu; /* train/cuda/quantised_gpu.h; NULL: the network is not on one */
} gdrq_quantised;

/* ---- for the network that holds the layer ---- */

/* The state of a quantised layer, NULL for any other layer. */
gdrq_quantised *gdrq_quantised_state(const layer *l);

/* Makes room for `batch` images of `inputs` values; called before a resize takes effect. */
gdrq_status gdrq_quantised_resize(gdrq_quantised *q, int batch, int inputs, gdrq_error *err);

/* Learned weight thresholds are unset again; nothing for any other layer. */
void gdrq_quantised_forget(const layer *l);

/*
 * While on, values of a convolution's input that are counted count by their channels
 * (train/channel_weights.h) as its weights are now; nothing for any other layer. False: out of
 * memory.
 */
bool gdrq_quantised_weight_channels(layer *l, bool on);

/* Frees what a quantised layer has beyond a stock one; nothing for any other layer. */
void gdrq_quantised_free(layer *l);

/* GDRQ_ERROR_STATE if the threshold of the layer's input was never set, so it can't infer. */
gdrq_status gdrq_quantised_check(const gdrq_quantised *q, gdrq_error *err);

/*
 * The numbers that inference computes with, as they are now: the codes of the weights, and scale
 * and bias of each filter, so that y = activation(scale*sum + bias). In weight_codes, scale, bias.
 * Of a layer on the GPU, the weights that count are there; scales, biases and statistics are the
 * host's, and batch norm's formula is the GPU's.
 */
void gdrq_quantised_fold(gdrq_quantised *q, const layer *l);

/* Whether the next training forward only clips (GDRQ's reshape stage). */
bool gdrq_quantised_reshapes(const gdrq_quantised *q);

/* ---- for the types of layer ---- */

/*
 * Gives a parsed stock layer of type CONVOLUTIONAL or CONNECTED its state, with buffers for
 * l->batch, and takes away what only the stock functions need. On failure the layer is as it was.
 */
gdrq_status gdrq_quantised_make(layer *l, int index, const gdrq_layer_options *options,
                                gdrq_running_threshold *input, gdrq_training *training,
                                gdrq_error *err);

/* A forward's codes of input and weights, and the factors of their sums; ends the program where
   the layer can't infer. */
void gdrq_quantised_begin_forward(gdrq_quantised *q, const layer *l, const network *net);

/* Where a forward leaves its sums: batch norm's backward needs them again. */
float *gdrq_quantised_sums(const layer *l);

/*
 * Whether the gradient of the quantised weights is to come as an array of its own, since more
 * happens to it than being added up.
 */
bool gdrq_quantised_wants_weight_gradient(const gdrq_quantised *q);

/*
 * Adds up dL/dw and the gradients of learned weight thresholds, given dL/d(quantised w)/step_x in
 * `gradient`, which is overwritten.
 */
void gdrq_quantised_add_weight_gradient(gdrq_quantised *q, const layer *l, float *gradient);

/* Whether the gradient of the layer's input is needed whatever comes before the layer. */
bool gdrq_quantised_learns_input(const gdrq_quantised *q);

/*
 * delta += dL/dx, given dL/d(quantised x) in input_codes: passed on where x is representable. Adds
 * up the gradient of a learned activation threshold. delta may be NULL.
 */
void gdrq_quantised_pass_gradient(const gdrq_quantised *q, const layer *l, const float *x,
                                  float *delta);

/*
 * Counts the iteration that an update ends. Whether it was one of the reshape stage.
 */
bool gdrq_quantised_count_update(gdrq_quantised *q, const update_args *a);

/* Ends an update: moves learned thresholds, counts the iteration, and in the reshape stage projects
   the weights. */
void gdrq_quantised_end_update(gdrq_quantised *q, const layer *l, const update_args *a);

#endif
