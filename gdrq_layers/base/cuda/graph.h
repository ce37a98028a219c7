/*
 * Work that is recorded once and queued many times, as one CUDA graph: the host then pays for one
 * call instead of one per kernel.
 */
#ifndef GDRQ_BASE_CUDA_GRAPH_H
#define GDRQ_BASE_CUDA_GRAPH_H

#include "gdrq.h"

#ifdef __cplusplus
extern "C" {
#endif

/* CUDA's own handle of an executable graph. */
typedef struct CUgraphExec_st gdrq_device_graph;

/* Queues kernels, copies between arrays of the device, and nothing else: it must not allocate, free
   or wait. Kernels get the same arguments, addresses among them, whenever they are replayed. */
typedef gdrq_status gdrq_queue(void *user, gdrq_error *err);

/* Records what `queue` queues, which does not run yet, on the thread's current device. On failure
 *graph is NULL. */
gdrq_status gdrq_device_record(gdrq_queue *queue, void *user, gdrq_device_graph **graph,
                               gdrq_error *err);

/* Queues all of it behind what the default stream has. */
gdrq_status gdrq_device_replay(gdrq_device_graph *graph, gdrq_error *err);

/* NULL is no graph. */
void gdrq_device_graph_free(gdrq_device_graph *graph);

#ifdef __cplusplus
}
#endif

#endif
