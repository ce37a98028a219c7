/*
 * In the place of CUDA's header: kernels compile for the host and run on fibers. What our kernels
 * use of CUDA, and no more; device memory is the host's.
 */
#ifndef TESTS_CUDA_EMULATION_CUDA_RUNTIME_H
#define TESTS_CUDA_EMULATION_CUDA_RUNTIME_H

#ifndef __cplusplus
/* What darknet.h needs in C. */
typedef enum cudaError { cudaSuccess = 0 } cudaError_t;
typedef struct CUstream_st *cudaStream_t;
#else

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#include "fibers.h"

/* Whose functions are as they are here. */
#define CUDART_VERSION 13000

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
/* Blocks run one after the other. */
#define __shared__ static
#define __launch_bounds__(...)

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
    cudaErrorStreamCaptureImplicit = 906,
};
enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice
};
enum cudaDeviceAttr {
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
};
enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal = 0,
    cudaStreamCaptureModeThreadLocal = 1,
    cudaStreamCaptureModeRelaxed = 2,
};
enum { cudaStreamDefault = 0, cudaStreamNonBlocking = 1 };
typedef struct CUstream_st *cudaStream_t;
typedef struct CUgraph_st *cudaGraph_t;
typedef struct CUgraphExec_st *cudaGraphExec_t;

namespace emulation {

extern cudaError_t last_error;
/* Calls that made the host wait for the device, and bytes of device memory in use. */
extern unsigned long synchronisations;
extern size_t memory_in_use, memory_limit;
bool is_device_memory(const void *pointer);
/* Of the device, and what its code is compiled for: 75 is 7.5. */
constexpr int capability = 75, multiprocessors = 2;
extern int code_capability;
/* Graphs that were launched, and streams, graphs and executable graphs that exist. */
extern unsigned long graph_launches, handles;

cudaError_t launch(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &kernel,
                   cudaStream_t stream = nullptr);

/* A kernel with its arguments as they are now, which a device copies as it is launched. */
template <class Kernel, class... Arguments>
std::function<void()> with_copies(Kernel kernel, Arguments... arguments) {
    return [=] { kernel(arguments...); };
}

} // namespace emulation

cudaError_t cudaMalloc(void **pointer, size_t bytes);
cudaError_t cudaFree(void *pointer);
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream = nullptr);
cudaError_t cudaMemsetAsync(void *to, int byte, size_t bytes, cudaStream_t stream = nullptr);
cudaError_t cudaGetLastError();
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMallocHost(void **pointer, size_t bytes);
cudaError_t cudaFreeHost(void *pointer);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                                 unsigned long long flags);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
const char *cudaGetErrorString(cudaError_t error);

#define __syncthreads() emulation::wait_for_block(__FILE__, __LINE__)

static inline void __syncwarp(unsigned mask = ~0u) {
    emulation::exchange(mask, 0, "__syncwarp");
}

static inline void __threadfence() {
}

namespace emulation {

template <class T> T from_bits(uint64_t bits) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle takes 4 or 8 bytes");
    T value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

template <class T> uint64_t to_bits(T value) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle takes 4 or 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    return bits;
}

template <class T>
T shuffle(unsigned mask, T value, unsigned source, bool in_range, const char *operation) {
    const uint64_t *values = exchange(mask, to_bits(value), operation);
    if (!in_range)
        return value;
    if (!(mask >> source & 1))
        misuse("%s reads lane %u, which is not in the mask %08x", operation, source, mask);
    return from_bits<T>(values[source]);
}

template <class T, class Operation>
T reduce(unsigned mask, T value, Operation combine, const char *operation) {
    const uint64_t *values = exchange(mask, to_bits(value), operation);
    bool first = true;
    T result{};
    for (unsigned k = 0; k < WARP; ++k)
        if (mask >> k & 1) {
            const T next = from_bits<T>(values[k]);
            result = first ? next : combine(result, next);
            first = false;
        }
    return result;
}

} // namespace emulation

