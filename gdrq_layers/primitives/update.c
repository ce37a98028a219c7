#include "primitives/update.h"

#include <math.h>

#include "primitives/kernels.h"

/* Constants of one update: `shrink` times a value is added to its gradient. */
typedef struct sgd_step {
    float rate, momentum, shrink, clip;
} sgd_step;

typedef struct adam_step {
    float rate, shrink, clip, beta1, beta2, eps;
    float correction1, correction2; /* 1 - beta^t: how much of the moments' average is filled */
} adam_step;

static inline float clamp(float v, float limit) {
    v = v < -limit ? -limit : v;
    return v > limit ? limit : v;
}

GDRQ_KERNEL void sgd_block(const sgd_step *step, size_t n, float *restrict values,
                           float *restrict updates) {
    const float rate = step->rate, momentum = step->momentum, shrink = step->shrink;
    const float clip = step->clip;
    for (size_t i = 0; i < n; i++) {
        const float u = updates[i] + shrink * values[i];
        values[i] = clamp(values[i] + rate * u, clip);
        updates[i] = momentum * u;
    }
}

GDRQ_KERNEL void adam_block(const adam_step *step, size_t n, float *restrict values,
                            float *restrict updates, float *restrict m, float *restrict v) {
    const adam_step s = *step;
    for (size_t i = 0; i < n; i++) {
        const float u = updates[i] + s.shrink * values[i];
        m[i] = s.beta1 * m[i] + (1 - s.beta1) * u;
        v[i] = s.beta2 * v[i] + (1 - s.beta2) * (u * u);
        const float direction = m[i] / s.correction1;
        const float deviation = sqrtf(v[i] / s.correction2) + s.eps;
        values[i] = clamp(values[i] + s.rate * direction / deviation, s.clip);
        updates[i] = 0;
    }
}

static void update_by_sgd(const gdrq_parameters *p, const sgd_step *step) {
#pragma omp parallel for schedule(static) if (p->n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < p->n; i += GDRQ_BLOCK)
        sgd_block(step, gdrq_block_length(i, p->n), p->values + i, p->updates + i);
}

static void update_by_adam(const gdrq_parameters *p, const adam_step *step) {
#pragma omp parallel for schedule(static) if (p->n >= GDRQ_PARALLEL_FROM)
    for (size_t i = 0; i < p->n; i += GDRQ_BLOCK)
        adam_block(step, gdrq_block_length(i, p->n), p->values + i, p->updates + i, p->m + i,
                   p->v + i);
}

static void update_array(const gdrq_parameters *p, const update_args *a, float rate, float decay,
                         float clip) {
    if (a->adam && p->m) {
        const adam_step step = {.rate = a->learning_rate * rate,
                                .shrink = -decay * a->batch,
                                .clip = clip,
                                .beta1 = a->B1,
                                .beta2 = a->B2,
                                .eps = a->eps,
                                .correction1 = (float)(1 - pow(a->B1, a->t)),
                                .correction2 = (float)(1 - pow(a->B2, a->t))};
        update_by_adam(p, &step);
        return;
    }
    const sgd_step step = {.rate = a->learning_rate * rate / a->batch,
                           .momentum = a->momentum,
                           .shrink = -decay * a->batch,
                           .clip = clip};
    update_by_sgd(p, &step);
}

void gdrq_update_parameters(const gdrq_parameters *p, const update_args *a, float rate,
                            float decay) {
    update_array(p, a, rate, decay, INFINITY);
}

/* `outputs` counts biases and scales; clip 0 stands for no limit. */
static void update(const layer *l, const update_args *a, size_t n_weights, size_t outputs,
                   float clip) {
    const gdrq_parameters weights = {l->weights, l->weight_updates, l->m, l->v, n_weights};
    const gdrq_parameters biases = {l->biases, l->bias_updates, l->bias_m, l->bias_v, outputs};
    const gdrq_parameters scales = {l->scales, l->scale_updates, l->scale_m, l->scale_v, outputs};
    /* Momentum decays the weights alone, adam as the host's decays all. */
    const float rate = l->learning_rate_scale;
    const float other_decay = a->adam && l->m ? a->decay : 0;
    update_array(&weights, a, rate, a->decay, clip ? clip : INFINITY);
    update_array(&biases, a, rate, other_decay, INFINITY);
    if (scales.values)
        update_array(&scales, a, rate, other_decay, INFINITY);
}

void gdrq_update_convolutional_layer(layer l, update_args a) {
    update(&l, &a, (size_t)l.nweights, (size_t)l.n, l.clip);
}

void gdrq_update_connected_layer(layer l, update_args a) {
    update(&l, &a, (size_t)l.inputs * (size_t)l.outputs, (size_t)l.outputs, 0);
}

void gdrq_update_deconvolutional_layer(layer l, update_args a) {
    update(&l, &a, (size_t)l.nweights, (size_t)l.n, 0);
}
