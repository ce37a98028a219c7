/*
 * A resize's part on the GPU. Its arrays there only grow: an array that was made for a larger input
 * serves a smaller one, so that a training with random=1 allocates no more once it has seen its
 * largest size. One that must grow is replaced at once, before the next: a network that fills most
 * of the GPU's memory would not fit there twice.
 */
#ifndef GDRQ_HOST_CUDA_RESIZE_GPU_H
#define GDRQ_HOST_CUDA_RESIZE_GPU_H

#include "host/resize_layers.h"

/* What an array holds that a resize has looked at. */
typedef struct gdrq_gpu_room {
    void **slot;
    size_t bytes;
} gdrq_gpu_room;

/*
 * Makes room for all that was planned, and for `inputs` and `truths` floats of the network. On
 * failure the network is as good as before: some of its arrays may lie elsewhere and have more
 * room, but hold what they held. Of a folded network, whose plan knows where arrays lie, nothing
 * changes before the commit.
 */
gdrq_status gdrq_resize_gpu(gdrq_resizing *r, size_t inputs, size_t truths);

/* Puts a folded network's new arrays in place, or frees them. */
void gdrq_resize_gpu_commit(gdrq_resizing *r);
void gdrq_resize_gpu_discard(gdrq_resizing *r);

#endif
