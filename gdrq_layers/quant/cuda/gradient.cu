#include "quant/cuda/gradient.h"

#include "base/cuda/launch.cuh"
#include "quant/cuda/blocks.cuh"
#include "quant/cuda/groups.cuh"
#include "quant/cuda/reduce.cuh"
#include "quant/grid_steps.h"
#include "quant/pointwise.h"

#include "quant/gradient.h"

/*
 * The gradient of pixel i of an image: of all products that it is a factor of. An axis' position p
 * is read at tap k by output (p + pad - k) / stride, where that is a whole number.
 */
static __device__ __forceinline__ float gather(const float *columns, unsigned i,
                                               const gdrq_cuda_columns_shape &s) {
    const unsigned w = (unsigned)s.w, h = (unsigned)s.h, row = i / w;
    const int x = (int)(i % w) + s.pad, y = (int)(row % h) + s.pad;
    const size_t channel = row / h, outputs = (size_t)s.out_h * s.out_w;
    const int last_x = x / s.stride, first_x = x % s.stride;
    float sum = 0;
    for (int ky = y % s.stride, oy = y / s.stride; ky < s.size && oy >= 0; ky += s.stride, --oy) {
        if (oy >= s.out_h)
            continue;
        const float *of_row =
            columns + (channel * s.size + ky) * s.size * outputs + (size_t)oy * s.out_w;
        for (int kx = first_x, ox = last_x; kx < s.size && ox >= 0; kx += s.stride, --ox)
            if (ox < s.out_w)
                sum += of_row[kx * outputs + ox];
    }
    return sum;
}

struct pass_arguments {
    const float *x, *dx;
    size_t n;
    gdrq_cuda_columns_shape shape;
    bool round, first;
    float *delta;
    const gdrq_grid *grid;
    double *sums;
};

/*
 * I: the tensor's bytes. Reads I (x) and I (dx, or size^2/stride^2 times as much as columns), reads
 * and writes I (delta). The float layer does all but the reading of x, too, where it has columns;
 * where it has none (connected, depthwise, and 1x1 without stride) it adds to delta itself, and dx
 * is written and read here in addition.
 *
 * From columns, per element: 4 divisions with their remainders, of 32 bits and by numbers that are
 * known as it runs (about 20 instructions each), and 1 load and some 10 instructions per product.
 */
template <bool FROM_COLUMNS, bool LEARNS> static __global__ void pass(pass_arguments a) {
    const gdrq_grid grid = *a.grid;
    const float min = (float)grid.min, max = (float)grid.max;
    const float low = min * grid.step, high = max * grid.step;
    gdrq_long_sum sum;
    for (size_t i = gdrq_first_index(); i < a.n; i += gdrq_index_stride()) {
        const float x = a.x[i];
        const bool passes = x >= low && x <= high;
        if (!LEARNS && !passes)
            continue;
        const float dx = FROM_COLUMNS ? gather(a.dx, (unsigned)i, a.shape) : a.dx[i];
        if (LEARNS)
            sum.add(dx * gdrq_step_slope(x * grid.inv_step, min, max, a.round));
        if (a.delta && passes)
            a.delta[i] += dx;
    }
    if (!LEARNS)
        return;
    const double total = gdrq_block_sum(sum.total());
    if (threadIdx.x == 0)
        a.sums[blockIdx.x] = total + (a.first ? 0 : a.sums[blockIdx.x]);
}

extern "C" gdrq_status gdrq_cuda_pass_gradient(const gdrq_cuda_input *in,
                                               const gdrq_cuda_gradient *g, gdrq_error *err) {
    pass_arguments a = {g->x, g->dx, g->n, {}, g->round, g->first, g->delta, in->grid, in->sums};
    if (g->columns)
        a.shape = *g->columns;
    const unsigned blocks = gdrq_blocks_for(g->n);
    if (g->columns && g->learns)
        return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, (pass<true, true>), a);
    if (g->columns)
        return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, (pass<true, false>), a);
    if (g->learns)
        return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, (pass<false, true>), a);
    return GDRQ_LAUNCH(err, blocks, GDRQ_THREADS, 0, (pass<false, false>), a);
}