/* Lanes form segments of `width`; what lies outside of a lane's segment leaves it its own value. */
template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
    const unsigned first = emulation::lane() / width * width;
    return emulation::shuffle(mask, value, first + (unsigned)source % width, true, "__shfl_sync");
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
    const unsigned lane = emulation::lane(), source = lane ^ (unsigned)lanes;
    const bool in_range = source < (lane / width + 1) * width;
    return emulation::shuffle(mask, value, source, in_range, "__shfl_xor_sync");
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const unsigned lane = emulation::lane();
    const bool in_range = lane % width + delta < (unsigned)width;
    return emulation::shuffle(mask, value, lane + delta, in_range, "__shfl_down_sync");
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const unsigned lane = emulation::lane();
    const bool in_range = lane % width >= delta;
    return emulation::shuffle(mask, value, lane - delta, in_range, "__shfl_up_sync");
}

static inline unsigned __ballot_sync(unsigned mask, int predicate) {
    const uint64_t own = predicate ? 1ull << emulation::lane() : 0;
    return (unsigned)emulation::reduce(
        mask, own, [](uint64_t a, uint64_t b) { return a | b; }, "__ballot_sync");
}
static inline int __any_sync(unsigned mask, int predicate) {
    return __ballot_sync(mask, predicate) != 0;
}
static inline int __all_sync(unsigned mask, int predicate) {
    return __ballot_sync(mask, predicate) == mask;
}

struct cudaFuncAttributes {
    int ptxVersion;
};
template <class... T> cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *of, void (*)(T...)) {
    of->ptxVersion = emulation::code_capability;
    return cudaSuccess;
}

/* From compute capability 8.0 on. */
template <class T> T __reduce_add_sync(unsigned mask, T value) {
    return emulation::reduce(
        mask, value, [](T a, T b) { return a + b; }, "__reduce_add_sync");
}
template <class T> T __reduce_min_sync(unsigned mask, T value) {
    return emulation::reduce(
        mask, value, [](T a, T b) { return b < a ? b : a; }, "__reduce_min_sync");
}
template <class T> T __reduce_max_sync(unsigned mask, T value) {
    return emulation::reduce(
        mask, value, [](T a, T b) { return a < b ? b : a; }, "__reduce_max_sync");
}

/* Fibers are never interrupted. All return the value before. */
template <class T> T atomicAdd(T *at, T value) {
    const T before = *at;
    *at = before + value;
    return before;
}
template <class T> T atomicMin(T *at, T value) {
    const T before = *at;
    *at = value < before ? value : before;
    return before;
}
template <class T> T atomicMax(T *at, T value) {
    const T before = *at;
    *at = value > before ? value : before;
    return before;
}
template <class T> T atomicExch(T *at, T value) {
    const T before = *at;
    *at = value;
    return before;
}
template <class T> T atomicCAS(T *at, T expected, T value) {
    const T before = *at;
    *at = before == expected ? value : before;
    return before;
}

template <class T> T __ldg(const T *at) {
    return *at;
}

/* c + the four products of the bytes of a and b. */
static inline int __dp4a(int a, int b, int c) {
    for (int k = 0; k < 4; ++k)
        c += (int8_t)(a >> 8 * k) * (int8_t)(b >> 8 * k);
    return c;
}
static inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
    for (int k = 0; k < 4; ++k)
        c += (uint8_t)(a >> 8 * k) * (uint8_t)(b >> 8 * k);
    return c;
}

static inline float __int_as_float(int bits) {
    return emulation::from_bits<float>((uint32_t)bits);
}
static inline int __float_as_int(float value) {
    return (int)emulation::to_bits(value);
}
static inline int __float2int_rn(float value) {
    return (int)rintf(value);
}
static inline int min(int a, int b) {
    return b < a ? b : a;
}
static inline int max(int a, int b) {
    return a < b ? b : a;
}

#endif
#endif
