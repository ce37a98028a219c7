/* The exported hooks of a GPU build: what the host's constructors and its resizing allocate with,
   what draws random numbers, and what trains on several GPUs. */
#include "darknet.h"
#include "gdrq.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/cuda/device.h"
#include "base/fatal.h"
#include "base/status.h"
#include "host/cuda/gpu_network.h"
#include "primitives/cuda/value_layers.h"

GDRQ_API float *cuda_make_array(float *x, size_t n);
GDRQ_API int *cuda_make_int_array(int *x, size_t n);
GDRQ_API void cuda_random(float *x, size_t n);
GDRQ_API void sync_nets(network **nets, int n, int interval);
GDRQ_API float train_networks(network **nets, int n, data d, int interval);

/* The host's ends in an assertion that names nothing where the GPU's memory is out. */

/* A copy of x, zeros for NULL. Layers come one by one, each adding its row to the host's table. */
static void *make_array(const void *x, size_t n, size_t size) {
    gdrq_error err;
    void *array;
    gdrq_must(gdrq_gpu_alloc(&array, n, size,
                             "the layer behind the last of the table (or what all of them share)",
                             &err),
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

/* n numbers on the GPU. The host's generator begins with the time of day, whatever the seed; here
   each call draws a key, as the CPU's layers do. */
GDRQ_API void cuda_random(float *x, size_t n) {
    gdrq_error err;
    gdrq_must(gdrq_cuda_random((uint32_t)rand(), x, n, &err), &err);
}

/* What follows is as the host's, whose means leave out batch norm's statistics and thresholds. */

GDRQ_API void sync_nets(network **nets, int n, int interval) {
    gdrq_error err;
    for (int i = 0; i < n; ++i) {
        *nets[i]->seen = *nets[0]->seen;
        gdrq_network_count(nets[i], interval * (n - 1));
    }
    gdrq_must(gdrq_networks_average(nets, n, &err), &err);
}

/* The host's, in a header of its own. */
data get_data_part(data d, int part, int total);

typedef struct part_of_training {
    network **nets;
    int n;
    data d;
    float *errors;
} part_of_training;

static gdrq_status train_part(void *user, int i, gdrq_error *err) {
    const part_of_training *of = user;
    (void)err;
    of->errors[i] = train_network(of->nets[i], get_data_part(of->d, i, of->n));
    return GDRQ_OK;
}

GDRQ_API float train_networks(network **nets, int n, data d, int interval) {
    gdrq_error err;
    float sum = 0, *errors = gdrq_alloc((size_t)n, sizeof *errors);
    const int images = nets[0]->batch * nets[0]->subdivisions;
    if (!errors)
        gdrq_must(gdrq_fail(&err, GDRQ_ERROR_MEMORY, "out of memory for %d networks", n), &err);
    if (d.X.rows != images * n)
        gdrq_must(gdrq_fail(&err, GDRQ_ERROR_ARGUMENT,
                            "train_networks(): %d images for %d networks of %d each", d.X.rows, n,
                            images),
                  &err);
    part_of_training of = {nets, n, d, errors};
    gdrq_must(gdrq_networks_each(nets, n, train_part, &of, &err), &err);
    for (int i = 0; i < n; ++i)
        sum += errors[i];
    free(errors);
    if (interval > 0 && get_current_batch(nets[0]) % (size_t)interval == 0)
        sync_nets(nets, n, interval);
    return sum / (float)n;
}
