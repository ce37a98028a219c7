/* What plan.c decides and plan_run.c obeys; nobody else looks inside. */
#ifndef GDRQ_INFER_PLAN_STATE_H
#define GDRQ_INFER_PLAN_STATE_H

#include "infer/plan.h"

/* What a tensor may have in the arena. */
typedef enum form { CODES, INTERLEAVED, FORMS } form;

typedef struct slot {
    bool exists;
    int home;           /* the tensor whose memory it is: its own, or that of one before */
    int route, channel; /* of a home: the route behind whose codes it is a part of, and its first
                           channel there; -1: none */
    int written, last_read; /* of what is nobody's but its own: the nodes that write to that memory
                               first, and read it last; -1: none does */
    size_t offset;          /* in the arena, likewise */
} slot;

typedef struct tensor {
    gdrq_tensor_shape shape;
    bool values;
    int class;   /* of its codes; -1: none */
    int written; /* the node that writes it: its own, but for a shortcut's that is fused */
    slot slots[FORMS];
} tensor;

struct gdrq_plan {
    gdrq_node *nodes;
    const gdrq_conv_kernel **kernels; /* of CONV nodes that run here */
    int *fused; /* of CONV nodes: the shortcut or maxpool that it does as well; of that, itself;
                   else -1 */
    int n;
    tensor *tensors; /* of -1..n-1, by index + 1 */
    size_t arena_size, scratch_size;
    int batch, threads;   /* that there is memory for */
    uint8_t *arena;       /* batch images */
    gdrq_int_part *parts; /* room for those of the route that joins most */
    void *scratch;
};

static inline tensor *tensor_of(const gdrq_plan *plan, int i) {
    return &plan->tensors[i + 1];
}

static inline slot *slot_of(const gdrq_plan *plan, int i, form f) {
    return &tensor_of(plan, i)->slots[f];
}

#endif
