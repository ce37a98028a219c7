/* What the tests of plans share: nodes that convolve 1x1, and their weights. */
#ifndef TESTS_PLAN_TEST_H
#define TESTS_PLAN_TEST_H

#include "infer/plan.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "random_data.h"

enum { W = 8, H = 6 };

static inline gdrq_node conv(const int *read, int c, int filters, int input_class) {
    return (gdrq_node){.kind = GDRQ_NODE_CONV,
                       .reads = read,
                       .n_reads = 1,
                       .in = {W, H, c},
                       .out = {W, H, filters},
                       .size = 1,
                       .stride = 1,
                       .groups = 1,
                       .rises = true,
                       .input_class = input_class,
                       .limits = {.code = 255, .weight = 127}};
}

static const int input[] = {-1}, first[] = {0}, second[] = {1}, third[] = {2};
static const int joined[] = {1, 3}, fourth[] = {4}, added[] = {5, 0};

enum { MOST_WEIGHTS = 64 };

/* Packed for whatever kernel this machine has; the codes themselves go to `codes`. */
static inline void random_weights(const gdrq_node *node, int zero, gdrq_node_weights *w,
                                  int8_t *codes) {
    gdrq_error err = {""};
    const int filters = node->out.c, c = node->in.c;
    assert_int_equal(gdrq_node_weights_make(w, filters, (size_t)c, &err), GDRQ_OK);
    float *scale = (float *)w->epilogue.scale, *bias = (float *)w->epilogue.bias;
    for (int f = 0; f < filters; f++) {
        scale[f] = .01f * (float)(1 + random_unit());
        bias[f] = .1f * random_normal();
        for (int k = 0; k < c; k++) {
            w->codes[f * c + k] = codes[f * c + k] = (int8_t)random_int(-7, 7);
            w->sums[f] += w->codes[f * c + k];
        }
    }
    w->epilogue.activation.kind = GDRQ_INT_LEAKY;
    assert_int_equal(gdrq_node_weights_pack(w, node, zero, &err), GDRQ_OK);
}

#endif
