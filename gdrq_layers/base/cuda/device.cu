#include "base/cuda/device.h"

#include <math.h>
#include <stdint.h>

#include <cuda_runtime.h>

#include "base/cuda/launch.cuh"
#include "base/status.h"

gdrq_status gdrq_device_check(int error, const char *file, int line, gdrq_error *err) {
    if (error == cudaSuccess)
        return GDRQ_OK;
    const char *advice = "";
    if (error == cudaErrorNoKernelImageForDevice)
        advice = ": ARCH= of `make GPU=1` chooses for which GPUs, from the least on that the "
                 "toolkit compiles for";
    return gdrq_fail(err, GDRQ_ERROR_DEVICE, "%s:%d: CUDA: %s%s", file, line,
                     cudaGetErrorString((cudaError_t)error), advice);
}

static gdrq_status alloc(void **memory, size_t count, size_t size, const char *what,
                         const char *advice, gdrq_error *err) {
    *memory = NULL;
    const bool countable = size == 0 || count <= SIZE_MAX / size;
    const size_t bytes = count * size;
    const cudaError_t error =
        countable ? cudaMalloc(memory, bytes > 0 ? bytes : 1) : cudaErrorMemoryAllocation;
    if (error == cudaSuccess)
        return GDRQ_OK;
    *memory = NULL;
    cudaGetLastError(); /* the next launch must not report it once more */
    if (error == cudaErrorMemoryAllocation)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: the GPU has no %.0f MB left for it: %s", what,
                         ceil((double)count * (double)size / 1e6), advice);
    return GDRQ_CHECK_CUDA(error, err);
}

gdrq_status gdrq_device_alloc(void **memory, size_t count, size_t size, const char *what,
                              gdrq_error *err) {
    return alloc(memory, count, size, what,
                 "raise subdivisions= in [net], so that it holds fewer images at a time", err);
}

gdrq_status gdrq_device_alloc_to_infer(void **memory, size_t count, size_t size, const char *what,
                                       gdrq_error *err) {
    return alloc(memory, count, size, what,
                 "choose a smaller width= and height= in [net], and batch=1", err);
}

void gdrq_device_free(void *memory) {
    cudaFree(memory);
}

gdrq_status gdrq_pinned_alloc(void **memory, size_t bytes, const char *what, gdrq_error *err) {
    *memory = NULL;
    const cudaError_t error = cudaMallocHost(memory, bytes);
    if (error == cudaSuccess)
        return GDRQ_OK;
    *memory = NULL;
    cudaGetLastError(); /* the next launch must not report it once more */
    if (error == cudaErrorMemoryAllocation)
        return gdrq_fail(err, GDRQ_ERROR_MEMORY, "%s: out of page-locked memory for %zu bytes",
                         what, bytes);
    return GDRQ_CHECK_CUDA(error, err);
}

void gdrq_pinned_free(void *memory) {
    cudaFreeHost(memory);
}

gdrq_status gdrq_device_capability(int device, int *capability, gdrq_error *err) {
    int major = 0, minor = 0;
    gdrq_status status = GDRQ_CHECK_CUDA(
        cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), err);
    if (status == GDRQ_OK)
        status = GDRQ_CHECK_CUDA(
            cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), err);
    *capability = 10 * major + minor;
    return status;
}

gdrq_status gdrq_device_multiprocessors(int *n, gdrq_error *err) {
    int device;
    const gdrq_status status = GDRQ_CHECK_CUDA(cudaGetDevice(&device), err);
    return status == GDRQ_OK
               ? GDRQ_CHECK_CUDA(cudaDeviceGetAttribute(n, cudaDevAttrMultiProcessorCount, device),
                                 err)
               : status;
}

gdrq_status gdrq_device_wait(gdrq_error *err) {
    return GDRQ_CHECK_CUDA(cudaDeviceSynchronize(), err);
}

gdrq_status gdrq_device_clear(void *memory, size_t bytes, gdrq_error *err) {
    return GDRQ_CHECK_CUDA(cudaMemsetAsync(memory, 0, bytes, gdrq_launch_stream()), err);
}

gdrq_status gdrq_device_copy(void *to, const void *from, size_t bytes, gdrq_error *err) {
    return GDRQ_CHECK_CUDA(
        cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, gdrq_launch_stream()), err);
}

gdrq_status gdrq_device_push(void *to, const void *from, size_t bytes, gdrq_error *err) {
    return GDRQ_CHECK_CUDA(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), err);
}

gdrq_status gdrq_device_pull(void *to, const void *from, size_t bytes, gdrq_error *err) {
    return GDRQ_CHECK_CUDA(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost), err);
}
