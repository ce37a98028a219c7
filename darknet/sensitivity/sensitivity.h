/* What the bits of each quantised layer cost: the numbers of `darknet gdrq sensitivity`. */
#ifndef SENSITIVITY_SENSITIVITY_H
#define SENSITIVITY_SENSITIVITY_H

#include "darknet.h"
#include "gdrq.h"
#include "image/picture_paths.h"
#include "sensitivity/bits.h"

/*
 * Errors are in per cent of the outputs' energy, 100 * sum |yq - y|^2 / sum |y|^2 over all pictures
 * and outputs, or, with a metric, what it falls by in points.
 */
typedef struct sensitive_layer {
    gdrq_quantisation quantisation; /* as the cfg has it; without pointers */
    char shape[64];                 /* "3x3, 16 to 32" */
    double macs;
    bool reads_pixels;
    bool has_tensor; /* it is the first reader of its input, which is not pixels */
    double weight_errors[BITS_END], activation_errors[BITS_END]; /* by bits; NAN: not measured */
} sensitive_layer;

typedef struct sensitivity {
    const char *cfg, *weights, *images, *data; /* paths; data NULL: errors are those of outputs */
    bit_set weight_bits, activation_bits;      /* what is measured */
    network *net;
    picture_paths paths;
    struct metric *metric;   /* NULL: none */
    double float_points;     /* of the metric, in float */
    sensitive_layer *layers; /* the quantised ones */
    int n;
} sensitivity;

/*
 * Reads the network and all else that *s names the paths of. activation_bits gain those of the cfg.
 * Free with sensitivity_free(), whatever it returns.
 */
gdrq_status sensitivity_open(sensitivity *s, gdrq_error *err);

/* Fills in the errors of each layer alone. Ends with GDRQ_ERROR_STATE on stop_signal(). */
gdrq_status sensitivity_run(sensitivity *s, gdrq_error *err);

/* Bits of all layers at once, bits[0..s->n). */
typedef struct layer_bits {
    int weights, activations;
} layer_bits;

/* The error of the network with each of n choices of bits. */
gdrq_status sensitivity_measure(sensitivity *s, const layer_bits *const *bits, int n,
                                double *errors, gdrq_error *err);

/*
 * What a layer's errors say that `bits` cost: no less than more bits do, nor than 0, since what a
 * metric falls by with few images is as often below the truth as above it. NAN: not measured.
 */
double sensitivity_error(const double errors[BITS_END], int bits);

/* What these of single layers add up to; NAN if one of them was not measured. */
double sensitivity_sum(const sensitivity *s, const layer_bits *bits);

/* Packed weights, scales and biases in bytes, and the mean bits of a weight. */
double sensitivity_bytes(const sensitivity *s, const layer_bits *bits);
double sensitivity_mean_bits(const sensitivity *s, const layer_bits *bits);

/* The bits that the cfg has. */
void sensitivity_cfg_bits(const sensitivity *s, layer_bits *bits);

/* "%" or "points" */
const char *sensitivity_unit(const sensitivity *s);

void sensitivity_free(sensitivity *s);

/* Weights of a layer. */
size_t sensitive_layer_weights(const sensitive_layer *l);

#endif
