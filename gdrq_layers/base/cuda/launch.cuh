/*
 * Launching kernels, and their dynamic shared memory, so that the same source compiles with nvcc
 * and, for tests on machines without a GPU, with a host compiler (tests/cuda/emulation).
 */
#ifndef GDRQ_BASE_CUDA_LAUNCH_CUH
#define GDRQ_BASE_CUDA_LAUNCH_CUH

#include <cuda_runtime.h>

#include "base/cuda/device.h"

/* Where this thread queues: the default stream, or the one that is recorded. */
cudaStream_t gdrq_launch_stream();

/* GDRQ_LAUNCH(err, grid, block, bytes of dynamic shared memory, kernel, arguments ...) is the
   status; what goes wrong while the kernel runs is found by a later call. */
#ifdef __CUDACC__
#define GDRQ_LAUNCH(err, grid, block, shared, kernel, ...)                     \
    (kernel<<<(grid), (block), (shared), gdrq_launch_stream()>>>(__VA_ARGS__), \
     gdrq_device_check(cudaGetLastError(), __FILE__, __LINE__, err))
#define GDRQ_DYNAMIC_SHARED(type, name)                          \
    extern __shared__ __align__(16) unsigned char gdrq_shared[]; \
    type *const name = (type *)gdrq_shared
#else
#define GDRQ_LAUNCH(err, grid, block, shared, kernel, ...)                                     \
    (emulation::launch(                                                                        \
         (grid), (block), (shared),                                                            \
         emulation::with_copies([](auto... arguments) { kernel(arguments...); }, __VA_ARGS__), \
         gdrq_launch_stream()),                                                                \
     gdrq_device_check(cudaGetLastError(), __FILE__, __LINE__, err))
#define GDRQ_DYNAMIC_SHARED(type, name) type *const name = (type *)emulation::dynamic_shared()
#endif

#endif
