/*
 * Gradients of quantisers. Rounding is passed straight through, so that of a value passes where the
 * value lies in the grid's representable range [min*step, max*step]. That of a learned threshold is
 * LSQ's (arXiv 1902.08153; for what is clipped, PACT's, arXiv 1805.06085): with r(x) = x/step,
 *
 *   dQ(x)/dstep = round(r) - r  inside of the representable range,
 *                 min or max    (the code that x is clipped to) outside.
 */
#ifndef GDRQ_QUANT_GRADIENT_H
#define GDRQ_QUANT_GRADIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "quant/grid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of activations: delta[i] += dx[i] where x[i] is in the representable range, else nothing. */
void gdrq_add_straight_through(const float *x, size_t n, const gdrq_grid *grid, const float *dx,
                               float *delta);

/* dL/dstep, given dL/dQ(x): the sum of gradient[i] * dQ(x[i])/dstep. `round` as in the forward. */
double gdrq_step_gradient(const float *x, size_t n, const gdrq_grid *grid, bool round,
                          const float *gradient);

/* Both of the above in one pass; delta may be NULL. Returns dL/dstep. */
double gdrq_pass_and_step_gradient(const float *x, size_t n, const gdrq_grid *grid, bool round,
                                   const float *dx, float *delta);

/*
 * What dL/dstep is multiplied by to become T's gradient for the optimiser, so that T and the
 * weights move at like rates whatever their sizes: LSQ's 1/sqrt(n*Q) for the step (section 2.2),
 * and T = Q*step moves Q times as far as the step, Q = grid->max: sqrt(Q/n). n: weights of a group,
 * or values of a tensor per image. (Adam makes up for any scale by itself.)
 */
float gdrq_threshold_gradient_scale(int top, size_t n);

/* gradient[i] = 0 where x[i] is not in the grid's representable range. */
void gdrq_mask_gradient(const float *x, size_t n, const gdrq_grid *grid, float *gradient);

#ifdef __cplusplus
}
#endif

#endif
