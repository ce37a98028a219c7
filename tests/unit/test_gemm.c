/* The replacement of the host's gemm() against sums in double precision. */
#include "cmocka_all.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "primitives/gemm.h"
#include "random_data.h"

typedef struct product {
    int ta, tb, m, n, k, lda, ldb, ldc;
    float alpha, beta;
} product;

static double element(const float *x, int ld, bool transposed, int row, int column) {
    return transposed ? x[column * ld + row] : x[row * ld + column];
}

static void check(const product *p) {
    const size_t c_count = (size_t)p->m * (size_t)p->ldc;
    float *a = random_array((size_t)(p->ta ? p->k : p->m) * (size_t)p->lda, 1);
    float *b = random_array((size_t)(p->tb ? p->n : p->k) * (size_t)p->ldb, 1);
    float *c = random_array(c_count, 1), *before = malloc(c_count * sizeof *before);
    assert_true(a && b && c && before);
    memcpy(before, c, c_count * sizeof *c);
    gdrq_gemm(p->ta, p->tb, p->m, p->n, p->k, p->alpha, a, p->lda, b, p->ldb, p->beta, c, p->ldc);
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->ldc; j++) {
            const int at = i * p->ldc + j;
            double sum = 0;
            for (int k = 0; j < p->n && k < p->k; k++)
                sum += element(a, p->lda, p->ta, i, k) * element(b, p->ldb, p->tb, k, j);
            const double expected =
                j < p->n ? p->alpha * sum + (double)p->beta * before[at] : before[at];
            if (!(fabs(c[at] - expected) <= 1e-5 * (1 + p->k)))
                fail_msg("TA=%d TB=%d M=%d N=%d K=%d: C[%d][%d] is %.9g, not %.9g", p->ta, p->tb,
                         p->m, p->n, p->k, i, j, c[at], expected);
        }
    free(a);
    free(b);
    free(c);
    free(before);
}

static void random_products(void **state) {
    (void)state;
    const float factors[] = {0, 1, -.5f};
    for (int i = 0; i < 400; i++) {
        product p = {.ta = i & 1,
                     .tb = i >> 1 & 1,
                     .m = random_int(1, 40),
                     .n = random_int(1, 40),
                     .k = random_int(1, 60)};
        p.lda = (p.ta ? p.m : p.k) + random_int(0, 3);
        p.ldb = (p.tb ? p.k : p.n) + random_int(0, 3);
        p.ldc = p.n + random_int(0, 3);
        p.alpha = factors[random_int(1, 2)];
        p.beta = factors[random_int(0, 2)];
        check(&p);
    }
}

/* A connected layer's first use finds whatever memory held before. */
static void beta_zero_overwrites_nan(void **state) {
    (void)state;
    float a[] = {1, 2}, b[] = {3, 4}, c = NAN;
    gdrq_gemm(0, 0, 1, 1, 2, 1, a, 2, b, 1, 0, &c, 1);
    assert_true(c == 11);
}

/* Sums of integers below 2^24 are exact in any order. */
static void integers_are_exact(void **state) {
    (void)state;
    enum { M = 33, N = 65, K = 700 };
    static float a[M * K], b[N * K], c[M * N];
    for (int i = 0; i < M * K; i++)
        a[i] = (float)random_int(-127, 127);
    for (int i = 0; i < N * K; i++)
        b[i] = (float)random_int(-127, 127);
    gdrq_gemm(0, 1, M, N, K, 1, a, K, b, K, 0, c, N);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            int64_t sum = 0;
            for (int k = 0; k < K; k++)
                sum += (int64_t)a[i * K + k] * (int64_t)b[j * K + k];
            assert_true((int64_t)c[i * N + j] == sum);
        }
}

int main(void) {
    seed_random(15);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_products),
        cmocka_unit_test(beta_zero_overwrites_nan),
        cmocka_unit_test(integers_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
