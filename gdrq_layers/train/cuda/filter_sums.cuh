/*
 * Two sums per filter over a batch [batch][filters][spatial], in parts whose order does not depend
 * on timing. TERMS says what is summed: begin(f) comes before the values of filter f, add(i, sums)
 * adds what value i of the batch gives to both.
 */
#ifndef GDRQ_TRAIN_CUDA_FILTER_SUMS_CUH
#define GDRQ_TRAIN_CUDA_FILTER_SUMS_CUH

#include "base/cuda/launch.cuh"
#include "quant/cuda/blocks.cuh"
#include "quant/cuda/reduce.cuh"

/* Blocks that share a filter. */
enum { GDRQ_FILTER_PARTS = 16 };

struct gdrq_filter_batch {
    int batch, filters, spatial;
    double *sums; /* room for gdrq_cuda_statistics_sums() */
};

struct gdrq_two_sums {
    gdrq_pair_sum first, second;
};

/* Where the sums of block number blockIdx.y for filter f go. */
static __device__ __forceinline__ double *gdrq_filter_part(const gdrq_filter_batch &b, int f) {
    return b.sums + 2 * ((size_t)f * GDRQ_FILTER_PARTS + blockIdx.y);
}

/* A block has a part of one filter. Writes 256 bytes a filter; per value some 30 instructions, none
   of them in doubles. */
template <class TERMS> static __global__ void gdrq_sum_filters(gdrq_filter_batch b, TERMS terms) {
    const int f = (int)blockIdx.x;
    const unsigned spatial = (unsigned)b.spatial;
    const size_t count = (size_t)b.batch * spatial,
                 end = count * (blockIdx.y + 1) / GDRQ_FILTER_PARTS;
    size_t i = count * blockIdx.y / GDRQ_FILTER_PARTS + threadIdx.x, image = i / spatial;
    unsigned at = (unsigned)(i % spatial);
    gdrq_two_sums sums;
    terms.begin(f);
    for (; i < end; i += blockDim.x) {
        terms.add((image * b.filters + f) * spatial + at, sums);
        image += blockDim.x / spatial;
        at += blockDim.x % spatial;
        if (at >= spatial) {
            at -= spatial;
            ++image;
        }
    }
    const double first = gdrq_block_sum(sums.first.total()),
                 second = gdrq_block_sum(sums.second.total());
    if (threadIdx.x > 0)
        return;
    double *to = gdrq_filter_part(b, f);
    to[0] = first;
    to[1] = second;
}

/*
 * The same where a filter has few values per image, 1 in a connected layer: a thread has all of a
 * filter in its part of the images, so that neighbouring threads read neighbouring values.
 */
template <class TERMS>
static __global__ void gdrq_sum_filters_across(gdrq_filter_batch b, TERMS terms) {
    const int f = (int)gdrq_first_index();
    if (f >= b.filters)
        return;
    const size_t end = (size_t)b.batch * (blockIdx.y + 1) / GDRQ_FILTER_PARTS;
    gdrq_two_sums sums;
    terms.begin(f);
    for (size_t image = (size_t)b.batch * blockIdx.y / GDRQ_FILTER_PARTS; image < end; ++image)
        for (int at = 0; at < b.spatial; ++at)
            terms.add((image * b.filters + f) * b.spatial + at, sums);
    double *to = gdrq_filter_part(b, f);
    to[0] = sums.first.total();
    to[1] = sums.second.total();
}

template <class TERMS>
static gdrq_status gdrq_queue_filter_sums(const gdrq_filter_batch &b, const TERMS &terms,
                                          gdrq_error *err) {
    if (b.spatial >= GDRQ_WARP)
        return GDRQ_LAUNCH(err, dim3((unsigned)b.filters, GDRQ_FILTER_PARTS), GDRQ_THREADS, 0,
                           gdrq_sum_filters<TERMS>, b, terms);
    const unsigned warps = (unsigned)((b.filters + GDRQ_WARP - 1) / GDRQ_WARP);
    return GDRQ_LAUNCH(err, dim3(warps, GDRQ_FILTER_PARTS), GDRQ_WARP, 0,
                       gdrq_sum_filters_across<TERMS>, b, terms);
}

/* All parts' sums of filter f. */
static __device__ __forceinline__ void gdrq_add_filter_parts(const gdrq_filter_batch &b, int f,
                                                             double *first, double *second) {
    *first = *second = 0;
    for (int part = 0; part < GDRQ_FILTER_PARTS; ++part) {
        *first += b.sums[2 * ((size_t)f * GDRQ_FILTER_PARTS + part)];
        *second += b.sums[2 * ((size_t)f * GDRQ_FILTER_PARTS + part) + 1];
    }
}

static inline unsigned gdrq_blocks_of_filters(int filters) {
    return (unsigned)((filters + GDRQ_THREADS - 1) / GDRQ_THREADS);
}

#endif
