/* The host's loops over vectors, threaded where they are long. */
#ifndef GDRQ_PRIMITIVES_BLAS_H
#define GDRQ_PRIMITIVES_BLAS_H

#include <stddef.h>

/* y += a * x over n values. x may be y, else they must not overlap. */
void gdrq_add_scaled(float a, const float *x, size_t n, float *y);

/*
 * The host's functions: for N elements that lie INCX (INCY) floats apart, to the bit what its
 * serial loops give, vectors that overlap included.
 */
void gdrq_fill_cpu(int N, float ALPHA, float *X, int INCX);                     /* X = ALPHA */
void gdrq_copy_cpu(int N, float *X, int INCX, float *Y, int INCY);              /* Y = X */
void gdrq_axpy_cpu(int N, float ALPHA, float *X, int INCX, float *Y, int INCY); /* Y += ALPHA*X */
void gdrq_scal_cpu(int N, float ALPHA, float *X, int INCX);                     /* X *= ALPHA */

#endif
