#include "cuda_runtime.h"
#include "streams.h"

#include <cstdlib>
#include <map>

namespace emulation {

cudaError_t last_error = cudaSuccess;
unsigned long synchronisations = 0;
size_t memory_in_use = 0, memory_limit = SIZE_MAX;
int code_capability = capability;

static std::map<void *, size_t> allocations;

cudaError_t launch(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &kernel,
                   cudaStream_t stream) {
    const size_t threads = (size_t)block.x * block.y * block.z;
    const bool fits = threads >= 1 && threads <= MOST_THREADS && block.z <= 64 && grid.x >= 1 &&
                      grid.x <= 0x7fffffff && grid.y >= 1 && grid.y <= 65535 && grid.z >= 1 &&
                      grid.z <= 65535;
    if (!fits)
        return last_error = cudaErrorInvalidConfiguration;
    if (shared_bytes > MOST_SHARED)
        return last_error = cudaErrorInvalidValue;
    return queue(stream, [=] { run(grid, block, shared_bytes, kernel); });
}

bool is_device_memory(const void *pointer) {
    auto next = allocations.upper_bound((void *)pointer);
    if (next == allocations.begin())
        return false;
    --next;
    return (const char *)pointer < (const char *)next->first + next->second;
}

} // namespace emulation

using namespace emulation;

/* New memory holds NaNs, so that nothing is taken for zeroed. */
cudaError_t cudaMalloc(void **pointer, size_t bytes) {
    if (forbidden_while_captured())
        return last_error;
    if (bytes > memory_limit || memory_in_use > memory_limit - bytes)
        return last_error = cudaErrorMemoryAllocation;
    *pointer = malloc(bytes ? bytes : 1);
    if (!*pointer)
        return last_error = cudaErrorMemoryAllocation;
    memset(*pointer, 0xff, bytes);
    allocations[*pointer] = bytes;
    memory_in_use += bytes;
    return cudaSuccess;
}

cudaError_t cudaFree(void *pointer) {
    if (!pointer)
        return cudaSuccess;
    if (forbidden_while_captured())
        return last_error;
    const auto found = allocations.find(pointer);
    if (found == allocations.end())
        return last_error = cudaErrorInvalidValue;
    memory_in_use -= found->second;
    allocations.erase(found);
    free(pointer);
    return cudaSuccess;
}

/* Page-locked memory is any here. */
cudaError_t cudaMallocHost(void **pointer, size_t bytes) {
    if (forbidden_while_captured())
        return last_error;
    *pointer = malloc(bytes ? bytes : 1);
    return *pointer ? cudaSuccess : last_error = cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *pointer) {
    if (pointer && forbidden_while_captured())
        return last_error;
    free(pointer);
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device) {
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int) {
    *value = attribute == cudaDevAttrComputeCapabilityMajor   ? capability / 10
             : attribute == cudaDevAttrComputeCapabilityMinor ? capability % 10
                                                              : multiprocessors;
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind) {
    if (forbidden_while_captured())
        return last_error;
    ++synchronisations;
    memmove(to, from, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    /* From memory that is not page-locked, the host waits. */
    if (kind != cudaMemcpyDeviceToDevice)
        ++synchronisations;
    return queue(stream, [=] { memmove(to, from, bytes); });
}

cudaError_t cudaMemsetAsync(void *to, int byte, size_t bytes, cudaStream_t stream) {
    return queue(stream, [=] { memset(to, byte, bytes); });
}

cudaError_t cudaGetLastError() {
    const cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaDeviceSynchronize() {
    if (forbidden_while_captured())
        return last_error;
    ++synchronisations;
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t error) {
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorInvalidConfiguration:
        return "invalid configuration argument";
    case cudaErrorInvalidResourceHandle:
        return "invalid resource handle";
    case cudaErrorStreamCaptureUnsupported:
        return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
        return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureImplicit:
        return "operation would make the legacy stream depend on a capturing blocking stream";
    default:
        return "invalid argument";
    }
}
