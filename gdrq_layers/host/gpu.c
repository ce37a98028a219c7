/* Which GPU there is, and what a GPU build of libdarknet lacks with today's CUDA. */
#include "darknet.h"
#include "gdrq.h"

#include <stdlib.h>

#include "base/status.h"

#ifdef GPU

#include "base/cuda/device.h"
#include "host/cuda/gpu_network.h"

/* 7.5, the first with tensor cores for 8-bit integers, is the least that CUDA 13 compiles for. Code
 * of older toolkits runs on older GPUs too, though products of codes are instructions from 6.1 on
 * only: 5.0 is the least that our kernels are compiled for in their checks. */
#define LEAST (CUDART_VERSION >= 13000 ? 75 : 50)

gdrq_status gdrq_gpu_check(int number, gdrq_error *err) {
    struct cudaDeviceProp of;
    int capability;
    gdrq_status status = gdrq_device_capability(number, &capability, err);
    if (status != GDRQ_OK || capability >= LEAST)
        return status;
    status = GDRQ_CHECK_CUDA(cudaGetDeviceProperties(&of, number), err);
    return status != GDRQ_OK
               ? status
               : gdrq_fail(err, GDRQ_ERROR_DEVICE,
                           "GPU %d (%s) has compute capability %d.%d, and %d.%d is the least that "
                           "this library runs on: -i chooses another",
                           number, of.name, of.major, of.minor, LEAST / 10, LEAST % 10);
}

gdrq_status gdrq_gpu_ready(gdrq_error *err) {
    int n = 0;
    const cudaError_t error = cudaGetDeviceCount(&n);
    if (error != cudaSuccess || n == 0)
        return gdrq_fail(err, GDRQ_ERROR_DEVICE, "no GPU (%s)",
                         error == cudaSuccess ? "CUDA counts none" : cudaGetErrorString(error));
    /* Any will do, as -i may choose it; without a good one it is the first that is told of. The one
     * that is used is checked as a network is parsed. */
    for (int i = 1; i < n; i++)
        if (gdrq_gpu_check(i, NULL) == GDRQ_OK)
            return GDRQ_OK;
    return gdrq_gpu_check(0, err);
}

static gdrq_status use(int number, gdrq_error *err) {
    int n = 0;
    const gdrq_status status = GDRQ_CHECK_CUDA(cudaGetDeviceCount(&n), err);
    if (status != GDRQ_OK)
        return status;
    if (number >= n)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "there is no GPU %d: they are 0 to %d", number,
                         n - 1);
    const gdrq_status capable = gdrq_gpu_check(number, err);
    if (capable == GDRQ_OK)
        cuda_set_device(number);
    return capable;
}

#if CUDART_VERSION >= 13000
/* What the host calls in one place, and older toolkits have. */
GDRQ_API cudaError_t cudaThreadSynchronize(void);
GDRQ_API cudaError_t cudaThreadSynchronize(void) {
    return cudaDeviceSynchronize();
}
#endif

#else

gdrq_status gdrq_gpu_ready(gdrq_error *err) {
    return gdrq_fail(err, GDRQ_ERROR_DEVICE, "this is the CPU build");
}

/* The host takes any. */
static gdrq_status use(int number, gdrq_error *err) {
    (void)number, (void)err;
    return GDRQ_OK;
}

#endif

gdrq_status gdrq_gpu_use(const char *number, gdrq_error *err) {
    enum { MOST = 15 }; /* the host's tables of handles have 16 entries */
    char *end;
    const long n = strtol(number, &end, 10);
    if (end == number || *end || n < 0 || n > MOST)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "'%s' is not a whole number from 0 to %d",
                         number, MOST);
    return use((int)n, err);
}
