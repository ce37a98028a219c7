#include "primitives/gemm.h"

#include "base/fatal.h"
#include "base/status.h"

#include <dnnl.h>

void gdrq_gemm(int TA, int TB, int M, int N, int K, float ALPHA, float *A, int lda, float *B,
               int ldb, float BETA, float *C, int ldc) {
    const dnnl_status_t status =
        dnnl_sgemm(TA ? 'T' : 'N', TB ? 'T' : 'N', M, N, K, ALPHA, A, lda, B, ldb, BETA, C, ldc);
    if (status == dnnl_success)
        return;
    gdrq_error err;
    gdrq_fail(&err, GDRQ_ERROR_ARGUMENT,
              "matrix product with M=%d N=%d K=%d lda=%d ldb=%d ldc=%d TA=%d TB=%d: can't be "
              "computed (oneDNN status %d)",
              M, N, K, lda, ldb, ldc, TA, TB, (int)status);
    gdrq_fatal(&err);
}
