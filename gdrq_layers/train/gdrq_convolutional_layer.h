/*
 * [gdrq_convolutional]: a convolutional layer that trains with low-bit weights and activations
 * (GDRQ, arXiv 1908.01477). To the host it stays a layer of type CONVOLUTIONAL with its weights,
 * biases and batch norm where they always are, so that saving, loading and visualising go on
 * working; what quantising needs hangs on l.self_layer, which the host leaves alone for this type.
 *
 * Forward: the weights and the input become integer-valued floats (codes), an ordinary float
 * convolution runs on them, and one factor per filter, step_w[group] * step_x, makes its sums real
 * values. While |sum| < 2^24 the sums are exact, so an integer engine gets the very same ones.
 * At inference (net.train = 0) all that follows is act(scale*sum + bias), with scale and bias from
 * gdrq_batchnorm_fold().
 */
#ifndef GDRQ_TRAIN_GDRQ_CONVOLUTIONAL_LAYER_H
#define GDRQ_TRAIN_GDRQ_CONVOLUTIONAL_LAYER_H

#include "darknet.h"
#include "gdrq.h"
#include "quant/options.h"
#include "quant/running_threshold.h"

/* What all quantised layers of one network share; lives as long as the network. */
typedef struct gdrq_training {
    bool calibrating;  /* forwards with net.train = 0 move the thresholds too */
    int64_t iteration; /* updates since the start of this training; saved with the thresholds */
    int64_t start;     /* iteration - the host's count of updates (update_args.t) */
} gdrq_training;

typedef struct gdrq_convolutional {
    gdrq_layer_options options;
    gdrq_training *training;       /* shared, not owned */
    gdrq_running_threshold *input; /* T of the tensor that it reads; shared, not owned */
    int index;                     /* of the layer in its network */
    gdrq_grid grid;                /* of the input, as the last forward used it */
    float *weight_codes;           /* nweights */
    float *weight_steps;           /* quant_groups */
    float *factor;                 /* filters: weight step * activation step */
    float *scale, *bias;           /* filters: what batch norm comes to */
    float *input_codes;            /* batch * inputs; backward leaves the input's gradient here */
    size_t input_capacity;         /* floats in input_codes */
} gdrq_convolutional;

/*
 * Turns a parsed stock convolutional layer into a quantised one. Buffers are sized for l->batch.
 * On failure the layer is as it was.
 */
gdrq_status make_gdrq_convolutional_layer(layer *l, int index, const gdrq_layer_options *options,
                                          gdrq_running_threshold *input, gdrq_training *training,
                                          gdrq_error *err);

/* The state of a quantised layer, NULL for any other layer. */
gdrq_convolutional *gdrq_convolutional_state(const layer *l);

/* Makes room for `batch` images of l->inputs values; called before a resize takes effect. */
gdrq_status resize_gdrq_convolutional_layer(layer *l, int batch, int inputs, gdrq_error *err);

void free_gdrq_convolutional_layer(layer *l);

/* GDRQ_ERROR_STATE if the threshold of the layer's input was never set, so it can't infer. */
gdrq_status gdrq_convolutional_check(const gdrq_convolutional *state, gdrq_error *err);

/* Whether the next training forward only clips (GDRQ's reshape stage). */
bool gdrq_convolutional_reshapes(const gdrq_convolutional *state);

void forward_gdrq_convolutional_layer(layer l, network net);
void backward_gdrq_convolutional_layer(layer l, network net);
void update_gdrq_convolutional_layer(layer l, update_args a);

#endif
