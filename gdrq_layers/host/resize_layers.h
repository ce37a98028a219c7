/* What a network of another size needs, layer by layer: geometry and buffers, in place of nothing
   yet. resize.c plans all layers with it, then changes all of the network or nothing. */
#ifndef GDRQ_HOST_RESIZE_LAYERS_H
#define GDRQ_HOST_RESIZE_LAYERS_H

#include <stdbool.h>
#include <stddef.h>

#include "darknet.h"
#include "gdrq.h"
#include "host/folded_network.h"

/* An array on the GPU that must hold as many bytes. */
typedef struct gdrq_gpu_need {
    void **slot;       /* of the layer, or of the network */
    size_t bytes, had; /* had: as long as no resize has touched it */
    void *fresh;       /* of a folded network: the one to take its place, or NULL: it is enough */
} gdrq_gpu_need;

/* The new geometry of one layer and the buffers that go with it. */
enum { GDRQ_RESIZE_BUFFERS = 6, GDRQ_GPU_NEEDS = GDRQ_RESIZE_BUFFERS + 2 };
typedef struct gdrq_new_layer {
    int w, h, c;             /* input */
    int out_w, out_h, out_c; /* output; 0 where it is no image */
    int inputs, outputs;
    size_t workspace_size;
    bool too_large;                    /* more elements than the host can count */
    void **slots[GDRQ_RESIZE_BUFFERS]; /* members of the layer that get a new buffer */
    void *buffers[GDRQ_RESIZE_BUFFERS];
    int n;
    gdrq_gpu_need gpu[GDRQ_GPU_NEEDS]; /* the same on the GPU, and what is there alone */
    int n_gpu;
} gdrq_new_layer;

/* CUDA's error, where it was another one than that memory is out. */
typedef struct gdrq_gpu_failure {
    gdrq_status status;
    gdrq_error error;
} gdrq_gpu_failure;

typedef struct gdrq_resizing {
    network *net;
    int w, h;
    int batch, old_batch; /* that buffers are made for, and were */
    gdrq_new_layer *layers;
    gdrq_folded_network *folded; /* NULL: the network is none */
    gdrq_tensor_shape *tensors;  /* with folded: new shapes of -1..n-1, by index + 1 */
    gdrq_folded_plan plan;
    gdrq_gpu_need net_gpu[GDRQ_GPU_NEEDS]; /* of the network itself */
    int n_net_gpu;
    struct gdrq_gpu_room *rooms; /* of the network's state, on a GPU */
    gdrq_gpu_failure *failure;
    gdrq_error *err;
} gdrq_resizing;

/* Plans layer i, those before it being planned: its new geometry, and what it needs for it. */
gdrq_status gdrq_resize_plan_layer(const gdrq_resizing *r, int i);

/* What the size of a buffer goes by. */
typedef enum gdrq_extent { GDRQ_OF_OUTPUTS, GDRQ_OF_INPUTS } gdrq_extent;

/* Adds a zeroed buffer of so many 4-byte elements per image for *slot, and notes that the one on
   the GPU, if the layer has it there, too, must hold as many. False when memory is out. */
bool gdrq_resize_add_buffer(const gdrq_resizing *r, gdrq_new_layer *to, void **slot,
                            gdrq_extent extent);

/* The error of a buffer of layer i that there is no memory for. */
gdrq_status gdrq_resize_no_buffer(const gdrq_resizing *r, int i);

#ifdef GPU
/* Notes that a layer has, or is to have, outputs in an array on the GPU. */
void gdrq_resize_need_on_gpu(const gdrq_resizing *r, gdrq_new_layer *to, void **slot,
                             gdrq_extent extent);
#endif

#endif
