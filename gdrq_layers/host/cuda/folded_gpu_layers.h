/* The layers of a folded network on the GPU, as the host's loop sees them, and our own loop, for
   other networks, too. */
#ifndef GDRQ_HOST_CUDA_FOLDED_GPU_LAYERS_H
#define GDRQ_HOST_CUDA_FOLDED_GPU_LAYERS_H

#include "darknet.h"
#include "gdrq.h"
#include "host/folded_network.h"
#include "primitives/predict.h"

/*
 * Gives layer i the function that the host calls, takes away the buffers on the GPU that nothing
 * will use and makes the one for its values. Its buffers in the host's memory and the layers before
 * it are done with.
 */
gdrq_status gdrq_folded_gpu_attach_layer(network *net, gdrq_folded_network *f, int i,
                                         gdrq_error *err);

/*
 * What the host's network_predict() does, but that pixels which are in place are all that goes to
 * the GPU. f: NULL if the network is not folded. With `after`, layer by layer instead of all at
 * once: it is called behind each one, when the GPU is done with it. Ends the program if the GPU
 * fails.
 */
float *gdrq_gpu_predict(const network *net, gdrq_folded_network *f, const float *input,
                        gdrq_after_layer *after, void *user);

#endif
