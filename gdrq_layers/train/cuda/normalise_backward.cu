#include "train/cuda/layer_kernels.h"

#include "primitives/batchnorm_gpu.h"
#include "train/cuda/filter_sums.cuh"

/* The gradients of bias and scale. Reads 2 O, O being the output's bytes. */
struct gradient_terms {
    const float *delta, *normalised;

    __device__ void begin(int) const {
    }
    __device__ void add(size_t i, gdrq_two_sums &sums) const {
        sums.first.add(delta[i]);
        sums.second.add(delta[i] * normalised[i]);
    }
};

/* One thread a filter: reads 264 bytes, of which 256 are the sums, and writes 16. */
static __global__ void finish_sums(gdrq_cuda_normalised n, gdrq_filter_batch b) {
    const int f = (int)gdrq_first_index();
    if (f >= n.filters)
        return;
    const double count = (double)n.batch * n.spatial;
    double of_bias, of_scale;
    gdrq_add_filter_parts(b, f, &of_bias, &of_scale);
    n.bias_updates[f] += (float)of_bias;
    n.scale_updates[f] += (float)of_scale;
    n.mean_delta[f] = (float)(of_bias / count);
    n.variance_delta[f] = count > 1 ? (float)(of_scale / (count - 1)) : 0.f;
}

/* Reads 2 O, writes O; the host's functions read and write 11 O for all of this. */
static __global__ void pass_through(gdrq_cuda_normalised n, size_t count, float *delta) {
    for (size_t i = gdrq_first_index(); i < count; i += gdrq_index_stride()) {
        const int f = (int)(i / n.spatial % n.filters);
        const float gain = n.scales[f] / gdrq_gpu_deviation(n.variance[f]);
        delta[i] = gain * (delta[i] - n.mean_delta[f] - n.normalised[i] * n.variance_delta[f]);
    }
}

extern "C" gdrq_status gdrq_cuda_normalise_backward(const gdrq_cuda_normalised *n, float *delta,
                                                    gdrq_error *err) {
    const gdrq_filter_batch b = {n->batch, n->filters, n->spatial, n->sums};
    const gradient_terms terms = {delta, n->normalised};
    const size_t count = (size_t)n->batch * n->filters * (size_t)n->spatial;
    gdrq_status status = gdrq_queue_filter_sums(b, terms, err);
    if (status == GDRQ_OK)
        status = GDRQ_LAUNCH(err, gdrq_blocks_of_filters(n->filters), GDRQ_THREADS, 0, finish_sums,
                             *n, b);
    if (status == GDRQ_OK)
        status = GDRQ_LAUNCH(err, gdrq_blocks_for(count), GDRQ_THREADS, 0, pass_through, *n, count,
                             delta);
    return status;
}
