/* What the cfg keys of a quantised layer say; the key table is in README.md. */
#ifndef GDRQ_QUANT_OPTIONS_H
#define GDRQ_QUANT_OPTIONS_H

#include <stdbool.h>

/* How a clipping threshold T is found. */
typedef enum gdrq_threshold {
    GDRQ_THRESHOLD_SCALE,   /* T = k * mean|x| (Scale-Clip, arXiv 1908.01477) */
    GDRQ_THRESHOLD_SEARCH,  /* T minimises the quantised loss (quant/search.h) */
    GDRQ_THRESHOLD_LEARNED, /* T starts from SEARCH and is trained (quant/gradient.h) */
} gdrq_threshold;

/* Which codes an activation tensor of b bits uses. */
typedef enum gdrq_range {
    GDRQ_RANGE_AUTO,     /* from what the tensor's producers can output */
    GDRQ_RANGE_UNSIGNED, /* [0, 2^b - 1] */
    GDRQ_RANGE_SIGNED,   /* [-(2^(b-1) - 1), 2^(b-1) - 1] */
    GDRQ_RANGE_OFFSET,   /* [0, 2^b - 1] with a zero code z > 0 for a small negative tail */
} gdrq_range;

/* What the reshape stage does to weights beyond [-T, T]. */
typedef enum gdrq_reshape {
    GDRQ_RESHAPE_PROJECT, /* the stored weights are clipped after each update */
    GDRQ_RESHAPE_COPY,    /* only the copy that the convolution uses is clipped */
} gdrq_reshape;

/* Where the gradient of quantised weights passes. */
typedef enum gdrq_weight_gradient {
    GDRQ_WEIGHT_GRADIENT_PASS, /* everywhere */
    GDRQ_WEIGHT_GRADIENT_MASK, /* where the weight lies in [-T, T] */
} gdrq_weight_gradient;

typedef struct gdrq_layer_options {
    int weight_bits, activation_bits; /* 2..8 */
    int quant_groups;               /* G groups of filters/G consecutive filters; divides filters */
    float k_weights, k_activations; /* k of Scale-Clip, > 0 */
    bool has_usual_k;               /* k_activations is the bits' usual one, which no key says */
    gdrq_threshold threshold_weights, threshold_activations;
    int search_norm;       /* p of the quantised loss, 1..4 */
    float threshold_rate;  /* of learned T: times the layer's learning rate */
    float threshold_decay; /* of learned T, as [net] decay= of weights */
    gdrq_weight_gradient weight_gradient;
    gdrq_range activation_range;
    float activation_momentum; /* lambda of T's running mean, (0, 1] */
    int quantize_after;        /* iterations of the reshape stage, >= 0 */
    gdrq_reshape reshape;
} gdrq_layer_options;

/* Whether weights and activations can have so many bits. */
static inline bool gdrq_are_bits(int bits) {
    return bits >= 2 && bits <= 8;
}

/*
 * k where the cfg says nothing. Weights of few bits: 2, which a uniform distribution exactly fills
 * and which training reshapes them towards; with more bits the steps are fine enough to keep the
 * tails, up to 10 for 8 bits. Activations, of which many are zero: 10, and 14 from 4 bits on, which
 * docs/accuracy.md measures. With 8 bits a network that was trained in float keeps most of its
 * accuracy unretrained by these (2 and 6 lose nearly all).
 */
float gdrq_default_k_weights(int bits);
float gdrq_default_k_activations(int bits);

#endif
