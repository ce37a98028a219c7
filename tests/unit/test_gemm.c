/* The replacement of the host's gemm() against sums in double precision. */
#include "cmocka_all.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "primitives/gemm.h"
#include "random_data.h"
#include "thread_counts.h"

typedef struct product {
    int ta, tb, m, n, k, lda, ldb, ldc;
    float alpha, beta;
} product;

static double element(const float *x, int ld, bool transposed, int row, int column) {
    return transposed ? x[column * ld + row] : x[row * ld + column];
}

typedef struct operands {
    product p;
    float *a, *b, *c; /* c before the product */
    size_t c_count;
} operands;

static operands random_operands(const product *p) {
    operands o = {.p = *p, .c_count = (size_t)p->m * (size_t)p->ldc};
    o.a = random_array((size_t)(p->ta ? p->k : p->m) * (size_t)p->lda, 1);
    o.b = random_array((size_t)(p->tb ? p->n : p->k) * (size_t)p->ldb, 1);
    o.c = random_array(o.c_count, 1);
    return o;
}

static void free_operands(operands *o) {
    free(o->a);
    free(o->b);
    free(o->c);
}

/* C, with what lies between its rows. */
static results multiply(const void *subject) {
    const operands *o = subject;
    const product *p = &o->p;
    results r = {0};
    add_results(&r, o->c, o->c_count);
    gdrq_gemm(p->ta, p->tb, p->m, p->n, p->k, p->alpha, o->a, p->lda, o->b, p->ldb, p->beta, r.x,
              p->ldc);
    return r;
}

static double expected_value(const operands *o, int i, int j) {
    const product *p = &o->p;
    const double before = o->c[i * p->ldc + j];
    if (j >= p->n)
        return before;
    double sum = 0;
    for (int k = 0; k < p->k; k++)
        sum += element(o->a, p->lda, p->ta, i, k) * element(o->b, p->ldb, p->tb, k, j);
    return p->alpha * sum + p->beta * before;
}

static void check(const product *p) {
    operands o = random_operands(p);
    results c = multiply(&o);
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->ldc; j++) {
            const double expected = expected_value(&o, i, j);
            const float got = c.x[i * p->ldc + j];
            if (!(fabs(got - expected) <= (j < p->n ? 1e-5 * (1 + p->k) : 0)))
                fail_msg("TA=%d TB=%d M=%d N=%d K=%d: C[%d][%d] is %.9g, not %.9g", p->ta, p->tb,
                         p->m, p->n, p->k, i, j, got, expected);
        }
    free(c.x);
    free_operands(&o);
}

/* Four i in a row transpose in all ways; rows may be longer than they need be. */
static product random_product(int i, int m, int n, int k) {
    const float factors[] = {0, 1, -.5f};
    product p = {.ta = i & 1, .tb = i >> 1 & 1, .m = m, .n = n, .k = k};
    p.lda = (p.ta ? m : k) + random_int(0, 3);
    p.ldb = (p.tb ? k : n) + random_int(0, 3);
    p.ldc = n + random_int(0, 3);
    p.alpha = factors[random_int(1, 2)];
    p.beta = factors[random_int(0, 2)];
    return p;
}

static void random_products(void **state) {
    (void)state;
    for (int i = 0; i < 400; i++) {
        const product p =
            random_product(i, random_int(1, 40), random_int(1, 40), random_int(1, 60));
        check(&p);
    }
}

/* Large enough to be computed in several tiles, of which the last ones are smaller. */
static void products_in_tiles(void **state) {
    (void)state;
    static const int sizes[][3] = {{130, 333, 300}, {257, 161, 250}, {1, 2999, 700},
                                   {2999, 1, 700},  {3, 70, 20001},  {900, 1100, 9}};
    for (int i = 0; i < 4 * (int)(sizeof sizes / sizeof *sizes); i++) {
        const int *size = sizes[i / 4];
        const product p = random_product(i, size[0], size[1], size[2]);
        check(&p);
    }
}

static void assert_any_number_of_threads(const product *p) {
    char name[128];
    snprintf(name, sizeof name, "TA=%d TB=%d M=%d N=%d K=%d", p->ta, p->tb, p->m, p->n, p->k);
    operands o = random_operands(p);
    assert_threads_make_no_difference(name, multiply, &o);
    free_operands(&o);
}

