#include "quant/cuda/weights.h"

#include "base/cuda/launch.cuh"
#include "quant/cuda/reduce.cuh"
#include "quant/cuda/search.cuh"
#include "quant/grid_steps.h"
#include "quant/pointwise.h"

/* A group is one block's, or, where it is large, divided among several in y. */
enum { PART = 16384, MOST_PARTS = 64 };

static int parts_of(size_t group_size) {
    const size_t parts = (group_size + PART - 1) / PART;
    return parts > MOST_PARTS ? MOST_PARTS : parts < 1 ? 1 : (int)parts;
}

static dim3 grid_of(const gdrq_cuda_groups *of) {
    return dim3((unsigned)of->groups, (unsigned)parts_of(of->group_size));
}

extern "C" size_t gdrq_cuda_group_sums(int groups, size_t group_size) {
    return (size_t)groups * (size_t)parts_of(group_size);
}

static __device__ size_t part_begin(size_t group_size, unsigned part) {
    return group_size * part / gridDim.y;
}

/* W: the array's bytes. Reads W. */
static __global__ void sum_groups(const float *weights, size_t group_size, double *sums) {
    const float *w = weights + group_size * blockIdx.x;
    const double sum = gdrq_block_sum_abs(w, part_begin(group_size, blockIdx.y),
                                          part_begin(group_size, blockIdx.y + 1));
    if (threadIdx.x == 0)
        sums[(size_t)blockIdx.x * gridDim.y + blockIdx.y] = sum;
}

/* k * mean|w| of the block's group. */
static __device__ float scaled_mean(const float *w, size_t group_size, float k,
                                    const double *sums) {
    const double sum =
        gridDim.y == 1 ? gdrq_block_sum_abs(w, 0, group_size)
                       : gdrq_block_add_up(sums + (size_t)blockIdx.x * gridDim.y, (int)gridDim.y);
    return (float)((double)k * (sum / (double)group_size));
}

/* Reads W, writes W; a group that is one block's is read twice, the second time from the cache. */
static __global__ void quantise_groups(const float *weights, size_t group_size, int bits, float k,
                                       const float *thresholds, bool round, const double *sums,
                                       float *codes, float *steps) {
    const size_t start = group_size * blockIdx.x;
    const float *w = weights + start;
    const float threshold =
        thresholds ? thresholds[blockIdx.x] : scaled_mean(w, group_size, k, sums);
    const gdrq_grid grid = gdrq_signed_grid(bits, threshold);
    const float min = (float)grid.min, max = (float)grid.max;
    const size_t end = part_begin(group_size, blockIdx.y + 1);
    for (size_t i = part_begin(group_size, blockIdx.y) + threadIdx.x; i < end; i += blockDim.x) {
        const float v = gdrq_clip(w[i] * grid.inv_step, min, max);
        codes[start + i] = round ? gdrq_round_half_even(v) : v;
    }
    if (threadIdx.x == 0 && blockIdx.y == 0)
        steps[blockIdx.x] = grid.step;
}

/* Reads W, writes W, as above. */
static __global__ void project_groups(float *weights, size_t group_size, float k,
                                      const double *sums) {
    float *w = weights + group_size * blockIdx.x;
    const float limit = scaled_mean(w, group_size, k, sums);
    const size_t end = part_begin(group_size, blockIdx.y + 1);
    for (size_t i = part_begin(group_size, blockIdx.y) + threadIdx.x; i < end; i += blockDim.x)
        w[i] = gdrq_clip(w[i], -limit, limit);
}

/* quant/fingerprint.h's sum, of what a search depends on. */
static __device__ unsigned long long fingerprint(const float *w, size_t group_size,
                                                 const gdrq_cuda_search &how) {
    unsigned long long sum = 0;
    for (size_t i = threadIdx.x; i < group_size; i += blockDim.x)
        sum += (unsigned long long)(unsigned)__float_as_int(w[i]) * (2 * i + 1);
    return gdrq_block_sum(sum) * 64 + (unsigned)(how.bits * 8 + how.norm);
}

/* Groups that have a T: nothing. Those whose weights are as before: reads W. Others: 31 times. */
static __global__ void search_groups(const float *weights, size_t group_size, gdrq_cuda_search how,
                                     float *found) {
    const unsigned g = blockIdx.x;
    const float *w = weights + group_size * g;
    float threshold = how.known ? how.known[g] : 0;
    if (!(threshold > 0)) {
        const unsigned long long print = fingerprint(w, group_size, how);
        if (how.reuses && how.prints[g] == print)
            return;
        const gdrq_grid_family family = {how.bits, GDRQ_RANGE_SIGNED, 0};
        threshold = gdrq_block_search(w, group_size, family, how.norm);
        if (threadIdx.x == 0)
            how.prints[g] = print;
    }
    if (threadIdx.x == 0)
        found[g] = threshold;
}

/* Reads W, writes W. */
static __global__ void scale_groups(float *codes, size_t group_size, const float *steps) {
    float *c = codes + group_size * blockIdx.x;
    const float step = steps[blockIdx.x];
    const size_t end = part_begin(group_size, blockIdx.y + 1);
    for (size_t i = part_begin(group_size, blockIdx.y) + threadIdx.x; i < end; i += blockDim.x)
        c[i] *= step;
}

/* The sums of groups that are divided. */
static gdrq_status prepare_sums(const gdrq_cuda_groups *of, const float *weights, gdrq_error *err) {
    if (parts_of(of->group_size) == 1)
        return GDRQ_OK;
    return GDRQ_LAUNCH(err, grid_of(of), GDRQ_THREADS, 0, sum_groups, weights, of->group_size,
                       of->sums);
}

extern "C" gdrq_status gdrq_cuda_quantise_weights(const gdrq_cuda_groups *of, const float *weights,
                                                  int bits, float k, const float *thresholds,
                                                  bool round, float *codes, float *steps,
                                                  gdrq_error *err) {
    const gdrq_status status = thresholds ? GDRQ_OK : prepare_sums(of, weights, err);
    if (status != GDRQ_OK)
        return status;
    return GDRQ_LAUNCH(err, grid_of(of), GDRQ_THREADS, 0, quantise_groups, weights, of->group_size,
                       bits, k, thresholds, round, of->sums, codes, steps);
}

extern "C" gdrq_status gdrq_cuda_search_weights(const gdrq_cuda_groups *of, const float *weights,
                                                const gdrq_cuda_search *how, float *found,
                                                gdrq_error *err) {
    return GDRQ_LAUNCH(err, (unsigned)of->groups, GDRQ_THREADS, 0, search_groups, weights,
                       of->group_size, *how, found);
}

extern "C" gdrq_status gdrq_cuda_project_weights(const gdrq_cuda_groups *of, float *weights,
                                                 float k, gdrq_error *err) {
    const gdrq_status status = prepare_sums(of, weights, err);
    if (status != GDRQ_OK)
        return status;
    return GDRQ_LAUNCH(err, grid_of(of), GDRQ_THREADS, 0, project_groups, weights, of->group_size,
                       k, of->sums);
}

extern "C" gdrq_status gdrq_cuda_dequantise_weights(const gdrq_cuda_groups *of, float *codes,
                                                    const float *steps, gdrq_error *err) {
    return GDRQ_LAUNCH(err, grid_of(of), GDRQ_THREADS, 0, scale_groups, codes, of->group_size,
                       steps);
}
