/*
 * What the plugin knows of a network beyond the host's struct, which has no room for it: kept in a
 * registry by the network's address from parse_network_cfg() to free_network().
 */
#ifndef GDRQ_HOST_NETWORK_STATE_H
#define GDRQ_HOST_NETWORK_STATE_H

#include "darknet.h"
#include "host/folded_network.h"
#include "host/frame.h"
#include "host/tensor_class.h"
#include "train/quantised_layer.h"

typedef struct gdrq_network_state {
    const network *net;
    gdrq_tensor_classes tensors;
    gdrq_training training;
    float ema;                          /* [net] ema= */
    int ema_images;                     /* [net] ema_images= */
    int max_shift;                      /* [net] max_shift= */
    struct gdrq_statistics *statistics; /* while batch norm's are measured; else NULL */
    struct gdrq_equaliser *equaliser;   /* while channels are equalised; else NULL */
    gdrq_folded_network *folded;        /* of a folded network, else NULL */
    gdrq_frame frame;
    struct gdrq_gpu_room *gpu_rooms; /* of the arrays of a resized network on a GPU, else NULL */
    int max_batch;         /* the largest batch that buffers were made for; the host forgets it */
    char untrainable[512]; /* why the network can only infer, empty if it can be trained */
    struct gdrq_network_state *next;
} gdrq_network_state;

/* Adds a state for net, which must not have one; NULL when memory is out. */
gdrq_network_state *gdrq_network_state_new(const network *net);

/* The state of net, NULL if it was not parsed by this library. */
gdrq_network_state *gdrq_network_state_find(const network *net);

/* Of activations. */
void gdrq_network_state_forget_thresholds(gdrq_network_state *state);

/* As of a network that was never trained: no thresholds, iteration 0. */
void gdrq_network_state_reset(gdrq_network_state *state);

/* Forgets and frees the state of net, if any. */
void gdrq_network_state_free(const network *net);

#endif
