#include "host/scratch_buffer.h"

#include <stdlib.h>

#include "base/alloc.h"
#ifdef GPU
#include "base/cuda/device.h"
#endif

bool gdrq_is_on_gpu(const network *net) {
#ifdef GPU
    return net->gpu_index >= 0;
#else
    (void)net;
    return false;
#endif
}

float *gdrq_scratch_buffer_new(const network *net, size_t bytes) {
#ifdef GPU
    void *buffer;
    if (net->gpu_index >= 0) {
        const gdrq_status status = gdrq_device_alloc(&buffer, bytes, 1, "the workspace", NULL);
        return status == GDRQ_OK && gdrq_device_clear(buffer, bytes, NULL) == GDRQ_OK ? buffer
                                                                                      : NULL;
    }
#endif
    (void)net;
    return gdrq_alloc(bytes, 1);
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
