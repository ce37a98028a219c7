/* What host/statistics.c does to a layer with batch norm on a GPU, behind its forward with
   net.train = 0, which leaves what is normalised in l->x_gpu. */
#ifndef GDRQ_HOST_CUDA_STATISTICS_GPU_H
#define GDRQ_HOST_CUDA_STATISTICS_GPU_H

#include "darknet.h"
#include "gdrq.h"

/* Room on the GPU for the sums of a layer of so many channels; free with gdrq_device_free(). */
gdrq_status gdrq_statistics_gpu_room(int channels, void **room, gdrq_error *err);

/* The mean and the variance, over count - 1, of each channel in this batch. */
gdrq_status gdrq_statistics_gpu_measure(const layer *l, void *room, float *mean, float *variance,
                                        gdrq_error *err);

/* The rolling statistics go from the host to the GPU, and the output is what they make of it. */
gdrq_status gdrq_statistics_gpu_renew(const layer *l, gdrq_error *err);

#endif