/* From vectors to squares, with sums that are worth dividing among threads. */
static void any_number_of_threads(void **state) {
    (void)state;
    for (int i = 0; i < random_cases(300); i++) {
        const int m = 1 << random_int(0, 9), n = 1 << random_int(0, 9), k = 1 << random_int(0, 11);
        const product p =
            random_product(i, random_int(m, 2 * m), random_int(n, 2 * n), random_int(k, 2 * k));
        assert_any_number_of_threads(&p);
    }
    /* A connected layer with and without a batch, [local], and long sums for few values. */
    static const product shapes[] = {
        {0, 1, 1, 1000, 1024, 1024, 1024, 1000, 1, 0}, {0, 0, 16, 3000, 517, 517, 3000, 3000, 1, 1},
        {1, 0, 126, 1, 600, 126, 169, 169, 1, 0},      {1, 0, 1, 293, 3975, 1, 293, 293, 1, 1},
        {0, 0, 1, 397, 3390, 3390, 397, 397, 1, 1},    {0, 1, 7, 5, 60000, 60000, 60000, 5, 1, 0},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        assert_any_number_of_threads(&shapes[i]);
}

/* Where the caller is one of several threads; the number of the next region's stays as it was. */
static void inside_of_a_parallel_region(void **state) {
    (void)state;
    enum { NUMBER = 3 };
    const int before = omp_get_max_threads();
    omp_set_num_threads(NUMBER);
    const product p = {0, 1, 150, 300, 400, 400, 400, 300, 1, 1};
    operands o = random_operands(&p);
    const results expected = multiply(&o);
    results inside[2] = {{0}};
    int changes = omp_get_max_threads() != NUMBER;
#pragma omp parallel num_threads(2) reduction(+ : changes)
    {
        const int threads = omp_get_max_threads();
        inside[omp_get_thread_num()] = multiply(&o);
        changes += omp_get_max_threads() != threads;
    }
    assert_int_equal(changes, 0);
    omp_set_num_threads(before);
    for (int i = 0; i < 2; i++) {
        assert_same_results("inside", &expected, NUMBER, &inside[i], 1);
        free(inside[i].x);
    }
    free(expected.x);
    free_operands(&o);
}

/* Nothing is to be added, or nothing is to be written. */
static void empty_products(void **state) {
    (void)state;
    float a[] = {1}, b[] = {1}, c[] = {2, 3};
    gdrq_gemm(0, 0, 1, 2, 0, 1, a, 1, b, 2, .5f, c, 2);
    assert_true(c[0] == 1 && c[1] == 1.5f);
    gdrq_gemm(0, 0, 0, 2, 1, 1, a, 1, b, 2, 0, c, 2);
    gdrq_gemm(0, 0, 1, 0, 1, 1, a, 1, b, 1, 0, c, 1);
    assert_true(c[0] == 1 && c[1] == 1.5f);
}

static void refuses(int ta, int tb, int m, int n, int k, int lda, int ldb, int ldc) {
    gdrq_error err = {""};
    float x[64] = {0};
    assert_int_equal(gdrq_multiply(ta, tb, m, n, k, 1, x, lda, x, ldb, 0, x, ldc, &err),
                     GDRQ_ERROR_ARGUMENT);
    char sizes[64];
    snprintf(sizes, sizeof sizes, "M=%d N=%d K=%d lda=%d ldb=%d ldc=%d", m, n, k, lda, ldb, ldc);
    assert_non_null(strstr(err.message, sizes));
}

static void wrong_sizes(void **state) {
    (void)state;
    refuses(0, 0, -1, 2, 3, 3, 2, 2);
    refuses(0, 0, 1, -2, 3, 3, 2, 2);
    refuses(0, 0, 1, 2, -3, 3, 2, 2);
    refuses(0, 0, 4, 2, 3, 2, 2, 2);
    refuses(1, 0, 4, 2, 3, 3, 2, 2);
    refuses(0, 0, 4, 2, 3, 3, 1, 2);
    refuses(0, 1, 4, 2, 3, 3, 2, 2);
    refuses(0, 0, 4, 2, 3, 3, 2, 1);
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
        cmocka_unit_test(random_products),          cmocka_unit_test(products_in_tiles),
        cmocka_unit_test(any_number_of_threads),    cmocka_unit_test(inside_of_a_parallel_region),
        cmocka_unit_test(empty_products),           cmocka_unit_test(wrong_sizes),
        cmocka_unit_test(beta_zero_overwrites_nan), cmocka_unit_test(integers_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
