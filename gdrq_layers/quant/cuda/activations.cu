#include "quant/cuda/activations.h"

#include "base/cuda/launch.cuh"
#include "quant/cuda/blocks.cuh"
#include "quant/cuda/reduce.cuh"
#include "quant/cuda/search.cuh"
#include "quant/pointwise.h"
#include "quant/threshold_moves.h"

/* Whether T will be set once what was observed has moved it. */
static __device__ bool will_be_set(const gdrq_running_threshold *t) {
    return gdrq_inline_threshold_is_set(t) || t->pending_count > 0;
}

/* I: the tensor's bytes. Reads I where T was never set, which only the first forward finds, and
   writes 8 bytes a block, 1024 at most. */
static __global__ void sum_if_unset(const gdrq_running_threshold *t, const float *x, size_t n,
                                    double *sums) {
    if (will_be_set(t))
        return;
    gdrq_long_sum sum;
    for (size_t i = gdrq_first_index(); i < n; i += gdrq_index_stride())
        sum.add(fabsf(x[i]));
    const double total = gdrq_block_sum(sum.total());
    if (threadIdx.x == 0)
        sums[blockIdx.x] = total;
}

/* gdrq_threshold_value() by one block. By k * mean: no bytes. Else it reads at most
   GDRQ_THRESHOLD_SAMPLES floats of x (32 KiB; strided, a sector of 32 bytes each), once. */
static __device__ double value_of(const gdrq_running_threshold *t, const float *x, size_t n,
                                  double sum, float *samples) {
    if (t->how == GDRQ_THRESHOLD_SCALE || !isfinite(sum))
        return (double)t->k * (sum / (double)n);
    const size_t stride = gdrq_sample_stride(n), count = (n + stride - 1) / stride;
    for (size_t i = threadIdx.x; i < count; i += blockDim.x)
        samples[i] = x[i * stride];
    __syncthreads();
    const gdrq_grid_family family = {t->bits, t->range, t->slope};
    return (double)gdrq_block_search(samples, count, family, t->norm);
}

/*
 * One block. Moves T by the forward before, or starts it, and makes the grid. Reads and writes T's
 * state and writes the grid, some 100 bytes; where T starts, reads the 8 bytes of each sum, 1024 at
 * most, and what value_of() does.
 */
static __global__ void begin_forward(gdrq_running_threshold *t, const float *x, size_t n,
                                     gdrq_cuda_observing how, const double *sums, int n_sums,
                                     gdrq_grid *grid) {
    GDRQ_DYNAMIC_SHARED(float, samples);
    const bool starts = how.first_reader && how.observes && !will_be_set(t);
    double value = 0;
    if (starts)
        value = value_of(t, x, n, gdrq_block_add_up(sums, n_sums), samples);
    __syncthreads();
    if (threadIdx.x > 0)
        return;
    if (how.first_reader)
        gdrq_inline_threshold_commit(t);
    if (starts)
        gdrq_inline_threshold_start(t, value);
    *grid = gdrq_inline_threshold_grid(t);
}

/* Reads I, writes I, and 8 bytes a block. */
static __global__ void quantise(const float *x, size_t n, const gdrq_grid *in_memory, bool round,
                                float *codes, double *sums) {
    const gdrq_grid grid = *in_memory;
    const float min = (float)grid.min, max = (float)grid.max;
    gdrq_long_sum sum;
    for (size_t i = gdrq_first_index(); i < n; i += gdrq_index_stride()) {
        const float v = gdrq_clip(x[i] * grid.inv_step, min, max);
        sum.add(fabsf(x[i]));
        codes[i] = round ? gdrq_round_half_even(v) : v;
    }
    const double total = gdrq_block_sum(sum.total());
    if (threadIdx.x == 0)
        sums[blockIdx.x] = total;
}

/* One block. Where T follows: reads the 8 bytes of each sum, 1024 at most, and what value_of()
   does; reads and writes T's state, below 100 bytes. Else only reads that. */
static __global__ void observe(gdrq_running_threshold *t, const float *x, size_t n, bool always,
                               const double *sums, int n_sums) {
    GDRQ_DYNAMIC_SHARED(float, samples);
    if (t->fixed || !(always || gdrq_inline_threshold_follows(t)))
        return;
    const double value = value_of(t, x, n, gdrq_block_add_up(sums, n_sums), samples);
    __syncthreads();
    if (threadIdx.x == 0)
        gdrq_inline_threshold_observe(t, value, n);
}

enum { SAMPLE_BYTES = GDRQ_THRESHOLD_SAMPLES * (int)sizeof(float) };

static gdrq_status begin(const gdrq_cuda_input *in, const float *x, size_t n,
                         gdrq_cuda_observing how, unsigned blocks, gdrq_error *err) {
    if (how.first_reader && how.observes) {
        const gdrq_status status =
            GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, sum_if_unset, in->threshold, x, n, in->sums);
        if (status != GDRQ_OK)
            return status;
    }
    return GDRQ_LAUNCH(err, 1, GDRQ_THREADS, SAMPLE_BYTES, begin_forward, in->threshold, x, n, how,
                       in->sums, (int)blocks, in->grid);
}

extern "C" gdrq_status gdrq_cuda_quantise_input(const gdrq_cuda_input *in, const float *x, size_t n,
                                                gdrq_cuda_observing how, bool round, float *codes,
                                                gdrq_error *err) {
    const unsigned blocks = gdrq_blocks_for(n);
    gdrq_status status = begin(in, x, n, how, blocks, err);
    if (status == GDRQ_OK)
        status = GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, quantise, x, n, in->grid, round, codes,
                             in->sums);
    if (status == GDRQ_OK && how.observes)
        status = GDRQ_LAUNCH(err, 1, GDRQ_THREADS, SAMPLE_BYTES, observe, in->threshold, x, n,
                             how.always, in->sums, (int)blocks);
    return status;
}
