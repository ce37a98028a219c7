#include "primitives/blas.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "primitives/kernels.h"

GDRQ_KERNEL void fill_block(float a, size_t n, float *x) {
    for (size_t i = 0; i < n; i++)
        x[i] = a;
}

GDRQ_KERNEL void scale_block(float a, size_t n, float *x) {
    for (size_t i = 0; i < n; i++)
        x[i] *= a;
}

GDRQ_KERNEL void add_scaled_block(float a, const float *x, size_t n, float *y) {
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

void gdrq_add_scaled_block(float a, const float *x, size_t n, float *y) {
    add_scaled_block(a, x, n, y);
}

void gdrq_add_scaled(float a, const float *x, size_t n, float *y) {
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK)
        add_scaled_block(a, x + i, gdrq_block_length(i, n), y + i);
}

/* Whether blocks can be worked on in any order: the same n floats, or no common ones. */
static bool independent(const float *x, const float *y, size_t n) {
    const uintptr_t a = (uintptr_t)x, b = (uintptr_t)y;
    return a == b || (a > b ? a - b : b - a) >= n * sizeof(float);
}

/* Where element i of a vector with that distance between elements lies. */
static ptrdiff_t element(int i, int distance) {
    return (ptrdiff_t)i * distance;
}

void gdrq_fill_cpu(int N, float ALPHA, float *X, int INCX) {
    const size_t n = N > 0 ? (size_t)N : 0;
    if (INCX != 1) {
        for (int i = 0; i < N; i++)
            X[element(i, INCX)] = ALPHA;
        return;
    }
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK)
        fill_block(ALPHA, gdrq_block_length(i, n), X + i);
}

void gdrq_copy_cpu(int N, float *X, int INCX, float *Y, int INCY) {
    const size_t n = N > 0 ? (size_t)N : 0;
    if (INCX != 1 || INCY != 1 || !independent(X, Y, n)) {
        for (int i = 0; i < N; i++)
            Y[element(i, INCY)] = X[element(i, INCX)];
        return;
    }
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK)
        memmove(Y + i, X + i, gdrq_block_length(i, n) * sizeof(float));
}

void gdrq_axpy_cpu(int N, float ALPHA, float *X, int INCX, float *Y, int INCY) {
    const size_t n = N > 0 ? (size_t)N : 0;
    if (INCX == 1 && INCY == 1 && independent(X, Y, n)) {
        gdrq_add_scaled(ALPHA, X, n, Y);
        return;
    }
    for (int i = 0; i < N; i++)
        Y[element(i, INCY)] += ALPHA * X[element(i, INCX)];
}

void gdrq_scal_cpu(int N, float ALPHA, float *X, int INCX) {
    const size_t n = N > 0 ? (size_t)N : 0;
    if (INCX != 1) {
        for (int i = 0; i < N; i++)
            X[element(i, INCX)] *= ALPHA;
        return;
    }
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK)
        scale_block(ALPHA, gdrq_block_length(i, n), X + i);
}
