/*
 * quantised_layer.h on the GPU: the same state in the GPU's memory, and the same steps as kernels.
 * The host's copies of thresholds (q->weight_thresholds, q->input) are as they were when they were
 * last pulled. Inside of forward, backward and update nothing waits for the GPU, but for the first
 * forward in training, which allocates.
 */
#ifndef GDRQ_TRAIN_CUDA_QUANTISED_GPU_H
#define GDRQ_TRAIN_CUDA_QUANTISED_GPU_H

#include "quant/cuda/gradient.h"
#include "train/quantised_layer.h"

typedef struct gdrq_quantised_gpu {
    gdrq_cuda_input input;
    gdrq_cuda_groups groups;
    float *weight_codes, *weight_steps, *factor;
    float *used_weights;   /* as the last training forward used them, code * step; or NULL */
    float *input_codes;    /* batch * inputs; backward leaves the input's gradient here */
    size_t input_capacity; /* floats in input_codes */
    float *thresholds;     /* of groups: learned ones, or what was searched; NULL: k * mean|w| */
    uint64_t *prints;      /* with thresholds: of the weights that were searched */
    void *search_room;     /* with thresholds of large groups */
    bool searched;         /* thresholds are what a search found, prints what for */
    gdrq_threshold_optimiser *optimisers; /* of learned ones, else NULL */
    float *weight_gradient;               /* NULL: it is added to the updates as it comes */
    double *statistics;
    float *one; /* 1, where cuBLAS takes factors from the GPU's memory */
} gdrq_quantised_gpu;

/* ---- for the network that holds the layer ---- */

/* Gives a quantised layer what it needs on the GPU. On failure the message names the layer. */
gdrq_status gdrq_quantised_gpu_make(gdrq_quantised *q, const layer *l, gdrq_error *err);
gdrq_status gdrq_quantised_gpu_resize(gdrq_quantised *q, int batch, int inputs, gdrq_error *err);
void gdrq_quantised_gpu_free(gdrq_quantised *q);

/* Thresholds and what their optimisers keep, to the GPU (after a load) and back (before a save). */
gdrq_status gdrq_quantised_gpu_push(gdrq_quantised *q, gdrq_error *err);
gdrq_status gdrq_quantised_gpu_pull(gdrq_quantised *q, gdrq_error *err);

/* ---- for the types of layer; what fails ends the program ---- */

/* The codes and steps of the weights as inference has them, to the host's arrays. */
void gdrq_quantised_gpu_pull_weights(gdrq_quantised *q, const layer *l);

/* Codes of input and weights, and the factors of their sums; with `keeps_weights` used_weights,
   too, for a backward that needs them. */
void gdrq_quantised_gpu_begin_forward(gdrq_quantised *q, const layer *l, const network *net,
                                      bool keeps_weights);

/* l->output_gpu from sums to the layer's output. */
void gdrq_quantised_gpu_end_forward(const gdrq_quantised *q, const layer *l, const network *net);

/* l->delta_gpu from dL/d(output) to dL/d(factor * sums), adding up gradients of biases and scales.
 */
void gdrq_quantised_gpu_backward_to_sums(const gdrq_quantised *q, const layer *l);

/*
 * sums of products for dL/dw, C[m][n] += A[m][k] * transposed B[n][k]: into l->weight_updates_gpu,
 * times the input's step, or, where the gradient is needed by itself, into weight_gradient, whose
 * old values the `first` product of a backward replaces. `offset` floats into that array.
 */
void gdrq_quantised_gpu_multiply_weight_gradient(const gdrq_quantised *q, const layer *l,
                                                 bool transpose_a, bool transpose_b, int m, int n,
                                                 int k, const float *a, const float *b,
                                                 size_t offset, bool first);
/* All of it at once, of a depthwise convolution. */
void gdrq_quantised_gpu_add_depthwise_gradient(const gdrq_quantised *q, const layer *l,
                                               const gdrq_cuda_columns_shape *shape);
/* After the last of these products. */
void gdrq_quantised_gpu_end_weight_gradient(const gdrq_quantised *q, const layer *l);

/* Ends a backward that gave gradients of the input: those of a learned T. n: as in the passes. */
void gdrq_quantised_gpu_end_input_gradient(const gdrq_quantised *q, const layer *l, size_t n);

void gdrq_quantised_gpu_end_update(gdrq_quantised *q, const layer *l, const update_args *a);

/* C[m][n] = A[m][k] * B[k][n] + beta*C, of row-major matrices without gaps, either transposed. */
void gdrq_gpu_multiply(bool transpose_a, bool transpose_b, int m, int n, int k, const float *a,
                       const float *b, float beta, float *c);

#endif
