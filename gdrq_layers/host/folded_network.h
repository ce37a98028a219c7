/*
 * A folded network at work inside the host's: the plan of its integer layers, their numbers, and
 * the forward functions that run both kinds of layers in the host's own loop.
 *
 * Every layer's forward is replaced by one that runs its node of the plan (net.index tells which):
 * integer layers compute, layers that move values move codes where there are some, and what is left
 * runs the function it had, its values being quantised behind it where an integer layer reads them.
 * On a GPU the first one queues them all (host/cuda/folded_gpu.h).
 */
#ifndef GDRQ_HOST_FOLDED_NETWORK_H
#define GDRQ_HOST_FOLDED_NETWORK_H

#include "darknet.h"
#include "gdrq.h"
#include "host/outline.h"
#include "host/tensor_class.h"
#include "infer/plan.h"
#include "model/folded.h"

typedef void gdrq_forward_function(layer l, network net);

/* A plan: on a GPU, which forms tensors have there, and what runs it. */
typedef struct gdrq_folded_plan {
    gdrq_plan *forms;
    struct gdrq_folded_gpu_plan *gpu; /* NULL: the network is on the CPU */
} gdrq_folded_plan;
void gdrq_folded_plan_free(gdrq_folded_plan *plan);

typedef struct gdrq_folded_network {
    int n;
    gdrq_node *nodes;                /* n */
    int *reads;                      /* of all nodes */
    gdrq_plan *plan;                 /* on a GPU, of forms alone */
    struct gdrq_folded_gpu *gpu;     /* NULL: the network is on the CPU */
    gdrq_tensor_shape *tensors;      /* of -1..n-1, by index + 1 */
    gdrq_tensor_classes *classes;    /* shared with the network's state */
    gdrq_grid *grids;                /* of each class; from the weights file */
    gdrq_node_weights *weights;      /* n; of folded layers, from the weights file; on the CPU */
    gdrq_forward_function **forward; /* n: what each layer's forward was */
    int *weight_bits;                /* n; 0: not a folded layer */
    uint64_t hash;                   /* gdrq_outline_hash() */
    char *path;                      /* of the weights file; NULL: none, or random numbers */
    bool loaded;                     /* the weights are there */
    bool input_is_coded;             /* the codes of the input are in place: net.input is not */
} gdrq_folded_network;

/*
 * Makes the plan of a parsed network with folded sections, gives the layers their forwards and
 * takes away the buffers that nothing will use. On failure *out is NULL and the network is to be
 * thrown away.
 */
gdrq_status gdrq_folded_attach(network *net, const gdrq_outline *outline,
                               gdrq_tensor_classes *classes, gdrq_folded_network **out,
                               gdrq_error *err);

void gdrq_folded_network_free(gdrq_folded_network *f);

/* Loads the file of a folded network into one; nothing changes on error. */
gdrq_status gdrq_folded_load(network *net, gdrq_folded_network *f, const char *path,
                             gdrq_error *err);

/* Opens a weights file that fits the network, to be closed; on failure *file is empty. */
gdrq_status gdrq_folded_open(const network *net, const gdrq_folded_network *f, const char *path,
                             gdrq_folded *file, gdrq_error *err);

/*
 * Layer i's numbers as the file has them, unpacked: *weights, which is to be freed, has the codes
 * that a loaded network keeps packed for its kernels alone. `file` is one that gdrq_folded_open()
 * opened.
 */
gdrq_status gdrq_folded_unpack(const gdrq_folded_network *f, const gdrq_folded *file, int i,
                               ACTIVATION activation, gdrq_node_weights *weights, gdrq_error *err);

/* Random numbers instead of a file's; nothing changes on error. */
gdrq_status gdrq_folded_randomise(gdrq_folded_network *f, const network *net, gdrq_error *err);

/* GDRQ_ERROR_STATE if no weights were loaded. */
gdrq_status gdrq_folded_check(const gdrq_folded_network *f, gdrq_error *err);

/*
 * Where 8-bit pixels of image 0 can be put, interleaved, for the next forward, which may then be
 * given no input once it is told that they are there. *pixels is NULL if the network needs floats
 * as well, or reads no pixels.
 */
gdrq_status gdrq_folded_pixels(const gdrq_folded_network *f, uint8_t **pixels, gdrq_error *err);
void gdrq_folded_pixels_are_set(gdrq_folded_network *f);

/*
 * What a resize needs: a plan for tensors of other shapes (-1..n-1, by index + 1), with room for
 * `batch` images; and to put it in place, which can't fail and takes over what is given.
 */
gdrq_status gdrq_folded_plan_anew(const gdrq_folded_network *f, const gdrq_tensor_shape *tensors,
                                  int batch, gdrq_folded_plan *plan, gdrq_error *err);
void gdrq_folded_set_plan(gdrq_folded_network *f, const gdrq_folded_plan *plan,
                          const gdrq_tensor_shape *tensors);

/* A layer's activation as the integer operations have it. */
gdrq_int_activation gdrq_folded_activation(ACTIVATION a);

/* The shape of a tensor as the plan sees it: an image, or so many values in one pixel. */
gdrq_tensor_shape gdrq_folded_shape(int w, int h, int c, int values);

#endif
