/* The exported hooks of a GPU build: what the host's constructors and its resizing allocate with.
   The host's ends in an assertion that names nothing where the GPU's memory is out. */
#include "darknet.h"
#include "gdrq.h"

#include "base/cuda/device.h"
#include "base/fatal.h"
#include "host/cuda/gpu_network.h"

GDRQ_API float *cuda_make_array(float *x, size_t n);
GDRQ_API int *cuda_make_int_array(int *x, size_t n);

/* A copy of x, zeros for NULL. Layers come one by one, each adding its row to the host's table. */
static void *make_array(const void *x, size_t n, size_t size) {
    gdrq_error err;
    void *array;
    gdrq_must(gdrq_gpu_alloc(&array, n, size, "the layer behind the last of the table", &err),
              &err);
    gdrq_must(x ? gdrq_device_push(array, x, n * size, &err)
                : gdrq_device_clear(array, n * size, &err),
              &err);
    return array;
}

GDRQ_API float *cuda_make_array(float *x, size_t n) {
    return make_array(x, n, sizeof *x);
}

GDRQ_API int *cuda_make_int_array(int *x, size_t n) {
    return make_array(x, n, sizeof *x);
}
