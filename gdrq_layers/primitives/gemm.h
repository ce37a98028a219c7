/* The host's matrix product on oneDNN, threaded. */
#ifndef GDRQ_PRIMITIVES_GEMM_H
#define GDRQ_PRIMITIVES_GEMM_H

/*
 * C = ALPHA * op(A) * op(B) + BETA * C with op(A) M x K, op(B) K x N and C M x N, all row-major
 * with lda, ldb, ldc floats from row to row as stored; TA and TB are 1 for the transpose. The
 * signature of the host's gemm(). With BETA = 0 the old C is not read (the host's NaNs would stay).
 * An error ends the program.
 */
void gdrq_gemm(int TA, int TB, int M, int N, int K, float ALPHA, float *A, int lda, float *B,
               int ldb, float BETA, float *C, int ldc);

#endif
