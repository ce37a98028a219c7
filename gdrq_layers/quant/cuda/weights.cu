#include "quant/cuda/weights.h"

#include "base/cuda/launch.cuh"
#include "quant/cuda/groups.cuh"
#include "quant/cuda/reduce.cuh"
#include "quant/grid_steps.h"
#include "quant/pointwise.h"

extern "C" size_t gdrq_cuda_group_sums(int groups, size_t group_size) {
    return (size_t)groups * (size_t)gdrq_group_parts(group_size);
}

/* W: the array's bytes. Reads W; writes 8 bytes a block. */
static __global__ void sum_groups(const float *weights, size_t group_size, double *sums) {
    const gdrq_group_span span = gdrq_block_span(group_size);
    const double sum = gdrq_block_sum_abs(weights, span.begin, span.end);
    if (threadIdx.x == 0)
        sums[gdrq_block_part()] = sum;
}

/* k * mean|w| of the block's group. */
static __device__ float scaled_mean(const float *weights, size_t group_size, float k,
                                    const double *sums) {
    const size_t begin = group_size * blockIdx.x;
    const double sum =
        gridDim.y == 1 ? gdrq_block_sum_abs(weights, begin, begin + group_size)
                       : gdrq_block_add_up(sums + (size_t)blockIdx.x * gridDim.y, (int)gridDim.y);
    return (float)((double)k * (sum / (double)group_size));
}

/*
 * Reads W, writes W, or 2 W with `used`. A group that is one block's is read twice where its mean
 * is to be found, the second time from the cache: at most 64 KiB. Each block of one that is divided
 * reads the 8 bytes of up to 64 sums.
 */
static __global__ void quantise_groups(const float *weights, size_t group_size, int bits, float k,
                                       const float *thresholds, bool round, const double *sums,
                                       gdrq_cuda_weight_codes to) {
    const float threshold =
        thresholds ? thresholds[blockIdx.x] : scaled_mean(weights, group_size, k, sums);
    const gdrq_grid grid = gdrq_signed_grid(bits, threshold);
    const float min = (float)grid.min, max = (float)grid.max;
    const gdrq_group_span span = gdrq_block_span(group_size);
    for (size_t i = span.begin + threadIdx.x; i < span.end; i += blockDim.x) {
        const float v = gdrq_clip(weights[i] * grid.inv_step, min, max);
        const float code = round ? gdrq_round_half_even(v) : v;
        to.codes[i] = code;
        if (to.used)
            to.used[i] = code * grid.step;
    }
    if (threadIdx.x == 0 && blockIdx.y == 0)
        to.steps[blockIdx.x] = grid.step;
}

/* Reads W, writes W; groups and their sums as above. */
static __global__ void project_groups(float *weights, size_t group_size, float k,
                                      const double *sums) {
    const float limit = scaled_mean(weights, group_size, k, sums);
    const gdrq_group_span span = gdrq_block_span(group_size);
    for (size_t i = span.begin + threadIdx.x; i < span.end; i += blockDim.x)
        weights[i] = gdrq_clip(weights[i], -limit, limit);
}

/* The sums of groups that are divided. */
static gdrq_status prepare_sums(const gdrq_cuda_groups *of, const float *weights, gdrq_error *err) {
    if (gdrq_group_parts(of->group_size) == 1)
        return GDRQ_OK;
    return GDRQ_LAUNCH(err, gdrq_groups_grid(of), GDRQ_THREADS, 0, sum_groups, weights,
                       of->group_size, of->sums);
}

extern "C" gdrq_status gdrq_cuda_quantise_weights(const gdrq_cuda_groups *of, const float *weights,
                                                  int bits, float k, const float *thresholds,
                                                  bool round, const gdrq_cuda_weight_codes *to,
                                                  gdrq_error *err) {
    const gdrq_status status = thresholds ? GDRQ_OK : prepare_sums(of, weights, err);
    if (status != GDRQ_OK)
        return status;
    return GDRQ_LAUNCH(err, gdrq_groups_grid(of), GDRQ_THREADS, 0, quantise_groups, weights,
                       of->group_size, bits, k, thresholds, round, of->sums, *to);
}

extern "C" gdrq_status gdrq_cuda_project_weights(const gdrq_cuda_groups *of, float *weights,
                                                 float k, gdrq_error *err) {
    const gdrq_status status = prepare_sums(of, weights, err);
    if (status != GDRQ_OK)
        return status;
    return GDRQ_LAUNCH(err, gdrq_groups_grid(of), GDRQ_THREADS, 0, project_groups, weights,
                       of->group_size, k, of->sums);
}
