/* The parts of a network on the GPU that the host library's own functions do not see to, or see to
   in places that ours have replaced. For networks with gpu_index >= 0. */
#ifndef GDRQ_HOST_CUDA_GPU_NETWORK_H
#define GDRQ_HOST_CUDA_GPU_NETWORK_H

#include "darknet.h"
#include "gdrq.h"

/* GDRQ_ERROR_DEVICE if the library can't run on the GPU of this number. */
gdrq_status gdrq_gpu_check(int number, gdrq_error *err);

/* The GPU's member of l for the array that the host's member `slot` (&l->output, ...) points to;
   NULL if there is none. */
void **gdrq_gpu_twin(const layer *l, void **slot);

/* All that a training changes, from the GPU to the host's arrays, and from those to the GPU. */
gdrq_status gdrq_gpu_pull(const network *net, gdrq_error *err);
gdrq_status gdrq_gpu_push(const network *net, gdrq_error *err);

/* The same of one kind; thresholds go with the optimiser's. */
gdrq_status gdrq_gpu_pull_arrays(const network *net, gdrq_arrays which, gdrq_error *err);
gdrq_status gdrq_gpu_push_arrays(const network *net, gdrq_arrays which, gdrq_error *err);

/* The weights, statistics and thresholds of layer i alone. */
gdrq_status gdrq_gpu_pull_layer(const network *net, int i, gdrq_error *err);

/* gdrq_quantised_forget() of layer i, there and here. */
gdrq_status gdrq_gpu_forget_learned(const network *net, int i, gdrq_error *err);

/* `count` zeroed floats for an image's or a layer's array; the message names the layer. */
gdrq_status gdrq_gpu_new_array(int layer, size_t count, void **array, gdrq_error *err);

/* gdrq_device_alloc(), or gdrq_device_alloc_to_infer() while a folded network is made in this
   thread. */
gdrq_status gdrq_gpu_alloc(void **array, size_t count, size_t size, const char *what,
                           gdrq_error *err);
void gdrq_gpu_makes_folded(bool on);

/* net->truth_gpu for net->truths and net->batch. */
gdrq_status gdrq_gpu_fit_truth(network *net, gdrq_error *err);

#endif
