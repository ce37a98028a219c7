/*
 * Values that lie apart on the one side of a layer and together on the other, on the GPU and queued
 * as our kernels are, to the bit what primitives/upsample_layer.c and reorg_layer.c compute. All
 * arrays are in the GPU's memory; x and y don't overlap.
 */
#ifndef GDRQ_PRIMITIVES_CUDA_SPREAD_H
#define GDRQ_PRIMITIVES_CUDA_SPREAD_H

#include "gdrq.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `planes` of w x h values on the small side, of stride*w x stride*h on the large one. */
typedef struct gdrq_cuda_upsampling {
    int planes, w, h, stride;
    float scale;
} gdrq_cuda_upsampling;

/* Every value of the large side y becomes, or with `adds` grows by, scale * its small one. */
gdrq_status gdrq_cuda_spread(const gdrq_cuda_upsampling *u, const float *x, bool adds, float *y,
                             gdrq_error *err);

/* Every value of the small side y becomes, or with `adds` grows by, the sum of scale * its large
   ones, row by row. */
gdrq_status gdrq_cuda_gather(const gdrq_cuda_upsampling *u, const float *x, bool adds, float *y,
                             gdrq_error *err);

/*
 * A batch of w x h x c values, packed, and the same spread: over (stride*w) x (stride*h) x
 * c/stride^2 as the host's [reorg] has them, or flattened, channel by channel of each position.
 */
typedef struct gdrq_cuda_reorganisation {
    int batch, w, h, c, stride;
    bool flattens, spreads; /* y is the spread side */
} gdrq_cuda_reorganisation;

/* y += x in the other's order. */
gdrq_status gdrq_cuda_add_reorganised(const gdrq_cuda_reorganisation *r, const float *x, float *y,
                                      gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
