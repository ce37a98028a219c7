#include "primitives/activation.h"

#include "primitives/exponential.h"
#include "primitives/kernels.h"

#include <math.h>

static inline float stair(float x) {
    const float n = floorf(x);
    const float half = floorf(x / 2.f);
    return n == 2.f * half ? half : (x - n) + half;
}

static inline float hardtan(float x) {
    return x < -1 ? -1.f : x > 1 ? 1.f : x;
}

static inline float lhtan(float x) {
    return x < 0 ? .001 * x : x > 1 ? .001 * (x - 1) + 1 : x;
}

static inline float plse(float x) {
    return x < -4 ? .01 * (x + 4) : x > 4 ? .01 * (x - 4) + 1 : .125 * x + .5;
}

/*
 * The two kernels of an activation. `value` is a(v) of the input v; `slope` is a' as the host
 * defines it: from the activated value v. Both are written as the host computes them, in double
 * where it does; the frequent ones are in float, and those with an exponential are exact where
 * the host's overflow to NaN.
 */
#define ACTIVATION_KERNELS(name, value, slope)                                                \
    GDRQ_KERNEL void name##_value(float *x, size_t n) {                                       \
        for (size_t i = 0; i < n; i++) {                                                      \
            const float v = x[i];                                                             \
            x[i] = (float)(value);                                                            \
        }                                                                                     \
    }                                                                                         \
    GDRQ_KERNEL void name##_slope(const float *restrict y, size_t n, float *restrict delta) { \
        for (size_t i = 0; i < n; i++) {                                                      \
            const float v = y[i];                                                             \
            delta[i] *= (float)(slope);                                                       \
        }                                                                                     \
    }

ACTIVATION_KERNELS(logistic, gdrq_logistic(v), (1 - v) * v)
ACTIVATION_KERNELS(loggy, 2. / (1. + exp(-(double)v)) - 1,
                   2 * (1 - (v + 1.) / 2.) * ((v + 1.) / 2.))
ACTIVATION_KERNELS(relu, v *(v > 0 ? 1.f : 0.f), v > 0 ? 1.f : 0.f)
ACTIVATION_KERNELS(elu, v >= 0 ? v : exp(v) - 1, v >= 0 ? 1.f : v + 1)
ACTIVATION_KERNELS(selu, v >= 0 ? v * 1.0507 : 1.0507 * 1.6732 * (exp(v) - 1),
                   v >= 0 ? 1.0507 : v + 1.0507 * 1.6732)
ACTIVATION_KERNELS(relie, v > 0 ? v : .01 * v, v > 0 ? 1.f : .01f)
ACTIVATION_KERNELS(ramp, v *(v > 0) + .1 * v, (v > 0) + .1)
ACTIVATION_KERNELS(leaky, v > 0 ? v : .1f * v, v > 0 ? 1.f : .1f)
ACTIVATION_KERNELS(tanh, tanh(v), 1 - v * v)
ACTIVATION_KERNELS(plse, plse(v), v<0 || v> 1 ? .01f : .125f)
ACTIVATION_KERNELS(stair, stair(v), floorf(v) == v ? 0.f : 1.f)
ACTIVATION_KERNELS(hardtan, hardtan(v), v > -1 && v < 1 ? 1.f : 0.f)
ACTIVATION_KERNELS(lhtan, lhtan(v), v > 0 && v < 1 ? 1.f : .001f)

typedef void value_kernel(float *x, size_t n);
typedef void slope_kernel(const float *restrict y, size_t n, float *restrict delta);

/* NULL stands for the identity. */
static const struct {
    value_kernel *value;
    slope_kernel *slope;
} kernels[] = {
    [LINEAR] = {NULL, NULL},
    [LOGISTIC] = {logistic_value, logistic_slope},
    [LOGGY] = {loggy_value, loggy_slope},
    [RELU] = {relu_value, relu_slope},
    [ELU] = {elu_value, elu_slope},
    [SELU] = {selu_value, selu_slope},
    [RELIE] = {relie_value, relie_slope},
    [RAMP] = {ramp_value, ramp_slope},
    [LEAKY] = {leaky_value, leaky_slope},
    [TANH] = {tanh_value, tanh_slope},
    [PLSE] = {plse_value, plse_slope},
    [STAIR] = {stair_value, stair_slope},
    [HARDTAN] = {hardtan_value, hardtan_slope},
    [LHTAN] = {lhtan_value, lhtan_slope},
};

void gdrq_activate_block(float *x, size_t n, ACTIVATION a) {
    if (kernels[a].value)
        kernels[a].value(x, n);
}

void gdrq_activation_gradient_block(const float *y, size_t n, ACTIVATION a, float *delta) {
    if (kernels[a].slope)
        kernels[a].slope(y, n, delta);
}

void gdrq_activate(float *x, size_t n, ACTIVATION a) {
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM && kernels[a].value)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK)
        gdrq_activate_block(x + i, gdrq_block_length(i, n), a);
}

void gdrq_activation_gradient(const float *y, size_t n, ACTIVATION a, float *delta) {
#pragma omp parallel for schedule(static) if (n >= GDRQ_PARALLEL_FROM && kernels[a].slope)
    for (size_t i = 0; i < n; i += GDRQ_BLOCK)
        gdrq_activation_gradient_block(y + i, gdrq_block_length(i, n), a, delta + i);
}
