#include "streams.h"

#include <vector>

using emulation::handles;
using emulation::last_error;

typedef std::vector<std::function<void()>> work_list;

struct CUstream_st {
    bool waits_for_default; /* no cudaStreamNonBlocking */
    bool captures, lost;
    cudaStreamCaptureMode mode;
    work_list recorded;
};

struct CUgraph_st {
    work_list work;
};

struct CUgraphExec_st {
    work_list work;
};

namespace emulation {

unsigned long graph_launches = 0, handles = 0;

/* One at a time, and kernels run on one thread anyway. */
static cudaStream_t captured;

static cudaError_t lose(cudaError_t error) {
    captured->lost = true;
    return last_error = error;
}

cudaError_t queue(cudaStream_t stream, const std::function<void()> &work) {
    if (!stream && captured && captured->waits_for_default)
        return lose(cudaErrorStreamCaptureImplicit);
    if (stream && stream->captures)
        stream->recorded.push_back(work);
    else
        work();
    return cudaSuccess;
}

bool forbidden_while_captured() {
    if (!captured || captured->mode == cudaStreamCaptureModeRelaxed)
        return false;
    lose(cudaErrorStreamCaptureUnsupported);
    return true;
}

} // namespace emulation

using emulation::captured;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    ++handles;
    *stream = new CUstream_st{
        flags != cudaStreamNonBlocking, false, false, cudaStreamCaptureModeGlobal, {}};
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    if (captured == stream)
        captured = nullptr;
    --handles;
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    if (!stream || captured)
        return last_error = cudaErrorStreamCaptureUnsupported;
    stream->captures = true;
    stream->lost = false;
    stream->mode = mode;
    stream->recorded.clear();
    captured = stream;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    *graph = nullptr;
    if (!stream || captured != stream)
        return last_error = cudaErrorInvalidValue;
    captured = nullptr;
    stream->captures = false;
    if (stream->lost)
        return last_error = cudaErrorStreamCaptureInvalidated;
    ++handles;
    *graph = new CUgraph_st{stream->recorded};
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    --handles;
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
    if (emulation::memory_in_use >= emulation::memory_limit)
        return last_error = cudaErrorMemoryAllocation;
    ++handles;
    *exec = new CUgraphExec_st{graph->work};
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
    --handles;
    delete exec;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
    if (!exec)
        return last_error = cudaErrorInvalidResourceHandle;
    ++emulation::graph_launches;
    for (const auto &work : exec->work) {
        const cudaError_t error = emulation::queue(stream, work);
        if (error != cudaSuccess)
            return error;
    }
    return cudaSuccess;
}
