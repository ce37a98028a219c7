#include "primitives/gemm.h"

#include "base/fatal.h"
#include "base/status.h"

#include <dnnl.h>
#include <omp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * oneDNN on several threads may divide the sum over k among them, and another number of threads
 * then rounds differently. So C is divided here, by the shape alone, and one thread computes a
 * tile.
 *
 * More tiles keep more threads busy, but each makes oneDNN copy its rows and columns of the factors
 * once more. A tile costs its multiplications, and each float that it touches as much as MEMORY of
 * them; below COST, some hundred microseconds, tiles are not divided any further.
 */
enum { MEMORY = 16, COST = 1 << 23, TILES = 16 };
/* Sides are multiples of a vector, and those up to SIDE are not divided. */
enum { VECTOR = 16, SIDE = 64 };

typedef struct product {
    int ta, tb, m, n, k;
    float alpha;
    const float *a;
    int lda;
    const float *b;
    int ldb;
    float beta;
    float *c;
    int ldc;
} product;

static int quotient_up(int n, int divisor) {
    return n / divisor + (n % divisor != 0);
}

/* Side of a tile when n is divided into that many parts; the last may be shorter, or missing. */
static int side(int n, int parts) {
    return quotient_up(quotient_up(n, parts), VECTOR) * VECTOR;
}

static int64_t cost(int64_t m, int64_t n, int64_t k) {
    return m * n * k + MEMORY * (m * n + m * k + n * k);
}

/* Makes m x n the size of a tile of C. */
static void choose_tile(const product *p, int *m, int *n) {
    int m_parts = 1, n_parts = 1;
    *m = p->m;
    *n = p->n;
    while (cost(*m, *n, p->k) > COST && m_parts * n_parts < TILES) {
        if (*m > *n && *m > SIDE)
            *m = side(p->m, m_parts *= 2);
        else if (*n > SIDE)
            *n = side(p->n, n_parts *= 2);
        else
            return;
    }
}

/* One tile, in the calling thread alone, also where that is in no parallel region. */
static dnnl_status_t multiply(const product *p, int row, int column, int m, int n) {
    const float *a = p->a + (p->ta ? (size_t)row : (size_t)row * (size_t)p->lda);
    const float *b = p->b + (p->tb ? (size_t)column * (size_t)p->ldb : (size_t)column);
    float *c = p->c + (size_t)row * (size_t)p->ldc + (size_t)column;
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const dnnl_status_t status = dnnl_sgemm(p->ta ? 'T' : 'N', p->tb ? 'T' : 'N', m, n, p->k,
                                            p->alpha, a, p->lda, b, p->ldb, p->beta, c, p->ldc);
    omp_set_num_threads(threads);
    return status;
}

static int tile_length(int begin, int n, int length) {
    return n - begin < length ? n - begin : length;
}

/* A status that is not success, if there is one. */
static dnnl_status_t multiply_tiles(const product *p) {
    int m, n;
    choose_tile(p, &m, &n);
    const int columns = quotient_up(p->n, n), tiles = quotient_up(p->m, m) * columns;
    if (tiles == 1)
        return multiply(p, 0, 0, m, n);
    dnnl_status_t failure = dnnl_success;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < tiles; i++) {
        const int row = i / columns * m, column = i % columns * n;
        const dnnl_status_t status =
            multiply(p, row, column, tile_length(row, p->m, m), tile_length(column, p->n, n));
        if (status != dnnl_success)
#pragma omp atomic write
            failure = status;
    }
    return failure;
}

/* The product of no columns and no rows, which oneDNN leaves out: C = beta * C. */
static void scale(const product *p) {
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->n; j++) {
            float *c = p->c + (size_t)i * (size_t)p->ldc + (size_t)j;
            *c = p->beta == 0 ? 0 : p->beta * *c;
        }
}

static bool has_sizes(const product *p) {
    return p->m >= 0 && p->n >= 0 && p->k >= 0 && p->lda >= (p->ta ? p->m : p->k) &&
           p->ldb >= (p->tb ? p->k : p->n) && p->ldc >= p->n;
}

gdrq_status gdrq_multiply(int TA, int TB, int M, int N, int K, float ALPHA, const float *A, int lda,
                          const float *B, int ldb, float BETA, float *C, int ldc, gdrq_error *err) {
    const product p = {TA, TB, M, N, K, ALPHA, A, lda, B, ldb, BETA, C, ldc};
    dnnl_status_t status = dnnl_success;
    if (!has_sizes(&p))
        status = dnnl_invalid_arguments;
    else if (K == 0)
        scale(&p);
    else if (M > 0 && N > 0)
        status = multiply_tiles(&p);
    if (status == dnnl_success)
        return GDRQ_OK;
    const bool memory = status == dnnl_out_of_memory;
    return gdrq_fail(err, memory ? GDRQ_ERROR_MEMORY : GDRQ_ERROR_ARGUMENT,
                     "matrix product with M=%d N=%d K=%d lda=%d ldb=%d ldc=%d TA=%d TB=%d: %s "
                     "(oneDNN status %d)",
                     M, N, K, lda, ldb, ldc, TA, TB,
                     memory ? "out of memory" : "these sizes can't be computed", (int)status);
}

void gdrq_gemm(int TA, int TB, int M, int N, int K, float ALPHA, float *A, int lda, float *B,
               int ldb, float BETA, float *C, int ldc) {
    gdrq_error err;
    gdrq_must(gdrq_multiply(TA, TB, M, N, K, ALPHA, A, lda, B, ldb, BETA, C, ldc, &err), &err);
}
