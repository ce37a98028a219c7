/*
 * The quantising of a layer's input on the GPU, where T lives too: no step of it waits for the
 * host. All only queue their work.
 */
#ifndef GDRQ_QUANT_CUDA_ACTIVATIONS_H
#define GDRQ_QUANT_CUDA_ACTIVATIONS_H

#include "gdrq.h"
#include "quant/running_threshold.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GDRQ_CUDA_SUMS = 1024 }; /* partial sums that passes over a tensor leave at most */

/* What one layer reads, all in the GPU's memory. */
typedef struct gdrq_cuda_input {
    gdrq_running_threshold *threshold; /* shared by all layers that read the tensor */
    gdrq_grid *grid;                   /* the layer's own: as its last forward used it */
    double *sums;                      /* room for GDRQ_CUDA_SUMS */
} gdrq_cuda_input;

/* How a forward treats T. */
typedef struct gdrq_cuda_observing {
    bool first_reader; /* the first layer of this forward that reads the tensor */
    bool observes;     /* T is to move if it follows what is read */
    bool always;       /* T moves even if it would not follow: calibrating */
} gdrq_cuda_observing;

/*
 * codes[i] = x[i] on the grid of T, clipped and, with `round`, rounded; the grid stays in in->grid.
 * T moves as gdrq_threshold_commit(), _start() and _observe() say.
 */
gdrq_status gdrq_cuda_quantise_input(const gdrq_cuda_input *in, const float *x, size_t n,
                                     gdrq_cuda_observing how, bool round, float *codes,
                                     gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
