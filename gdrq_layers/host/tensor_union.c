#include "host/tensor_union.h"

#include "base/alloc.h"

/*
 * A forest over layer indices, shifted by one so that the network's input (-1) is element 0. Each
 * element names a lower or equal one; a root names itself, and is the lowest of its class.
 */
static int find_root(int *shifted, int i) {
    while (shifted[i] != i) {
        shifted[i] = shifted[shifted[i]];
        i = shifted[i];
    }
    return i;
}

static void join(int *shifted, int a, int b) {
    const int root_a = find_root(shifted, a), root_b = find_root(shifted, b);
    if (root_a < root_b)
        shifted[root_b] = root_a;
    else
        shifted[root_a] = root_b;
}

int *gdrq_tensor_union(const gdrq_outline *outline) {
    const int n = outline->n + 1;
    int *shifted = gdrq_alloc(n, sizeof *shifted);
    if (!shifted)
        return NULL;
    for (int i = 0; i < n; i++)
        shifted[i] = i;
    for (int i = 0; i < outline->n; i++) {
        const gdrq_outline_layer *layer = &outline->layers[i];
        for (int r = 0; layer->keeps_values && r < layer->n_reads; r++)
            join(shifted, i + 1, layer->reads[r] + 1);
    }
    for (int i = 0; i < n; i++)
        shifted[i] = find_root(shifted, i);
    for (int i = 0; i < n; i++)
        shifted[i] -= 1;
    return shifted;
}
