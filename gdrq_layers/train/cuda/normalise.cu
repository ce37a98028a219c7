#include "train/cuda/layer_kernels.h"

#include "base/cuda/launch.cuh"
#include "primitives/batchnorm_gpu.h"
#include "quant/cuda/blocks.cuh"
#include "quant/cuda/reduce.cuh"

/* Blocks that share a filter's statistics. */
enum { PARTS = 16 };

/* One thread a filter: reads 8 bytes, two steps, and writes 4. */
static __global__ void set_factors(const float *steps, int per_group, int filters,
                                   const gdrq_grid *grid, float *factor) {
    const int f = (int)gdrq_first_index();
    if (f < filters)
        factor[f] = steps[f / per_group] * grid->step;
}

static unsigned blocks_of_filters(int filters) {
    return (unsigned)((filters + GDRQ_THREADS - 1) / GDRQ_THREADS);
}

extern "C" gdrq_status gdrq_cuda_set_factors(const float *steps, int groups, int filters,
                                             const gdrq_grid *grid, float *factor,
                                             gdrq_error *err) {
    return GDRQ_LAUNCH(err, blocks_of_filters(filters), GDRQ_THREADS, 0, set_factors, steps,
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
    return 2 * (size_t)PARTS * (size_t)filters;
}

/*
 * Of the differences to the filter's first value, so that a mean much larger than the deviation
 * costs no precision; but that value may be the one that lies far from all others.
 */
struct filter_sums {
    gdrq_pair_sum values, squares;

    __device__ void add(float difference) {
        values.add(difference);
        squares.add_square(difference);
    }
};

/* Where the sums of block number blockIdx.y for filter f go. */
static __device__ double *sums_of(const gdrq_cuda_normalisation &n, int f) {
    return n.sums + 2 * ((size_t)f * PARTS + blockIdx.y);
}

/*
 * O: the output's bytes. Reads O, where the host reads it twice; writes 256 bytes a filter. A block
 * has a part of one filter. Per element some 30 instructions, none of them in doubles.
 */
static __global__ void add_statistics(gdrq_cuda_normalisation n, const float *sums) {
    const int f = (int)blockIdx.x;
    const unsigned spatial = (unsigned)n.spatial;
    const size_t count = (size_t)n.batch * spatial, end = count * (blockIdx.y + 1) / PARTS;
    const float first = sums[(size_t)f * spatial];
    size_t i = count * blockIdx.y / PARTS + threadIdx.x, image = i / spatial;
    unsigned at = (unsigned)(i % spatial);
    filter_sums of;
    for (; i < end; i += blockDim.x) {
        of.add(sums[(image * n.filters + f) * spatial + at] - first);
        image += blockDim.x / spatial;
        at += blockDim.x % spatial;
        if (at >= spatial) {
            at -= spatial;
            ++image;
        }
    }
    const double sum = gdrq_block_sum(of.values.total()),
                 squares = gdrq_block_sum(of.squares.total());
    if (threadIdx.x > 0)
        return;
    double *to = sums_of(n, f);
    to[0] = sum;
    to[1] = squares;
}

/*
 * The same where a filter has few values per image, 1 in a connected layer: a thread has all of a
 * filter in its part of the images, so that neighbouring threads read neighbouring values.
 */
static __global__ void add_statistics_across(gdrq_cuda_normalisation n, const float *sums) {
    const int f = (int)gdrq_first_index();
    if (f >= n.filters)
        return;
    const size_t end = (size_t)n.batch * (blockIdx.y + 1) / PARTS;
    const float first = sums[(size_t)f * n.spatial];
    filter_sums of;
    for (size_t image = (size_t)n.batch * blockIdx.y / PARTS; image < end; ++image) {
        const float *values = sums + (image * n.filters + f) * n.spatial;
        for (int at = 0; at < n.spatial; ++at)
            of.add(values[at] - first);
    }
    double *to = sums_of(n, f);
    to[0] = of.values.total();
    to[1] = of.squares.total();
}

static gdrq_status queue_statistics(const gdrq_cuda_normalisation *n, const float *sums,
                                    gdrq_error *err) {
    if (n->spatial >= GDRQ_WARP)
        return GDRQ_LAUNCH(err, dim3((unsigned)n->filters, PARTS), GDRQ_THREADS, 0, add_statistics,
                           *n, sums);
    const unsigned warps = (unsigned)((n->filters + GDRQ_WARP - 1) / GDRQ_WARP);
    return GDRQ_LAUNCH(err, dim3(warps, PARTS), GDRQ_WARP, 0, add_statistics_across, *n, sums);
}

static __device__ __forceinline__ float factor_of(const gdrq_cuda_normalisation &n, int f) {
    return n.factor ? n.factor[f] : 1;
}

/* One thread a filter: reads 264 bytes, of which 256 are the sums, and writes 8. The variance is
   over count - 1, as the host's. */
static __global__ void finish_statistics(gdrq_cuda_normalisation n, const float *sums) {
    const int f = (int)gdrq_first_index();
    if (f >= n.filters)
        return;
    const double count = (double)n.batch * n.spatial, factor = (double)factor_of(n, f);
    double sum = 0, squares = 0;
    for (int part = 0; part < PARTS; ++part) {
        sum += n.sums[2 * ((size_t)f * PARTS + part)];
        squares += n.sums[2 * ((size_t)f * PARTS + part) + 1];
    }
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

/* Reads O, writes 3 O; the host's functions read and write 12 O for the same. */
static __global__ void normalise_batch(gdrq_cuda_normalisation n, size_t count, float *sums) {
    for (size_t i = gdrq_first_index(); i < count; i += gdrq_index_stride()) {
        const int f = (int)(i / n.spatial % n.filters);
        const float value = n.factor[f] * sums[i];
        const float normalised = (value - n.mean[f]) / gdrq_gpu_deviation(n.variance[f]);
        n.values[i] = value;
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
    const gdrq_status status = queue_statistics(n, sums, err);
    return status == GDRQ_OK ? GDRQ_LAUNCH(err, blocks_of_filters(n->filters), GDRQ_THREADS, 0,
                                           finish_statistics, *n, sums)
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
        status =
            GDRQ_LAUNCH(err, blocks_of_filters(n->filters), GDRQ_THREADS, 0, roll_statistics, *n);
    if (status == GDRQ_OK)
        status = GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, normalise_batch, *n, count, sums);
    return status;
}
