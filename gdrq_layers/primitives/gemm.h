/* The host's matrix product on oneDNN, threaded. */
#ifndef GDRQ_PRIMITIVES_GEMM_H
#define GDRQ_PRIMITIVES_GEMM_H

#include "gdrq.h"

/*
 * C = ALPHA * op(A) * op(B) + BETA * C with op(A) M x K, op(B) K x N and C M x N, all row-major
 * with lda, ldb, ldc floats from row to row as stored; TA and TB are 1 for the transpose. With
 * BETA = 0 the old C is not read (the host's NaNs would stay). The result does not depend on the
 * number of threads.
 *
 * GDRQ_ERROR_ARGUMENT for a negative size or a row that is shorter than its matrix is wide,
 * GDRQ_ERROR_MEMORY when memory is out.
 */
gdrq_status gdrq_multiply(int TA, int TB, int M, int N, int K, float ALPHA, const float *A, int lda,
                          const float *B, int ldb, float BETA, float *C, int ldc, gdrq_error *err);

/* gdrq_multiply() with the signature of the host's gemm(). An error ends the program. */
void gdrq_gemm(int TA, int TB, int M, int N, int K, float ALPHA, float *A, int lda, float *B,
               int ldb, float BETA, float *C, int ldc);

#endif
