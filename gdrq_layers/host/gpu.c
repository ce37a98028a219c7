/* Which GPU there is, and what a GPU build of libdarknet lacks with today's CUDA. */
#include "darknet.h"
#include "gdrq.h"

#include <stdlib.h>

#include "base/status.h"

#ifdef GPU

#include "base/cuda/device.h"

gdrq_status gdrq_gpu_ready(gdrq_error *err) {
    int n = 0;
    const cudaError_t error = cudaGetDeviceCount(&n);
    if (error == cudaSuccess && n > 0)
        return GDRQ_OK;
    return gdrq_fail(err, GDRQ_ERROR_DEVICE, "no GPU (%s)",
                     error == cudaSuccess ? "CUDA counts none" : cudaGetErrorString(error));
}

static gdrq_status use(int number, gdrq_error *err) {
    int n = 0;
    const gdrq_status status = GDRQ_CHECK_CUDA(cudaGetDeviceCount(&n), err);
    if (status != GDRQ_OK)
        return status;
    if (number >= n)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "there is no GPU %d: they are 0 to %d", number,
                         n - 1);
    cuda_set_device(number);
    return GDRQ_OK;
}

/*
 * What the host calls in one place and CUDA 13 no longer has; older ones do, and theirs does the
 * same.
 */
GDRQ_API cudaError_t cudaThreadSynchronize(void);
GDRQ_API cudaError_t cudaThreadSynchronize(void) {
    return cudaDeviceSynchronize();
}

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
    enum { MOST = 1023 };
    char *end;
    const long n = strtol(number, &end, 10);
    if (end == number || *end || n < 0 || n > MOST)
        return gdrq_fail(err, GDRQ_ERROR_ARGUMENT, "'%s' is not a whole number from 0 to %d",
                         number, MOST);
    return use((int)n, err);
}
