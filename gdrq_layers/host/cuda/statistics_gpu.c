#include "host/cuda/statistics_gpu.h"

#include "base/cuda/device.h"
#include "primitives/cuda/stock_gpu.h"
#include "train/cuda/layer_kernels.h"
#include "train/cuda/quantised_gpu.h"

gdrq_status gdrq_statistics_gpu_room(int channels, void **room, gdrq_error *err) {
    return gdrq_device_alloc(room, gdrq_cuda_statistics_sums(channels), sizeof(double),
                             "the statistics of batch norm", err);
}

static gdrq_cuda_normalisation normalisation_of(const layer *l) {
    const gdrq_quantised *q = gdrq_quantised_state(l);
    return (gdrq_cuda_normalisation){.batch = l->batch,
                                     .filters = l->out_c,
                                     .spatial = l->outputs / l->out_c,
                                     .factor = q ? q->gpu->factor : NULL,
                                     .scales = l->scales_gpu,
                                     .biases = l->biases_gpu,
                                     .mean = l->mean_gpu,
                                     .variance = l->variance_gpu,
                                     .rolling_mean = l->rolling_mean_gpu,
                                     .rolling_variance = l->rolling_variance_gpu};
}

gdrq_status gdrq_statistics_gpu_measure(const layer *l, void *room, float *mean, float *variance,
                                        gdrq_error *err) {
    const size_t bytes = (size_t)l->out_c * sizeof *mean;
    gdrq_cuda_normalisation n = normalisation_of(l);
    n.sums = room;
    gdrq_status status = gdrq_cuda_filter_statistics(&n, l->x_gpu, err);
    if (status == GDRQ_OK)
        status = gdrq_device_pull(mean, l->mean_gpu, bytes, err);
    return status == GDRQ_OK ? gdrq_device_pull(variance, l->variance_gpu, bytes, err) : status;
}

gdrq_status gdrq_statistics_gpu_renew(const layer *l, gdrq_error *err) {
    const size_t bytes = (size_t)l->out_c * sizeof *l->rolling_mean;
    const int values = l->batch * l->outputs;
    const gdrq_cuda_normalisation n = normalisation_of(l);
    gdrq_status status = gdrq_device_push(l->rolling_mean_gpu, l->rolling_mean, bytes, err);
    if (status == GDRQ_OK)
        status = gdrq_device_push(l->rolling_variance_gpu, l->rolling_variance, bytes, err);
    if (status == GDRQ_OK)
        status = gdrq_device_copy(l->output_gpu, l->x_gpu, (size_t)values * sizeof(float), err);
    if (status == GDRQ_OK)
        status = gdrq_cuda_normalise(&n, false, l->output_gpu, err);
    if (status == GDRQ_OK && l->type != BATCHNORM)
        activate_array_gpu(l->output_gpu, values, l->activation);
    return status;
}
