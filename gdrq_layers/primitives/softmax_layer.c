#include "primitives/softmax_layer.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "primitives/blas.h"

static void softmax_group(const float *x, int n, float temperature, float *y) {
    float largest = -FLT_MAX;
    for (int i = 0; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        y[i] = expf(x[i] / temperature - largest / temperature);
        sum += y[i];
    }
    for (int i = 0; i < n; i++)
        y[i] = (float)(y[i] / sum);
}

/* All groups of one image. */
static void softmax_groups(const layer *l, const float *x, float *y) {
    const tree *hierarchy = l->softmax_tree;
    const int groups = hierarchy ? hierarchy->groups : l->groups;
    for (int g = 0; g < groups; g++) {
        const int n = hierarchy ? hierarchy->group_size[g] : l->inputs / l->groups;
        softmax_group(x, n, l->temperature, y);
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
#pragma omp parallel for schedule(static)
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
