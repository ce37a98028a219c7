#include "primitives/softmax_layer.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "primitives/blas.h"
#include "primitives/exponential.h"
#include "primitives/kernels.h"

/* Of interleaved partial results, so that any vector width gives the same. */
/* The largest of n values, NaNs left out. */
static inline __attribute__((always_inline)) float largest_of(const float *x, size_t n) {
    float lanes[GDRQ_LANES], largest = -FLT_MAX;
    const size_t whole = n - n % GDRQ_LANES;
    for (int j = 0; j < GDRQ_LANES; j++)
        lanes[j] = -FLT_MAX;
    for (size_t i = 0; i < whole; i += GDRQ_LANES)
        for (int j = 0; j < GDRQ_LANES; j++)
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
    for (size_t i = whole; i < n; i++)
        lanes[i - whole] = x[i] > lanes[i - whole] ? x[i] : lanes[i - whole];
    for (int j = 0; j < GDRQ_LANES; j++)
        largest = lanes[j] > largest ? lanes[j] : largest;
    return largest;
}

GDRQ_KERNEL void softmax_group(const float *restrict x, size_t n, float temperature,
                               float *restrict y) {
    const float largest = largest_of(x, n) / temperature;
    for (size_t i = 0; i < n; i++)
        y[i] = gdrq_exp_of_negative(x[i] / temperature - largest);
    const float sum = (float)gdrq_sum_in_lanes(y, n);
    for (size_t i = 0; i < n; i++)
        y[i] /= sum;
}

/* All groups of one image. */
static void softmax_groups(const layer *l, const float *x, float *y) {
    const tree *hierarchy = l->softmax_tree;
    const int groups = hierarchy ? hierarchy->groups : l->groups;
    for (int g = 0; g < groups; g++) {
        const int n = hierarchy ? hierarchy->group_size[g] : l->inputs / l->groups;
        softmax_group(x, (size_t)n, l->temperature, y);
        x += n;
        y += n;
    }
}

/* Cross entropy of n probabilities p against t, and its gradient's direction of descent. */
static void cross_entropy(const float *p, const float *t, size_t n, float *delta, float *loss) {
    for (size_t i = 0; i < n; i++) {
        loss[i] = t[i] ? -logf(p[i]) : 0;
        delta[i] = t[i] - p[i];
    }
}

void gdrq_forward_softmax_layer(layer l, network net) {
    const bool learns = net.truth && !l.noloss;
    const size_t inputs = (size_t)l.inputs;
#pragma omp parallel for schedule(static) if (l.batch * inputs >= GDRQ_PARALLEL_FROM)
    for (int b = 0; b < l.batch; b++) {
        const size_t at = (size_t)b * inputs;
        softmax_groups(&l, net.input + at, l.output + at);
        if (learns)
            cross_entropy(l.output + at, net.truth + at, inputs, l.delta + at, l.loss + at);
    }
    if (!learns)
        return;
    double cost = 0;
    for (size_t i = 0; i < (size_t)l.batch * inputs; i++)
        cost += l.loss[i];
    *l.cost = (float)cost;
}

void gdrq_backward_softmax_layer(layer l, network net) {
    if (net.delta)
        gdrq_add_scaled(1, l.delta, (size_t)l.batch * (size_t)l.inputs, net.delta);
}
