/*
 * A folded network's plan at work on the GPU: codes and interleaved values live in an arena there,
 * and running a node queues its kernels, so that the host waits nowhere between layers.
 */
#ifndef GDRQ_INFER_CUDA_GPU_PLAN_H
#define GDRQ_INFER_CUDA_GPU_PLAN_H

#include "infer/cuda/conv.h"
#include "infer/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A convolution's numbers in the GPU's memory. Zeroed: none. */
typedef struct gdrq_cuda_weights {
    const gdrq_cuda_conv_kernel *kernel;
    void *packed;
    float *scale_and_bias;
    gdrq_epilogue epilogue; /* without grid and shortcut */
} gdrq_cuda_weights;

/* From the numbers of a CONV node whose codes are not packed for a kernel of the CPU, for
   code for this compute capability (75 is 7.5); on failure *out is zeroed. */
gdrq_status gdrq_cuda_weights_make(const gdrq_node *node, const gdrq_node_weights *weights,
                                   int capability, gdrq_cuda_weights *out, gdrq_error *err);
void gdrq_cuda_weights_free(gdrq_cuda_weights *weights);

/* For plans of formats (gdrq_plan_make_elsewhere()): whether the kernel of a CONV node pools. */
bool gdrq_cuda_pools(const gdrq_node *node);

typedef struct gdrq_cuda_plan gdrq_cuda_plan;

/* As gdrq_plan_make(). */
gdrq_status gdrq_cuda_plan_make(const gdrq_node *nodes, int n, gdrq_tensor_shape input,
                                gdrq_cuda_plan **plan, gdrq_error *err);
void gdrq_cuda_plan_free(gdrq_cuda_plan *plan);

/* Which forms tensors have: it answers the same questions as the CPU's. */
const gdrq_plan *gdrq_cuda_plan_forms(const gdrq_cuda_plan *plan);

/* Makes room for `batch` images; keeps more if there was more. `weights` are those of all nodes. To
   be called before the nodes run, whenever either may have changed. */
gdrq_status gdrq_cuda_plan_reserve(gdrq_cuda_plan *plan, int batch,
                                   const gdrq_cuda_weights *weights, gdrq_error *err);

/* As gdrq_plan_codes() and gdrq_plan_interleaved(), in the GPU's memory. */
uint8_t *gdrq_cuda_plan_codes(const gdrq_cuda_plan *plan, int tensor, int b);
float *gdrq_cuda_plan_interleaved(const gdrq_cuda_plan *plan, int tensor, int b);

/* Queues what gdrq_plan_run() does; `values` are in the GPU's memory. */
gdrq_status gdrq_cuda_plan_run(gdrq_cuda_plan *plan, int i, int b, const gdrq_cuda_weights *weights,
                               const gdrq_grid *grids, float *values, gdrq_error *err);

#ifdef __cplusplus
}
#endif

#endif