/* One block. Reads the 8 bytes of each sum, 1024 at most. */
static __global__ void add_threshold_gradient(gdrq_running_threshold *t, float scale,
                                              const double *sums, int n_sums) {
    const double sum = gdrq_block_add_up(sums, n_sums);
    if (threadIdx.x == 0)
        t->optimiser.update += scale * (float)sum;
}

extern "C" gdrq_status gdrq_cuda_add_threshold_gradient(const gdrq_cuda_input *in, size_t n,
                                                        float scale, gdrq_error *err) {
    return GDRQ_LAUNCH(err, 1, GDRQ_THREADS, 0, add_threshold_gradient, in->threshold, scale,
                       in->sums, (int)gdrq_blocks_for(n));
}

/*
 * W: the weights' bytes. Reads W (gradient) and, where thresholds learn or with the mask, W
 * (weights), reads and writes W (updates). The sums of groups that are divided go to `sums`, 8
 * bytes a block.
 */
static __global__ void add_weight_gradient(size_t group_size, const gdrq_grid *input, float scale,
                                           gdrq_cuda_weight_gradient g, double *sums) {
    const float top = (float)gdrq_signed_grid(g.bits, 1).max;
    const float threshold = g.thresholds ? g.thresholds[blockIdx.x] : g.steps[blockIdx.x] * top;
    const gdrq_grid grid = gdrq_signed_grid(g.bits, threshold);
    const float high = top * grid.step, step_x = input->step;
    const gdrq_group_span span = gdrq_block_span(group_size);
    gdrq_long_sum sum;
    for (size_t i = span.begin + threadIdx.x; i < span.end; i += blockDim.x) {
        const float w = g.weights[i], of_code = g.gradient[i];
        if (g.optimisers)
            sum.add(of_code * gdrq_step_slope(w * grid.inv_step, -top, top, g.round));
        if (!g.mask || (w >= -high && w <= high))
            g.updates[i] += step_x * of_code;
    }
    if (!g.optimisers)
        return;
    const double total = gdrq_block_sum(sum.total());
    if (threadIdx.x > 0)
        return;
    if (gridDim.y > 1)
        sums[gdrq_block_part()] = total;
    else
        g.optimisers[blockIdx.x].update += scale * step_x * (float)total;
}

/* A block of one warp for each group that is divided. Reads the 8 bytes of each of its sums, 64 at
   most. */
static __global__ void finish_weight_gradient(const double *sums, int parts, const gdrq_grid *input,
                                              float scale, gdrq_threshold_optimiser *optimisers) {
    const double total = gdrq_block_add_up(sums + (size_t)blockIdx.x * parts, parts);
    if (threadIdx.x == 0)
        optimisers[blockIdx.x].update += scale * input->step * (float)total;
}

extern "C" gdrq_status gdrq_cuda_add_weight_gradient(const gdrq_cuda_groups *of,
                                                     const gdrq_grid *input,
                                                     const gdrq_cuda_weight_gradient *g,
                                                     gdrq_error *err) {
    const float scale =
        gdrq_threshold_gradient_scale(gdrq_signed_grid(g->bits, 1).max, of->group_size);
    const int parts = gdrq_group_parts(of->group_size);
    const gdrq_status status =
        GDRQ_LAUNCH(err, gdrq_groups_grid(of), GDRQ_THREADS, 0, add_weight_gradient, of->group_size,
                    input, scale, *g, of->sums);
    if (status != GDRQ_OK || parts == 1 || !g->optimisers)
        return status;
    return GDRQ_LAUNCH(err, (unsigned)of->groups, GDRQ_WARP, 0, finish_weight_gradient, of->sums,
                       parts, input, scale, g->optimisers);
}
