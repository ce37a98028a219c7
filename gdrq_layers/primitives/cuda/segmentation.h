/*
 * What [segmentation] computes (primitives/segmentation_layer.h), on the GPU and queued as our
 * kernels are. Probabilities and gradients are to the bit those of the CPU, but for denormals,
 * which a CPU may flush to zero; losses differ by rounding. All arrays are in the GPU's memory.
 */
#ifndef GDRQ_PRIMITIVES_CUDA_SEGMENTATION_H
#define GDRQ_PRIMITIVES_CUDA_SEGMENTATION_H

#include "gdrq.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Arrays of batch * classes * pixels, [image][class][pixel], but for these two. */
typedef struct gdrq_cuda_segmentation {
    int batch, classes;
    size_t pixels;              /* of an image */
    const float *class_weights; /* classes */
    const float *truth;         /* batch * pixels; NULL: only probabilities are wanted */
    const float *scores;
    float *probabilities;
    float *delta; /* the direction of descent */
    float *loss;  /* room to work in; [0] becomes the loss of the batch */
} gdrq_cuda_segmentation;

gdrq_status gdrq_cuda_segment(const gdrq_cuda_segmentation *s, gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
