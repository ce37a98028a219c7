/* The host's 14 activations and their gradients, vectorised and threaded. */
#ifndef GDRQ_PRIMITIVES_ACTIVATION_H
#define GDRQ_PRIMITIVES_ACTIVATION_H

#include <stddef.h>

#include "darknet.h"

/* x[i] = a(x[i]) for i < n. */
void gdrq_activate(float *x, size_t n, ACTIVATION a);

/* delta[i] *= a'(.) for i < n, from the activated value y[i], as the host defines it. */
void gdrq_activation_gradient(const float *y, size_t n, ACTIVATION a, float *delta);

#endif
