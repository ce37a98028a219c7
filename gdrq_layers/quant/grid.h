/*
 * Quantisation grids: which integer codes a tensor of b bits uses and what a code is worth. Codes
 * are kept relative to the zero code throughout training, so that value = step * code for every
 * range, and a padded position is code 0.
 */
#ifndef GDRQ_QUANT_GRID_H
#define GDRQ_QUANT_GRID_H

#include "quant/options.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gdrq_grid {
    float step;     /* value of one code; 0 if the threshold is 0 (a tensor of zeros) */
    float inv_step; /* the one float32 1/step that all paths multiply by; 0 if step is 0 */
    int min, max;   /* codes relative to the zero code, e.g. [-7, 7], [0, 15], [-1, 14] */
    int zero;       /* the zero code z of the stored, unsigned form; 0 unless the range is offset */
} gdrq_grid;

/* The slope of the host's leaky activation, which offset ranges are made for. */
#define GDRQ_LEAKY_SLOPE .1f

/* Weights of `bits`: codes [-Q, Q] with Q = 2^(bits-1) - 1 and step = T/Q. */
gdrq_grid gdrq_weight_grid(int bits, float threshold);

/*
 * Activations of `bits` in a range that is not AUTO. `slope` is the leaky slope that an OFFSET
 * range is made for: z = round(slope*(2^bits - 1)/(1 + slope)), step = T/(2^bits - 1 - z).
 */
gdrq_grid gdrq_activation_grid(int bits, gdrq_range range, float slope, float threshold);

#ifdef __cplusplus
}
#endif

#endif
