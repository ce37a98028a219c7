/* Kernels (base/kernels.h) that several files of this folder use. */
#ifndef GDRQ_PRIMITIVES_KERNELS_H
#define GDRQ_PRIMITIVES_KERNELS_H

#include <stddef.h>

#include "base/kernels.h"
#include "primitives/lanes.h"

#include "darknet.h"

/* As gdrq_activate() and gdrq_activation_gradient(), in the calling thread alone. */
void gdrq_activate_block(float *x, size_t n, ACTIVATION a);
void gdrq_activation_gradient_block(const float *y, size_t n, ACTIVATION a, float *delta);

/* y += a * x, in the calling thread alone. x may be y, else they must not overlap. */
void gdrq_add_scaled_block(float a, const float *x, size_t n, float *y);

#endif
