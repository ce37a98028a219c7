/*
 * A folded network on the GPU. All that its layers compute is queued when the first of them is
 * asked to run, as one CUDA graph that is recorded once per size of the input; the others then have
 * nothing to do. Behind it run, by functions of their own and in their turn, the layers whose
 * values nothing that is queued reads: heads, costs and what stands before them alone.
 */
#ifndef GDRQ_HOST_CUDA_FOLDED_GPU_H
#define GDRQ_HOST_CUDA_FOLDED_GPU_H

#include "darknet.h"
#include "gdrq.h"
#include "host/folded_network.h"
#include "infer/cuda/gpu_plan.h"

/* What depends on the size of the input. */
typedef struct gdrq_folded_gpu_plan gdrq_folded_gpu_plan;

/* What does not. */
typedef struct gdrq_folded_gpu gdrq_folded_gpu;

/*
 * For f, whose nodes are there, and `net`, which is parsed and must stay where it is. Fails if the
 * GPU has no kernel for a layer's activation. On failure *gpu is NULL.
 */
gdrq_status gdrq_folded_gpu_new(const network *net, const gdrq_folded_network *f,
                                gdrq_folded_gpu **gpu, gdrq_error *err);
void gdrq_folded_gpu_free(gdrq_folded_gpu *gpu);

/*
 * A plan for nodes of some size (`n` of them), with room for `batch` images. Fails, naming the
 * layer, if one stands among folded layers that the GPU can't queue. On failure *plan is NULL.
 */
gdrq_status gdrq_folded_gpu_plan_new(const gdrq_folded_gpu *gpu, const gdrq_node *nodes, int n,
                                     gdrq_tensor_shape input, int batch,
                                     gdrq_folded_gpu_plan **plan, gdrq_error *err);
void gdrq_folded_gpu_plan_free(gdrq_folded_gpu_plan *plan);

/* Puts it in the place of the one before, which is freed. */
void gdrq_folded_gpu_set_plan(gdrq_folded_gpu *gpu, gdrq_folded_gpu_plan *plan);

/* Uploads the numbers of folded layer i to *out. */
gdrq_status gdrq_folded_gpu_upload(const gdrq_folded_gpu *gpu, int i, const gdrq_node *node,
                                   const gdrq_node_weights *weights, gdrq_cuda_weights *out,
                                   gdrq_error *err);

/* `weights` of all layers, which gets those that were there before. */
void gdrq_folded_gpu_swap_weights(gdrq_folded_gpu *gpu, gdrq_cuda_weights *weights);

/* What computes folded layer i: a kernel's name. */
const char *gdrq_folded_gpu_kernel(const gdrq_folded_gpu *gpu, int i);

/* Room for an image's pixels, as gdrq_folded_pixels() gives it out. */
uint8_t *gdrq_folded_gpu_pixels(const gdrq_folded_gpu *gpu);

/* Tensor `tensor`'s codes of image b, in the GPU's memory, where the plan has them. */
const uint8_t *gdrq_folded_gpu_codes(const gdrq_folded_gpu *gpu, int tensor, int b);

/* Whether layer i runs by a function of its own. */
bool gdrq_folded_gpu_is_hosts(const gdrq_folded_gpu *gpu, int i);

/*
 * First the input's codes of net->batch images: of f's pixels if they are in place, else of
 * net->input_gpu. Then all layers, or layer i alone.
 */
gdrq_status gdrq_folded_gpu_set_input(gdrq_folded_network *f, const network *net, gdrq_error *err);
gdrq_status gdrq_folded_gpu_run(const gdrq_folded_network *f, gdrq_error *err);
gdrq_status gdrq_folded_gpu_run_layer(const gdrq_folded_network *f, const network *net, int i,
                                      gdrq_error *err);

/*
 * Folded layer i on codes of the host's, by itself: by the kernel and the weights that the network
 * runs with, without a shortcut. `codes` (where its tensor has a class) and `values` get the
 * results, in the host's memory, too.
 */
gdrq_status gdrq_folded_gpu_run_alone(const gdrq_folded_network *f, int i, const uint8_t *in,
                                      uint8_t *codes, float *values, gdrq_error *err);

#endif
