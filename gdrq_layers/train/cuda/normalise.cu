#include "train/cuda/layer_kernels.h"

#include "primitives/batchnorm_gpu.h"
#include "train/cuda/filter_sums.cuh"

/* One thread a filter: reads 8 bytes, two steps, and writes 4. */
static __global__ void set_factors(const float *steps, int per_group, int filters,
                                   const gdrq_grid *grid, float *factor) {
    const int f = (int)gdrq_first_index();
    if (f < filters)
        factor[f] = steps[f / per_group] * grid->step;
}

extern "C" gdrq_status gdrq_cuda_set_factors(const float *steps, int groups, int filters,
                                             const gdrq_grid *grid, float *factor,
                                             gdrq_error *err) {
    return GDRQ_LAUNCH(err, gdrq_blocks_of_filters(filters), GDRQ_THREADS, 0, set_factors, steps,
                       filters / groups, filters, grid, factor);
}

/* O: the array's bytes. Reads O, writes O. */
static __global__ void scale_filters(const float *steps, int per_group, int filters, size_t n,
                                     float *values) {
    for (size_t i = gdrq_first_index(); i < n; i += gdrq_index_stride())
        values[i] *= steps[(int)(i % filters) / per_group];
}

extern "C" gdrq_status gdrq_cuda_scale_filters(const float *steps, int groups, int filters,
                                               int batch, float *values, gdrq_error *err) {
    const size_t n = (size_t)batch * (size_t)filters;
    return GDRQ_LAUNCH(err, gdrq_blocks_for(n), GDRQ_THREADS, 0, scale_filters, steps,
                       filters / groups, filters, n, values);
}

extern "C" size_t gdrq_cuda_statistics_sums(int filters) {
    return 2 * (size_t)GDRQ_FILTER_PARTS * (size_t)filters;
}

/*
 * Of the differences to the filter's first value, and of their squares, so that a mean much larger
 * than the deviation costs no precision; but that value may be the one that lies far from all
 * others. O, the output's bytes, are read, where the host reads them twice.
 */
struct differences {
    const float *values;
    int spatial;
    float origin;

    __device__ void begin(int f) {
        origin = values[(size_t)f * spatial];
    }
    __device__ void add(size_t i, gdrq_two_sums &sums) const {
        const float difference = values[i] - origin;
        sums.first.add(difference);
        sums.second.add_square(difference);
    }
};

static gdrq_filter_batch batch_of(const gdrq_cuda_normalisation &n) {
    return {n.batch, n.filters, n.spatial, n.sums};
}

static __device__ __forceinline__ float factor_of(const gdrq_cuda_normalisation &n, int f) {
    return n.factor ? n.factor[f] : 1;
}

/* One thread a filter: reads 264 bytes, of which 256 are the sums, and writes 8. The variance is
   over count - 1, as the host's. */
static __global__ void finish_statistics(gdrq_cuda_normalisation n, gdrq_filter_batch b,
                                         const float *sums) {
    const int f = (int)gdrq_first_index();
    if (f >= n.filters)
        return;
    const double count = (double)n.batch * n.spatial, factor = (double)factor_of(n, f);
    double sum, squares;
    gdrq_add_filter_parts(b, f, &sum, &squares);
    const double mean = sum / count, spread = squares - sum * mean;
    n.mean[f] = (float)(factor * (mean + (double)sums[(size_t)f * n.spatial]));
    n.variance[f] = count > 1 && spread > 0 ? (float)(factor * factor * spread / (count - 1)) : 0.f;
}

/* One thread a filter: reads 16 bytes, writes 8. */
static __global__ void roll_statistics(gdrq_cuda_normalisation n) {
    const int f = (int)gdrq_first_index();
    if (f >= n.filters)
        return;
    n.rolling_mean[f] = .99f * n.rolling_mean[f] + .01f * n.mean[f];
    n.rolling_variance[f] = .99f * n.rolling_variance[f] + .01f * n.variance[f];
}

/* Reads O, writes 2 O; the host's functions read and write 12 O for the same. */
static __global__ void normalise_batch(gdrq_cuda_normalisation n, size_t count, float *sums) {
    for (size_t i = gdrq_first_index(); i < count; i += gdrq_index_stride()) {
        const int f = (int)(i / n.spatial % n.filters);
        const float value = factor_of(n, f) * sums[i];
        const float normalised = (value - n.mean[f]) / gdrq_gpu_deviation(n.variance[f]);
        n.normalised[i] = normalised;
        sums[i] = n.scales[f] * normalised + n.biases[f];
    }
}

/* Reads O, writes O. scale * sum + bias, with scale and bias as folding the layer gives them
   (gdrq_quantised_fold()). */
static __global__ void scale_and_shift(gdrq_cuda_normalisation n, size_t count, float *sums) {
    for (size_t i = gdrq_first_index(); i < count; i += gdrq_index_stride()) {
        const int f = (int)(i / n.spatial % n.filters);
        float scale = factor_of(n, f), bias = n.biases[f];
        if (n.scales)
            gdrq_gpu_batchnorm_fold(n.scales[f], n.rolling_mean[f], n.rolling_variance[f], &scale,
                                    &bias);
        sums[i] = scale * sums[i] + bias;
    }
}

extern "C" gdrq_status gdrq_cuda_filter_statistics(const gdrq_cuda_normalisation *n,
                                                   const float *sums, gdrq_error *err) {
    const gdrq_filter_batch b = batch_of(*n);
    const differences terms = {sums, n->spatial, 0};
    const gdrq_status status = gdrq_queue_filter_sums(b, terms, err);
    return status == GDRQ_OK ? GDRQ_LAUNCH(err, gdrq_blocks_of_filters(n->filters), GDRQ_THREADS, 0,
                                           finish_statistics, *n, b, sums)
                             : status;
}

extern "C" gdrq_status gdrq_cuda_normalise(const gdrq_cuda_normalisation *n, bool train,
                                           float *sums, gdrq_error *err) {
    const size_t count = (size_t)n->batch * n->filters * (size_t)n->spatial;
    const unsigned blocks = gdrq_blocks_for(count);
    if (!train || !n->scales)
        return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, scale_and_shift, *n, count, sums);
    gdrq_status status = gdrq_cuda_filter_statistics(n, sums, err);
    if (status == GDRQ_OK)
        status = GDRQ_LAUNCH(err, gdrq_blocks_of_filters(n->filters), GDRQ_THREADS, 0,
                             roll_statistics, *n);
    if (status == GDRQ_OK)
        status = GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, normalise_batch, *n, count, sums);
    return status;
}
