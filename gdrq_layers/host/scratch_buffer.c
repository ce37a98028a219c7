#include "host/scratch_buffer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#ifdef GPU
#include "base/cuda/device.h"
#include "host/cuda/gpu_network.h"
#endif

bool gdrq_is_on_gpu(const network *net) {
#ifdef GPU
    return net->gpu_index >= 0;
#else
    (void)net;
    return false;
#endif
}

gdrq_status gdrq_check_on_cpu(const network *net, const char *what, gdrq_error *err) {
    return gdrq_is_on_gpu(net)
               ? gdrq_fail(err, GDRQ_ERROR_STATE,
                           "%s on the CPU only: parse the network for it, which -nogpu does", what)
               : GDRQ_OK;
}

#ifdef GPU
static gdrq_status make_on_gpu(int layer, size_t bytes, float **buffer, gdrq_error *err) {
    char what[64];
    snprintf(what, sizeof what, "layer %d's workspace", layer);
    void *memory;
    gdrq_status status = gdrq_gpu_alloc(&memory, bytes, 1, what, err);
    if (status == GDRQ_OK)
        status = gdrq_device_clear(memory, bytes, err);
    if (status != GDRQ_OK) {
        gdrq_device_free(memory);
        memory = NULL;
    }
    *buffer = memory;
    return status;
}
#endif

gdrq_status gdrq_scratch_buffer_new(const network *net, int layer, size_t bytes, float **buffer,
                                    gdrq_error *err) {
#ifdef GPU
    if (net->gpu_index >= 0)
        return make_on_gpu(layer, bytes, buffer, err);
#endif
    (void)net;
    *buffer = gdrq_alloc(bytes, 1);
    return *buffer ? GDRQ_OK
                   : gdrq_fail(err, GDRQ_ERROR_MEMORY,
                               "layer %d: out of memory for its workspace of %zu MB: choose a "
                               "smaller width= and height= in [net]",
                               layer, bytes / 1000000);
}

void gdrq_scratch_buffer_free(const network *net, float *buffer) {
#ifdef GPU
    if (net->gpu_index >= 0) {
        gdrq_device_free(buffer);
        return;
    }
#endif
    (void)net;
    free(buffer);
}
