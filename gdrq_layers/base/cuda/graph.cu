#include "base/cuda/graph.h"

#include "base/cuda/launch.cuh"

/* NULL, which is the default stream: nothing is recorded. */
static thread_local cudaStream_t recorded_stream;

cudaStream_t gdrq_launch_stream() {
    return recorded_stream;
}

/* A capture is ended whatever happened in it. */
static gdrq_status capture(cudaStream_t stream, gdrq_queue *queue, void *user, cudaGraph_t *graph,
                           gdrq_error *err) {
    gdrq_status status =
        GDRQ_CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), err);
    if (status != GDRQ_OK)
        return status;
    recorded_stream = stream;
    status = queue(user, err);
    recorded_stream = nullptr;
    const cudaError_t error = cudaStreamEndCapture(stream, graph);
    return status == GDRQ_OK ? GDRQ_CHECK_CUDA(error, err) : status;
}

static gdrq_status instantiate(cudaGraph_t recorded, gdrq_device_graph **graph, gdrq_error *err) {
#if CUDART_VERSION >= 12000
    return GDRQ_CHECK_CUDA(cudaGraphInstantiate(graph, recorded, 0), err);
#else
    return GDRQ_CHECK_CUDA(cudaGraphInstantiate(graph, recorded, nullptr, nullptr, 0), err);
#endif
}

/*
 * On a stream that does not wait for the default one: while another kind is captured, nobody in the
 * process may use the default stream. Only the capture needs it: graphs are queued on the default
 * stream, in order with all that the host does.
 */
gdrq_status gdrq_device_record(gdrq_queue *queue, void *user, gdrq_device_graph **graph,
                               gdrq_error *err) {
    cudaStream_t stream;
    cudaGraph_t recorded = nullptr;
    *graph = nullptr;
    gdrq_status status =
        GDRQ_CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), err);
    if (status != GDRQ_OK)
        return status;
    status = capture(stream, queue, user, &recorded, err);
    if (status == GDRQ_OK)
        status = instantiate(recorded, graph, err);
    if (status != GDRQ_OK)
        *graph = nullptr;
    if (recorded)
        cudaGraphDestroy(recorded);
    cudaStreamDestroy(stream);
    if (status != GDRQ_OK)
        cudaGetLastError(); /* the next launch must not report it once more */
    return status;
}

gdrq_status gdrq_device_replay(gdrq_device_graph *graph, gdrq_error *err) {
    return GDRQ_CHECK_CUDA(cudaGraphLaunch(graph, nullptr), err);
}

void gdrq_device_graph_free(gdrq_device_graph *graph) {
    if (graph)
        cudaGraphExecDestroy(graph);
}
